//! The number formats of GGUF tensors (`ggml_type`).

/// Name, numbers in a block, and bytes of a block, by the number of the type; types that were removed have none.
const TYPES: &[(u32, &str, u64, u64)] = &[
    (0, "F32", 1, 4),
    (1, "F16", 1, 2),
    (2, "Q4_0", 32, 18),
    (3, "Q4_1", 32, 20),
    (6, "Q5_0", 32, 22),
    (7, "Q5_1", 32, 24),
    (8, "Q8_0", 32, 34),
    (9, "Q8_1", 32, 36),
    (10, "Q2_K", 256, 84),
    (11, "Q3_K", 256, 110),
    (12, "Q4_K", 256, 144),
    (13, "Q5_K", 256, 176),
    (14, "Q6_K", 256, 210),
    (15, "Q8_K", 256, 292),
    (16, "IQ2_XXS", 256, 66),
    (17, "IQ2_XS", 256, 74),
    (18, "IQ3_XXS", 256, 98),
    (19, "IQ1_S", 256, 50),
    (20, "IQ4_NL", 32, 18),
    (21, "IQ3_S", 256, 110),
    (22, "IQ2_S", 256, 82),
    (23, "IQ4_XS", 256, 136),
    (24, "I8", 1, 1),
    (25, "I16", 1, 2),
    (26, "I32", 1, 4),
    (27, "I64", 1, 8),
    (28, "F64", 1, 8),
    (29, "IQ1_M", 256, 56),
    (30, "BF16", 1, 2),
    (34, "TQ1_0", 256, 54),
    (35, "TQ2_0", 256, 66),
    (39, "MXFP4", 32, 17),
    (40, "NVFP4", 64, 36),
    (41, "Q1_0", 128, 18),
];

/// Name of a type, its number where it came later than this table.
pub(super) fn name(number: u32) -> String {
    find(number).map_or_else(|| format!("type {number}"), |found| found.1.to_owned())
}

/// Bytes of `count` numbers; `None` when that is not known, or past what can be counted.
pub(super) fn length(number: u32, count: u64) -> Option<u64> {
    let (_, _, block, bytes) = find(number)?;
    count.div_ceil(*block).checked_mul(*bytes)
}

fn find(number: u32) -> Option<&'static (u32, &'static str, u64, u64)> {
    TYPES.iter().find(|found| found.0 == number)
}
