//! What is said: the same each time, in words that help, and as data that others can read.

use openloop::interference::proptest::prelude::*;
use openloop::interference::{
    Change, Disturbance, Finiteness, Mode, Number, PairedReport, Part, Probe, StepResult, Target, TrainingSystem,
};
use openloop::testing::check_system;

use super::small::{Numbers, small};
use crate::training_system::{Leak, TwoBoxes};

#[test]
fn a_seed_gives_one_search() {
    let report = |leak, seed| check_system(TwoBoxes::new(leak)).noninterference().seed(seed).report();
    for leak in [Leak::None, Leak::SharedClip, Leak::MultipliedMask] {
        assert_eq!(report(leak, 7), report(leak, 7));
    }
    assert_ne!(report(Leak::None, 7).finite, report(Leak::None, 8).finite);
}

#[test]
fn a_report_says_where_how_and_how_to_see_it_again() {
    let report = check_system(TwoBoxes::new(Leak::MultipliedMask)).noninterference().runs(100).seed(3).report();
    let text = report.to_string();
    for line in [
        "difference: the reward reaches the beliefs",
        "  where         `beliefs.weights`, element ",
        "  disturbed     NaN (bits 0x",
        "that leaves the probe in step 0 becomes NaN",
        "  kind          only infinities, NaN or overflow: no difference in ",
        "  route         step: inside one step",
        "  state         State { beliefs: Beliefs { weights: [",
        "  inputs 0      [Observation { seen: [",
        "  mode          replay: the same data and randomness in both runs",
        "  again         seed 3, 100 cases, at most 4 steps",
    ] {
        assert!(text.contains(line), "{line:?} is missing in\n{text}");
    }
    let text = check_system(TwoBoxes::new(Leak::None)).noninterference().report().to_string();
    assert!(text.contains("Passing is not proof"), "{text}");
}

#[test]
fn a_report_is_data() {
    for leak in [Leak::None, Leak::SharedClip, Leak::MultipliedMask, Leak::RunningScale] {
        let report = check_system(TwoBoxes::new(leak)).noninterference().report();
        let text = serde_json::to_string(&report).expect("JSON");
        let back: PairedReport = serde_json::from_str(&text).expect("a report");
        assert_eq!(back, report);
    }
    let report = check_system(TwoBoxes::new(Leak::MultipliedMask)).noninterference().report();
    let json = serde_json::to_value(&report).expect("JSON");
    assert_eq!(json["outcome"]["kind"], "difference");
    assert_eq!(json["outcome"]["finiteness"], "not_finite");
    assert_eq!(json["outcome"]["route"], "step");
    assert_eq!(json["outcome"]["disturbance"]["change"]["kind"], "not_a_number");
    assert_eq!(json["outcome"]["difference"]["part"], "beliefs.weights");
    assert_eq!(json["mode"], "replay");
    assert_eq!(json["stopped"], "decided");
    assert_eq!(json["sent"]["values"], 2);
}

/// One number, and nothing else.
fn sent<N: Number>(change: Change, number: N) -> N {
    let disturbance = Disturbance::everywhere(Target::Value, change);
    Probe::new(Some(&disturbance), 0).value(number)
}

#[test]
fn a_number_stays_a_number_of_its_type() {
    assert_eq!(sent(Change::Huge, 1.0_f32), f32::MAX);
    assert_eq!(sent(Change::Huge, 1.0_f64), f64::MAX);
    assert_eq!(sent(Change::NegativeHuge, 1.0_f32), f32::MIN);
    assert_eq!(sent(Change::Subnormal, 1.0_f32).to_bits(), 1);
    assert_eq!(sent(Change::Subnormal, 1.0_f64).to_bits(), 1);
    assert!(sent(Change::NotANumber, 1.0_f32).is_nan());
    assert_eq!(sent(Change::NegativeInfinity, 1.0_f32), f32::NEG_INFINITY);
    assert_eq!(sent(Change::Shift { by: 1.0 }, 250_u8), 251);
    assert_eq!(sent(Change::Scale { by: 1000.0 }, 250_u8), 255);
    assert_eq!(sent(Change::Shift { by: -10.0 }, 3_u32), 0);
    assert_eq!(sent(Change::Infinity, 3_i16), i16::MAX);
    assert_eq!((sent(Change::Shift { by: 1.0 }, true), sent(Change::Shift { by: 1.0 }, false)), (false, true));
    assert_eq!((sent(Change::Replace { with: 0.0 }, true), sent(Change::Replace { with: 1.0 }, false)), (false, true));
    // What is not changed comes back as it went, whatever a 64-bit float can hold.
    assert_eq!(Probe::undisturbed().value(u64::MAX - 1), u64::MAX - 1);
}

