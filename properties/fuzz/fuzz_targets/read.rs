//! Reading any bytes ends in a graph or an error; what is a graph has a JSON form that is the same graph.
//!
//! With libFuzzer: `cargo fuzz run --fuzz-dir properties/fuzz --features libfuzzer read`. Without it the target runs
//! once on each file that it is given: `cargo run --bin read -- FILE..`.
#![cfg_attr(feature = "libfuzzer", no_main)]

fn target(bytes: &[u8]) {
    if let Ok(graph) = openloop::capture::read(bytes) {
        let again = openloop::capture::read(graph.to_json().as_bytes()).expect("a graph reads its own JSON");
        assert_eq!(again.digest(), graph.digest());
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
