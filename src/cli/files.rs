//! Reading files, and writing them whole or not at all.

use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use super::Failure;
use super::output::errors_have_color;
use crate::capture::{self, CaptureError};
use crate::graph::TrainingGraph;
use crate::render::{SourceLines, input_error};

/// A larger input is refused: positions in it would not fit what counts them.
const LARGEST_INPUT: u64 = 2 << 30;
/// A larger source file is not searched for a line to show.
const LARGEST_SOURCE: u64 = 8 << 20;

/// The bytes of a file, or of standard input for `-`.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot read {}: {error}", path.display()));
    let mut bytes = Vec::new();
    let limit = LARGEST_INPUT + 1;
    if path == Path::new("-") {
        std::io::stdin().lock().take(limit).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        let metadata = file.metadata().map_err(failed)?;
        if metadata.is_dir() {
            return Err(Failure::new(format!("cannot read {}: it is a folder", path.display())));
        }
        bytes.reserve(metadata.len().min(limit) as usize);
        file.take(limit).read_to_end(&mut bytes).map_err(failed)?;
    }
    if bytes.len() as u64 > LARGEST_INPUT {
        let message = format!("{} is larger than {} GiB, which is not supported", path.display(), LARGEST_INPUT >> 30);
        return Err(Failure::new(message));
    }
    Ok(bytes)
}

/// Text of a small configuration file.
pub(super) fn read_text(path: &Path) -> Result<String, Failure> {
    String::from_utf8(read(path)?).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        Failure::new(format!("{}: byte {at} is not UTF-8 text", path.display()))
    })
}

/// The graph in a file.
pub(super) fn read_graph(path: &Path) -> Result<TrainingGraph, Failure> {
    let bytes = read(path)?;
    capture::read(&bytes).map_err(|error| cannot_read(path, &bytes, &error))
}

/// Why a file cannot be read, with the place.
pub(super) fn cannot_read(path: &Path, bytes: &[u8], error: &CaptureError) -> Failure {
    let file = path.display().to_string();
    let text = String::from_utf8_lossy(bytes);
    match (&error.span, text) {
        (Some(span), std::borrow::Cow::Borrowed(text)) => {
            let help = error.help.as_deref();
            let title = "this input cannot be read";
            let color = errors_have_color();
            Failure::rendered(input_error(title, &file, text, span.clone(), &error.message, help, color))
        }
        _ => Failure::new(format!("{file}: {error}")),
    }
}

/// Writes a file whole or not at all: to a new file beside it, which then takes its place.
pub(super) fn write(path: &Path, content: impl AsRef<[u8]>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::new(format!("cannot write {}: {error}", path.display()));
    // What is no plain file, such as a pipe, has no place to be taken.
    if path.exists() && !path.is_file() {
        return std::fs::write(path, content).map_err(failed);
    }
    let name = path.file_name().ok_or_else(|| Failure::new(format!("{} names no file", path.display())))?;
    let mut beside = std::ffi::OsString::from(".");
    beside.push(name);
    beside.push(format!(".{}.part", std::process::id()));
    let beside = path.with_file_name(beside);
    // `create_new`: what lies there already, a link above all, is somebody else's.
    let mut file = std::fs::File::create_new(&beside).map_err(failed)?;
    let written = file.write_all(content.as_ref()).and_then(|()| std::fs::rename(&beside, path));
    written.map_err(|error| {
        let _ = std::fs::remove_file(&beside);
        failed(error)
    })
}

/// Lines of the user's own source files, where they can be found: as the path says, or below the folders that hold the
/// text. Only Python files, and the pages of rules, are looked into: the path comes from the input.
pub(super) struct LocalSources {
    folders: Vec<PathBuf>,
    files: Mutex<HashMap<String, Option<Vec<String>>>>,
}

impl LocalSources {
    /// Looks from here, and from the folders above the files.
    pub fn near<'p>(files: impl Iterator<Item = &'p Path>) -> Self {
        let mut folders = vec![PathBuf::new()];
        for file in files {
            folders.extend(file.ancestors().skip(1).map(Path::to_path_buf));
        }
        LocalSources { folders, files: Mutex::default() }
    }

    fn load(&self, file: &str) -> Option<Vec<String>> {
        if !file.ends_with(".py") && !file.ends_with(".md") {
            return None;
        }
        let path = self.folders.iter().map(|folder| folder.join(file)).find(|path| path.is_file())?;
        if path.metadata().ok()?.len() > LARGEST_SOURCE {
            return None;
        }
        let text = std::fs::read_to_string(path).ok()?;
        Some(text.lines().map(str::to_string).collect())
    }
}

impl SourceLines for LocalSources {
    fn line(&self, file: &str, line: u32) -> Option<String> {
        let mut files = self.files.lock().ok()?;
        let lines = files.entry(file.to_string()).or_insert_with(|| self.load(file));
        lines.as_ref()?.get((line as usize).checked_sub(1)?).cloned()
    }
}