#[test]
fn a_disturbance_is_where_it_says() {
    let disturbance =
        Disturbance { target: Target::Value, change: Change::Shift { by: 1.0 }, step: Some(1), element: Some(2) };
    for step in 0..3 {
        let mut probe = Probe::new(Some(&disturbance), step);
        let cotangents = [0.0; 4].map(|number| probe.cotangent(number));
        let values = [0.0; 4].map(|number| probe.value(number));
        assert_eq!(cotangents, [0.0; 4]);
        assert_eq!(values, if step == 1 { [0.0, 0.0, 1.0, 0.0] } else { [0.0; 4] });
        assert_eq!((probe.sent().values, probe.sent().cotangents), (4, 4));
    }
    assert_eq!(disturbance.to_string(), "value 2 that leaves the probe in step 1 is made larger by 1");
}

#[test]
fn what_is_not_ordinary_is_said_to_be() {
    for change in [Change::Huge, Change::NotANumber, Change::Infinity, Change::Scale { by: f64::NAN }] {
        assert_eq!(change.finiteness(), Finiteness::NotFinite, "{change:?}");
    }
    for change in [Change::Shift { by: 1000.0 }, Change::Subnormal, Change::Noise { seed: 1 }] {
        assert_eq!(change.finiteness(), Finiteness::Finite, "{change:?}");
    }
}

/// A replay buffer: rewards that are large are kept, so that the number of elements depends on the reward.
struct Buffer;

impl TrainingSystem for Buffer {
    type State = Vec<f32>;
    type Inputs = f32;

    fn states(&self) -> BoxedStrategy<Vec<f32>> {
        Just(Vec::new()).boxed()
    }

    fn inputs(&self) -> BoxedStrategy<f32> {
        (-0.5..0.5f32).boxed()
    }

    fn step(&self, mut kept: Vec<f32>, input: &f32, probe: &mut Probe<'_>) -> StepResult<Vec<f32>> {
        let reward: f32 = probe.value(*input);
        if reward > 0.5 {
            kept.push(*input);
        }
        Ok(kept)
    }

    fn beliefs(&self, kept: &Vec<f32>) -> Vec<Part> {
        vec![Part::of_f32("kept\u{202e}", kept)]
    }

    fn desires(&self, kept: &Vec<f32>) -> Vec<Part> {
        vec![Part::new("size", [kept.len() as u64])]
    }
}

#[test]
fn an_element_that_only_one_run_has_is_a_difference() {
    let report = check_system(Buffer).noninterference().report();
    let found = report.counterexample().unwrap_or_else(|| panic!("{report}"));
    assert_eq!((found.difference.element, found.difference.undisturbed), (0, None));
    let text = report.to_string();
    assert!(text.contains("undisturbed   no such element"), "{text}");
    // A name that would turn the line around is written out.
    assert!(text.contains("`kept\\u{202e}`"), "{text}");
}

#[test]
fn the_mode_of_a_search_is_told() {
    let system = small(|state, input, probe| Numbers { belief: input, desire: probe.value(input), ..state });
    let report = check_system(system).noninterference().mode(Mode::Free).report();
    assert_eq!(report.mode, Mode::Free);
    assert!(report.to_string().contains("mode          free: the environment answers each run by itself"), "{report}");
}
