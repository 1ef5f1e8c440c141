//! Reads the tables in `listings/` (their README describes the form).

#![expect(clippy::expect_used, clippy::indexing_slicing, reason = "a malformed table is a failing test")]

use std::collections::{BTreeMap, BTreeSet};

use tabagent_hub::quant::Hints;

/// One repository.
#[derive(Default)]
pub(crate) struct Case {
    pub(crate) repo: String,
    pub(crate) hints: Hints,
    pub(crate) files: Vec<(String, u64)>,
    pub(crate) shared: BTreeSet<String>,
    /// Format and files by name, shared files included.
    pub(crate) quants: BTreeMap<String, (String, BTreeSet<String>)>,
    pub(crate) roles: Vec<(String, String)>,
}

/// All repositories of a table.
pub(crate) fn cases(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if let Some(head) = line.strip_prefix("== ") {
            cases.push(begin(head));
            continue;
        }
        let case = cases.last_mut().expect("a block begins with ==");
        if let Some(quant) = line.strip_prefix("-- ") {
            add_quants(case, quant);
        } else if let Some(shared) = line.strip_prefix("shared:") {
            case.shared = words(shared).collect();
        } else if let Some(roles) = line.strip_prefix("roles:") {
            let (role, files) = roles.trim().split_once(' ').expect("a role and its files");
            case.roles.extend(words(files).map(|path| (path, role.to_owned())));
        } else {
            case.files.extend(words(line).map(|word| sized(&word)));
        }
    }
    for case in &mut cases {
        for (_, files) in case.quants.values_mut() {
            files.extend(case.shared.iter().cloned());
        }
    }
    cases
}

fn begin(head: &str) -> Case {
    let mut parts = head.split_whitespace();
    let repo = parts.next().expect("a repository").to_owned();
    let mut hints = Hints { repo: Some(repo.clone()), ..Hints::default() };
    for part in parts {
        let (key, value) = part.split_once('=').unwrap_or((part, ""));
        match key {
            "library" => hints.library_name = Some(value.to_owned()),
            "tags" => hints.tags = value.split(',').map(str::to_owned).collect(),
            "method" => hints.quant_method = Some(value.to_owned()),
            "bits" => hints.bits = Some(value.parse().expect("a number of bits")),
            "dtype" => hints.dtype = Some(value.to_owned()),
            "mlx" => hints.mlx = true,
            "repo" => hints.repo = None,
            _ => assert!(matches!(key, "stored" | "layout"), "unknown hint {key}"),
        }
    }
    Case { repo, hints, ..Case::default() }
}

fn add_quants(case: &mut Case, line: &str) {
    let (head, files) = line.split_once(": ").expect("a quant and its files");
    let (names, format) = head.rsplit_once(' ').expect("a name and a format");
    let names = expand(&names.replace("%20", " "));
    for (at, name) in names.iter().enumerate() {
        let own = files.split_whitespace().flat_map(|word| {
            let all = expand(&word.replace("%20", " "));
            if names.len() > 1 && all.len() == names.len() { vec![all[at].clone()] } else { all }
        });
        let before = case.quants.insert(name.clone(), (format.to_owned(), own.collect()));
        assert!(before.is_none(), "{name} stands twice in {}", case.repo);
    }
}

fn words(line: &str) -> impl Iterator<Item = String> {
    line.split_whitespace().flat_map(|word| expand(&word.replace("%20", " ")))
}

/// `path@1.5G` into the path and its bytes.
fn sized(word: &str) -> (String, u64) {
    let Some((path, size)) = word.rsplit_once('@') else { return (word.to_owned(), 0) };
    let unit = size.chars().last().expect("a size");
    let factor = match unit {
        'k' => 1e3,
        'M' => 1e6,
        'G' => 1e9,
        _ => 1.0,
    };
    let number: f64 = size.trim_end_matches(['k', 'M', 'G']).parse().expect("a number");
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "sizes in the tables are small and positive"
    )]
    let bytes = (number * factor) as u64;
    (path.to_owned(), bytes)
}

/// Expands the first braces of a word, then the rest; braces nest as in a shell.
fn expand(word: &str) -> Vec<String> {
    let Some(open) = word.find('{') else { return vec![word.to_owned()] };
    let mut depth = 0;
    let mut edges = vec![open];
    for (at, c) in word.char_indices().skip_while(|(at, _)| *at < open) {
        match c {
            '{' => depth += 1,
            '}' => depth -= 1,
            _ => {}
        }
        if (c == ',' && depth == 1) || depth == 0 {
            edges.push(at);
        }
        if depth == 0 {
            break;
        }
    }
    let rest = expand(&word[edges.last().expect("closing brace") + 1..]);
    let choices = edges.windows(2).flat_map(|edge| expand(&word[edge[0] + 1..edge[1]]));
    choices
        .flat_map(|choice| rest.iter().map(move |tail| format!("{}{choice}{tail}", &word[..open])))
        .collect()
}
