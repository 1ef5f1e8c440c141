//! Numbered parts of which some are missing.

use std::collections::HashMap;

use super::shard;

/// Indices of the files that are parts of a file (`model-00001-of-00003.safetensors`) whose other parts are not all among
/// `paths`, ascending. A complete listing has none; a folder that holds what someone once downloaded may.
#[must_use]
pub fn gaps<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut sets: HashMap<(&str, String, &str, u32), Vec<usize>> = HashMap::new();
    for (index, path) in paths.into_iter().enumerate() {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
        let shard = shard::split(stem);
        if let Some(total) = shard.total {
            sets.entry((folder, shard.stem(), extension, total)).or_default().push(index);
        }
    }
    let broken = |(key, parts): (&(&str, String, &str, u32), &Vec<usize>)| {
        (parts.len() < key.3 as usize).then(|| parts.clone())
    };
    let mut out: Vec<usize> = sets.iter().filter_map(broken).flatten().collect();
    out.sort_unstable();
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_without_their_others_are_told() {
        let paths = [
            "config.json",
            "m-00001-of-00002.gguf",
            "m-00002-of-00002.gguf",
            "a/m-00002-of-00002.gguf",
            "m-00001-of-00003.safetensors",
            "m-00003-of-00003.safetensors",
            "x-00001-of-00001.bin",
        ];
        assert_eq!(gaps(paths), [3, 4, 5]);
    }
}
