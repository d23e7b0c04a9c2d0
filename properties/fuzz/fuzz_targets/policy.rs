//! Reading any text as a policy ends in a policy or an error.
//!
//! With libFuzzer: `cargo fuzz run --fuzz-dir properties/fuzz --features libfuzzer policy`. Without it the target runs
//! once on each file that it is given: `cargo run --bin policy -- FILE..`.
#![cfg_attr(feature = "libfuzzer", no_main)]

fn target(bytes: &[u8]) {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = openloop::policy::FlowPolicy::parse(text);
    }
}

#[cfg(feature = "libfuzzer")]
libfuzzer_sys::fuzz_target!(|bytes: &[u8]| target(bytes));

#[cfg(not(feature = "libfuzzer"))]
fn main() {
    for path in std::env::args().skip(1) {
        target(&std::fs::read(path).expect("a readable file"));
    }
}
