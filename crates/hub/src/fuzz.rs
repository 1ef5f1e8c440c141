//! Everything that a server sends, with bytes that no Hub would send: it is refused or means something, and never more.

use std::time::{Duration, SystemTime};

use reqwest::header::{CONTENT_RANGE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER};
use url::Url;

use crate::content_range::ContentRange;
use crate::listing::is_safe_path;
use crate::model_info::{ModelInfo, hints_of_config};
use crate::name::{check_path, check_repo, check_revision};
use crate::quant::{Hints, SourceFile, detect};
use crate::redirect::Trail;
use crate::retry::retry_after;
use crate::sibling::{Sibling, Siblings};
use crate::tree::next_page;

#[path = "../../testing/mutation.rs"]
mod mutation;
use mutation::with_mutations;

const INFO: &str = r#"{"id":"acme/m","modelId":"acme/m","sha":"c5f93f5df8c1b7d9e4a1c5f93f5df8c1b7d9e4a1","gated":"manual",
"pipeline_tag":"text-generation","library_name":"transformers","tags":["onnx","license:mit"],"cardData":{"license":"mit"},
"config":{"architectures":["LlamaForCausalLM"],"quantization_config":{"bits":4,"quant_method":"awq"}},
"safetensors":{"parameters":{"BF16":7}},"siblings":[{"rfilename":"onnx/model_q4.onnx","size":5,"blobId":"a",
"lfs":{"sha256":"9ca56f48cc2d33354c81517706b208ae6d9b1f166ac5e5aba7c021edb3bf908f","size":5}},{"rfilename":"config.json"}]}"#;

const TREE: &str = r#"[{"type":"file","oid":"86f54ed06b5d2a12d18e25cba1247f421c2e4eed","size":5,"path":"m-Q4_K_M-00001-of-00002.gguf",
"lfs":{"oid":"9ca56f48cc2d33354c81517706b208ae6d9b1f166ac5e5aba7c021edb3bf908f","size":5}},{"type":"directory","path":"a"}]"#;

const CONFIG: &str = r#"{"torch_dtype":"bfloat16","quantization_config":{"load_in_4bit":true,"bits":4}}"#;

fn detect_all(siblings: &[Sibling], hints: &Hints) {
    for sibling in siblings {
        if let Some((size, _)) = sibling.content() {
            let path = sibling.path();
            let detection = detect(&[SourceFile { path, size }], hints);
            assert_eq!(detection.roles.len(), 1, "{path:?}");
        }
    }
}

#[test]
fn documents_of_any_bytes_are_refused_or_mean_something() {
    with_mutations(&[INFO.into(), TREE.into(), CONFIG.into()], |bytes| {
        if let Ok(info) = serde_json::from_slice::<ModelInfo>(bytes) {
            let _ = (info.gated, info.license());
            let files = info.siblings.as_ref().map(|siblings| &siblings.0[..]);
            detect_all(files.unwrap_or_default(), &info.hints("acme/m"));
        }
        if let Ok(siblings) = serde_json::from_slice::<Siblings>(bytes) {
            detect_all(&siblings.0, &Hints::default());
        }
        hints_of_config("acme/m", bytes);
    });
}

#[test]
fn headers_of_any_bytes_are_refused_or_mean_something() {
    let texts = [
        "bytes 0-1023/4096",
        "bytes */18446744073709551615",
        r#""api";r=0;t=57, "resolvers";r=3;t=9"#,
        "Wed, 21 Oct 2037 07:28:00 GMT",
        "120",
        r#"<https://hub.example/api/models/a/b/tree/main?cursor=x>; rel="next""#,
        "//cdn.example/a/b?Signature=x",
    ];
    let samples: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    let from = Url::parse("https://hub.example/a").unwrap();
    let names = [CONTENT_RANGE, RETRY_AFTER, HeaderName::from_static("ratelimit")];
    with_mutations(&samples, |bytes| {
        let Ok(value) = HeaderValue::from_bytes(bytes) else { return };
        let headers: HeaderMap = names.iter().map(|name| (name.clone(), value.clone())).collect();
        if let Some(ContentRange { range: Some(range), .. }) = ContentRange::of(&headers) {
            assert!(range.start < range.end);
        }
        let wait = retry_after(&headers, SystemTime::UNIX_EPOCH);
        assert!(wait.is_none_or(|wait| wait <= Duration::from_secs(u64::MAX)));
        let text = value.to_str().unwrap_or_default();
        // Neither leaves https, and a page stays at its address.
        if let Ok(target) = Trail::default().step(&from, Some(text)) {
            assert_eq!(target.scheme(), "https");
        }
        if let Some(next) = next_page(&from, text) {
            assert_eq!((next.host_str(), next.path()), (from.host_str(), from.path()));
        }
    });
}

#[test]
fn names_of_any_bytes_are_refused_or_stay_in_their_place() {
    let samples = ["acme/model-7B", "refs/pr/3", "onnx/model_q4.onnx", "a/../b", "C:\\x", "/etc/passwd"];
    let samples: Vec<Vec<u8>> = samples.iter().map(|text| text.as_bytes().to_vec()).collect();
    let base = Url::parse("https://hub.example/api/").unwrap();
    with_mutations(&samples, |bytes| {
        let text = String::from_utf8_lossy(bytes);
        if check_repo(&text).is_ok() {
            assert!(base.join(&text).is_ok_and(|url| url.path() == format!("/api/{text}")), "{text:?}");
        }
        let _ = check_revision(&text);
        assert_eq!(check_path(&text).is_ok(), is_safe_path(&text));
        if is_safe_path(&text) {
            let parts = || text.split('/');
            assert!(parts().all(|part| !matches!(part, "" | "." | "..")) && !text.contains('\0'), "{text:?}");
        }
    });
}
