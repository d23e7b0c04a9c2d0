//! The floors of the house: a module uses only floors below its own, and the map names every one.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::corpus;

/// Each module of the library and its floor. Modules of one floor do not know each other.
const FLOORS: &[(&str, u8)] = &[
    ("index", 0),
    ("network", 0),
    ("graph", 1),
    ("lattice", 1),
    ("selection", 1),
    ("verdict", 2),
    ("capture", 3),
    ("exec", 3),
    ("policy", 3),
    ("render", 3),
    ("transfer", 3),
    ("flow", 4),
    ("interference", 4),
    ("verify", 4),
    ("rules", 5),
    ("systems", 5),
    ("report", 6),
    ("scenarios", 7),
    ("testing", 7),
    ("cli", 8),
    ("properties", 8),
];

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_path_buf()];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(&folder).expect("a readable folder") {
            let path = entry.expect("a readable entry").path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

/// The module of the library that a file belongs to; none for the root and the binary.
fn module_of(file: &Path, source: &Path) -> Option<String> {
    let relative = file.strip_prefix(source).expect("a file below the folder");
    let first = relative.components().next()?.as_os_str().to_string_lossy().into_owned();
    let name = first.strip_suffix(".rs").unwrap_or(&first).to_string();
    (!matches!(name.as_str(), "lib" | "main")).then_some(name)
}

/// The modules that the code of a file names: `crate::x`, comments and documentation left out.
fn modules_used(text: &str) -> Vec<(usize, String)> {
    let code = text.lines().enumerate().filter(|(_, line)| !line.trim_start().starts_with("//"));
    let mut used = Vec::new();
    for (number, line) in code {
        let line = line.split(" // ").next().unwrap_or(line);
        for (at, _) in line.match_indices("crate::") {
            let rest = &line[at + "crate::".len()..];
            let end = rest.find(|c: char| !(c.is_ascii_lowercase() || c == '_')).unwrap_or(rest.len());
            if end > 0 {
                used.push((number + 1, rest[..end].to_string()));
            }
        }
    }
    used
}

#[test]
fn every_arrow_points_down() {
    let floors: BTreeMap<&str, u8> = FLOORS.iter().copied().collect();
    let source = corpus::root().join("src");
    let mut arrows = 0;
    let mut wrong = Vec::new();
    for file in rust_files(&source) {
        let Some(module) = module_of(&file, &source) else { continue };
        let own = *floors.get(module.as_str()).unwrap_or_else(|| panic!("src/{module} has no floor"));
        let text = String::from_utf8(corpus::bytes(&file)).expect("text");
        for (line, used) in modules_used(&text) {
            if used == module {
                continue;
            }
            // A test may look anywhere.
            let Some(&other) = floors.get(used.as_str()) else { continue };
            arrows += 1;
            if other >= own {
                wrong.push(format!("{}:{line} uses {used}, floor {other}, from floor {own}", file.display()));
            }
        }
    }
    assert!(arrows > 100, "only {arrows} arrows were seen");
    assert!(wrong.is_empty(), "arrows upwards or sideways:\n{}", wrong.join("\n"));
}

#[test]
fn the_map_names_every_module_and_nothing_else() {
    let map = String::from_utf8(corpus::bytes(&corpus::root().join("src/ARCHITECTURE.md"))).expect("text");
    let source = corpus::root().join("src");
    let mut modules: Vec<String> = rust_files(&source).iter().filter_map(|file| module_of(file, &source)).collect();
    modules.dedup();
    for module in &modules {
        assert!(map.contains(&format!("`{module}`")), "src/ARCHITECTURE.md does not name `{module}`");
    }
    for (module, _) in FLOORS {
        assert!(modules.iter().any(|name| name == module), "`{module}` has a floor and no code");
    }
}

#[test]
fn the_checker_of_certificates_shares_no_code_with_the_analysis() {
    let source = corpus::root().join("src");
    for file in rust_files(&source.join("verify")) {
        let text = String::from_utf8(corpus::bytes(&file)).expect("text");
        for (line, used) in modules_used(&text) {
            assert!(!matches!(used.as_str(), "flow" | "transfer"), "{}:{line} uses {used}", file.display());
        }
    }
}
