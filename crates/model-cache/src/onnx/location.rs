//! Where a model keeps weights outside its own file.

use super::Malformed;

/// The path in the repository of what a model at `model` calls `location`: a place below its own folder.
///
/// # Errors
/// For a place elsewhere: no model of a repository needs one, and engines refuse it too.
pub(crate) fn resolve(model: &str, location: &str) -> Result<String, Malformed> {
    let segments: Vec<&str> = location.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    let below = segments.join("/");
    if location.starts_with('/') || !tabagent_hub::is_safe_path(&below) {
        return Err(Malformed::new(format!("it points to {location:?}, which is not below its own folder")));
    }
    Ok(match model.rsplit_once('/') {
        Some((folder, _)) => format!("{folder}/{below}"),
        None => below,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn locations_are_below_the_folder_of_the_model() {
        for (model, location, found) in [
            ("model.onnx", "model.onnx_data", "model.onnx_data"),
            ("onnx/model.onnx", "./model.onnx_data", "onnx/model.onnx_data"),
            ("a/b/model.onnx", "weights//w.bin", "a/b/weights/w.bin"),
        ] {
            assert_eq!(resolve(model, location).unwrap(), found);
        }
        for location in ["", ".", "/etc/passwd", "../x", "a/../../x", "a/..", "C:\\x", "a\\..\\x", "x\0"] {
            assert!(resolve("onnx/model.onnx", location).is_err(), "{location:?}");
        }
    }
}
