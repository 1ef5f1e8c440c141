//! The paginated tree: `GET /api/models/{repo}/tree/{commit}?recursive=true`, pages linked by `Link: rel="next"`.

use std::collections::HashSet;

use url::Url;

use crate::error::HubError;
use crate::scan::{Ask, no_listing};
use crate::sibling::{MOST_FILES, Sibling, Siblings};

/// All files of a commit.
pub(crate) async fn files(ask: &Ask<'_>, repo: &str, commit: &str) -> Result<Vec<Sibling>, HubError> {
    let mut url = ask.http.endpoint.tree(repo, commit)?;
    let mut seen = HashSet::from([url.clone()]);
    let mut files = Vec::new();
    loop {
        let page = ask.json::<Siblings>(&url).await?;
        files.extend(page.body.0.into_iter().filter(Sibling::is_file));
        let Some(next) = page.link.as_deref().and_then(|link| next_page(&url, link)) else {
            return Ok(files);
        };
        if files.len() > MOST_FILES {
            return Err(no_listing(&url, "pages that end", &format!("more than {MOST_FILES} files")));
        }
        if !seen.insert(next.clone()) {
            return Err(no_listing(&url, "pages that end", "a page that links back"));
        }
        url = next;
    }
}

/// The page `rel="next"` names, asked at the same address: only the link's query is used, so that a link to another
/// origin (a mirror that passes the Hub's own links through) can neither take the token along nor leave the mirror.
pub(crate) fn next_page(url: &Url, link: &str) -> Option<Url> {
    let is_next = |parameters: &str| {
        parameters.split(';').any(|parameter| matches!(parameter.trim(), "rel=\"next\"" | "rel=next"))
    };
    let target = link.split('<').skip(1).filter_map(|entry| entry.split_once('>'));
    let (target, _) = target.into_iter().find(|(_, rest)| is_next(rest.trim_end_matches([',', ' '])))?;
    let mut next = url.clone();
    next.set_query(url.join(target).ok()?.query());
    Some(next)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_next_page_at_its_own_address() {
        let url = Url::parse("https://mirror.example/hub/api/models/a/b/tree/c?recursive=true").unwrap();
        let next = |link: &str| next_page(&url, link).map(|url| url.to_string());
        let own = "https://mirror.example/hub/api/models/a/b/tree/c?recursive=true&cursor=Zm9v";
        assert_eq!(next(&format!("<{own}>; rel=\"next\"")).as_deref(), Some(own));
        let foreign = "<https://hub.example/api/models/a/b/tree/c?recursive=true&cursor=Zm9v>; rel=\"next\"";
        assert_eq!(next(foreign).as_deref(), Some(own));
        assert_eq!(next(&format!("<https://x.example/?a>; rel=\"prev\", {foreign}")).as_deref(), Some(own));
        assert_eq!(next("<https://x.example/?a>; rel=\"prev\""), None);
        assert_eq!(next("nonsense"), None);
    }
}
