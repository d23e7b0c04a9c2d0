//! The `openloop` command. All of it is in [`openloop::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    openloop::cli::main()
}
