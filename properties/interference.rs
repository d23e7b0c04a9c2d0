//! Paired runs of systems that are written in Rust.

use openloop::testing::check_system;

use crate::training_system::{Leak, TwoBoxes};

#[test]
fn show() {
    for leak in [
        Leak::None,
        Leak::SharedClip,
        Leak::MissedDetach,
        Leak::ProbeGradient,
        Leak::Momentum,
        Leak::RunningScale,
        Leak::BestOfBatch,
        Leak::MultipliedMask,
    ] {
        let start = std::time::Instant::now();
        println!("{leak:?} {}", check_system(TwoBoxes::new(leak)).noninterference().report());
        println!("{:?}", start.elapsed());
    }
    println!("{}", check_system(TwoBoxes { leak: Leak::None, head: 0.0 }).noninterference().report());
    println!(
        "{}",
        check_system(TwoBoxes::new(Leak::PolicyPicksData))
            .noninterference()
            .mode(openloop::interference::Mode::Free)
            .report()
    );
}
