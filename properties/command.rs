//! The command itself: the real binary, in a folder of its own, as a user runs it.

mod budget;
mod files;
mod findings;
mod inputs;
#[cfg(feature = "interference")]
mod paired;
mod policies;
#[cfg(feature = "exec")]
mod run;
#[cfg(feature = "interference")]
mod scenarios;
mod terminal;
mod verify;
mod words;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::Value;

use super::corpus;
use super::render::schema::Schema;

/// A step that leaks, within one step and over many.
const LEAK: &str = "missed_stop_gradient";
/// A step that does not.
const CLEAN: &str = "brainlike";
/// A step that leaks only through what is carried.
const LATER: &str = "prioritised_replay";
/// A step in which the score goes through a callback that nobody looks into.
const OPAQUE: &str = "pure_callback_leak";
/// A step in which structure does not tell what is carried.
const AMBIGUOUS: &str = "momentum_zeroed_grad";

const SOURCE: &str = "scope:probe_reward";
const SINK: &str = "output:**.beliefs.**";

/// A folder that is there for one test.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Folder {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("openloop-{}-{number}", std::process::id()));
        std::fs::create_dir(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        Folder(path)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, bytes: impl AsRef<[u8]>) -> &Folder {
        std::fs::write(self.path(name), bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        self
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
    }

    /// Everything in it, sorted.
    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(&self.0).expect("the folder is there");
        let mut names: Vec<String> = entries.map(|entry| corpus::name(&entry.expect("an entry").path())).collect();
        names.sort();
        names
    }

    /// A command that runs here, away from the terminal and the settings of whoever tests.
    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_openloop"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        for variable in ["NO_COLOR", "CLICOLOR", "CLICOLOR_FORCE", "TERM", "COLUMNS", "RUST_BACKTRACE"] {
            command.env_remove(variable);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Answer {
        self.run_in(&[], arguments)
    }

    /// Runs with these settings of the environment.
    fn run_in(&self, settings: &[(&str, &str)], arguments: &[&str]) -> Answer {
        Answer::of(arguments, self.command(arguments).envs(settings.iter().copied()))
    }

    /// Runs with this on standard input.
    fn run_on(&self, input: &[u8], arguments: &[&str]) -> Answer {
        let (reader, mut writer) = std::io::pipe().expect("a pipe");
        let mut command = self.command(arguments);
        command.stdin(reader);
        std::thread::scope(|scope| {
            // A command that reads no input closes the pipe, and that is its right.
            scope.spawn(move || writer.write_all(input));
            let answer = Answer::of(arguments, &mut command);
            drop(command);
            answer
        })
    }

    /// `check FILE --source SOURCE --sink SINK ..`
    fn check(&self, file: &str, more: &[&str]) -> Answer {
        self.run(&[&["check", file, "--source", SOURCE, "--sink", SINK], more].concat())
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// What a run answered.
struct Answer {
    said: String,
    code: i32,
    out: String,
    err: String,
}

impl Answer {
    fn of(arguments: &[&str], command: &mut Command) -> Answer {
        let output = command.output().expect("the binary runs");
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("what is printed is UTF-8");
        let (out, err) = (text(output.stdout), text(output.stderr));
        let said = format!("openloop {}\n--- stdout\n{out}\n--- stderr\n{err}", arguments.join(" "));
        assert!(!err.contains("panicked"), "{said}");
        Answer { code: output.status.code().unwrap_or_else(|| panic!("ended by a signal: {said}")), said, out, err }
    }

    /// Ends with this code; 2 comes with an error and no finding.
    #[track_caller]
    fn ends(self, code: i32) -> Answer {
        assert_eq!(self.code, code, "{}", self.said);
        if code == 2 {
            assert_eq!(self.out, "", "{}", self.said);
            assert!(self.err.contains("error"), "{}", self.said);
        }
        self
    }

    /// Standard error is empty.
    #[track_caller]
    fn quietly(self) -> Answer {
        assert_eq!(self.err, "", "{}", self.said);
        self
    }

    /// Standard output holds each of these.
    #[track_caller]
    fn finds(self, texts: &[&str]) -> Answer {
        for text in texts {
            assert!(self.out.contains(text), "`{text}` is not on stdout: {}", self.said);
        }
        self
    }

    /// Standard error holds each of these.
    #[track_caller]
    fn complains(self, texts: &[&str]) -> Answer {
        for text in texts {
            assert!(self.err.contains(text), "`{text}` is not on stderr: {}", self.said);
        }
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {}", self.said))
    }
}

/// The file of a step of `fixtures/jax`.
fn step(name: &str) -> String {
    text(&corpus::root().join("fixtures/jax").join(name).join("step.mlir"))
}

fn text(path: &Path) -> String {
    path.to_str().expect("the folder of the project has a name in UTF-8").to_string()
}

fn report_schema() -> Schema {
    Schema::read(include_str!("../fixtures/schema/report.schema.json"))
}

/// A policy of one invariant and what else is said.
fn policy(more: &str) -> String {
    format!("version = 1\n[[invariant]]\nname = \"out\"\nfrom = [\"{SOURCE}\"]\nto = [\"{SINK}\"]\n{more}")
}

/// `verdict [within]` of each entry of a JSON report.
fn verdicts(report: &Value) -> Vec<String> {
    let entries = report["invariants"].as_array().expect("a list").iter();
    let word = |value: &Value| value.as_str().expect("a word").to_string();
    entries.map(|entry| format!("{} [{}]", word(&entry["verdict"]), word(&entry["within"]))).collect()
}
