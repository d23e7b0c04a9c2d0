//! The committed texts that the properties run on: the captures, the JAX fixtures, the zoo.

use std::path::{Path, PathBuf};

/// The folder of the project.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folders of training steps, each with `truth.json` and the step in both forms.
pub fn steps() -> Vec<PathBuf> {
    let mut found = Vec::new();
    for family in ["fixtures/captures", "fixtures/jax"] {
        for entry in std::fs::read_dir(root().join(family)).expect("the fixtures are there") {
            let path = entry.expect("a readable folder").path();
            if path.join("step.mlir").exists() {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(found.len() >= 40, "only {} steps", found.len());
    found
}

/// The zoo: every operation that MLIR prints, `(pretty, generic)`.
pub fn zoo() -> Vec<(PathBuf, PathBuf)> {
    let folder = root().join("fixtures/zoo");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(&folder).expect("the zoo is there") {
        let generic = entry.expect("a readable folder").path();
        let name = generic.file_name().expect("a name").to_string_lossy().into_owned();
        if let Some(theme) = name.strip_suffix(".generic.mlir") {
            found.push((folder.join(format!("{theme}.mlir")), generic));
        }
    }
    found.sort();
    assert!(found.len() >= 40, "only {} themes", found.len());
    found
}

/// The bytes of a file.
pub fn bytes(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The graph in a file.
pub fn graph(path: &Path) -> openloop::graph::TrainingGraph {
    openloop::capture::read(&bytes(path)).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The name of the folder or file, for messages.
pub fn name(path: &Path) -> String {
    path.file_name().expect("a name").to_string_lossy().into_owned()
}
