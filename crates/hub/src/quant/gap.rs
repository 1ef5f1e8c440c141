//! Numbered parts of one file: which of them there are, and which are missing.

use std::collections::HashMap;

use super::shard;

/// What the parts of one file have in common: folder, stem without the number, extension, and how many they are.
type Whole<'a> = (&'a str, String, &'a str, u32);

/// Indices of the files that are parts of a file (`model-00001-of-00003.safetensors`) whose other parts are not all among
/// `paths`, ascending. A complete listing has none; a folder that holds what someone once downloaded may.
#[must_use]
pub fn gaps<'a>(paths: impl IntoIterator<Item = &'a str>) -> Vec<usize> {
    let mut sets: HashMap<Whole<'_>, Vec<usize>> = HashMap::new();
    for (index, path) in paths.into_iter().enumerate() {
        if let Some(whole) = whole(path) {
            sets.entry(whole).or_default().push(index);
        }
    }
    let broken =
        |(key, parts): (&Whole<'_>, &Vec<usize>)| (parts.len() < key.3 as usize).then(|| parts.clone());
    let mut out: Vec<usize> = sets.iter().filter_map(broken).flatten().collect();
    out.sort_unstable();
    out
}

/// Those of `paths` that are parts of the same file as `path`, by their number; none when `path` is no numbered part.
#[must_use]
pub fn parts<'a>(paths: impl IntoIterator<Item = &'a str>, path: &str) -> Vec<&'a str> {
    let Some(wanted) = whole(path) else { return Vec::new() };
    let is_part = |path: &&str| whole(path).is_some_and(|found| found == wanted);
    let mut out: Vec<&str> = paths.into_iter().filter(is_part).collect();
    out.sort_unstable();
    out
}

fn whole(path: &str) -> Option<Whole<'_>> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    let shard = shard::split(stem);
    Some((folder, shard.stem(), extension, shard.total?))
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

    #[test]
    fn the_parts_of_a_file_come_in_their_order() {
        let paths = [
            "m-00002-of-00002.gguf",
            "x.gguf",
            "m-00001-of-00002.gguf",
            "a/m-00001-of-00002.gguf",
            "m-00001-of-00003.gguf",
        ];
        assert_eq!(parts(paths, "m-00002-of-00002.gguf"), ["m-00001-of-00002.gguf", "m-00002-of-00002.gguf"]);
        assert!(parts(paths, "x.gguf").is_empty());
    }
}
