//! Reports that say how much gets through and where to cut; like [`super::fakes`], nobody computed them.

use openloop::verdict::*;

use super::fakes::{invariant, path, run, shared_clip};

fn bits(at_most: u64, exact: bool) -> Option<Bits> {
    Some(Bits { at_most, exact })
}

fn value(op: &str, line: u32, r#type: &str, bits: u64) -> CutValue {
    CutValue {
        op: format!("stablehlo.{op}"),
        place: (line > 0).then(|| format!("train/step.py:{line}")),
        scope: None,
        r#type: r#type.into(),
        line: 200 + line,
        bits,
        at: CutElement {
            graph: 0,
            instance: vec![(12, None), (40, Some(3))],
            value: 7,
            boxes: vec![vec![vec![(0, 8)]]],
        },
    }
}

fn action(kind: RepairKind, line: u32, function: &str, advice: &str) -> RepairAction {
    RepairAction {
        kind,
        advice: advice.into(),
        place: (line > 0).then(|| format!("train/step.py:{line}")),
        function: (!function.is_empty()).then(|| function.into()),
        op: "stablehlo.multiply".into(),
        line: 300,
    }
}

fn found(actions: Vec<RepairAction>, exact: bool) -> Option<Repair> {
    let lower_bound = if exact { actions.len() as u64 } else { 2 };
    Some(Repair { outcome: RepairOutcome::Found, actions, exact, lower_bound, verified: exact })
}

fn none(outcome: RepairOutcome, exact: bool) -> Option<Repair> {
    Some(Repair { outcome, actions: Vec::new(), exact, lower_bound: 3, verified: false })
}

const NORM: &str = "one factor from a norm that the gradients of the sink are in multiplies the whole update";

/// A shared clip, recognised: every group gets the same one number.
pub fn clip() -> RunReport {
    let mut report = shared_clip();
    for entry in &mut report.invariants {
        entry.channel = Channel::Scale;
        entry.bits_per_step = bits(32, true);
        entry.refined = true;
        for witness in &mut entry.witnesses {
            witness.channel = Channel::Scale;
            witness.channel_reason = NORM.into();
            witness.bits_per_step = bits(32, true);
            witness.cut = vec![value("sqrt", 53, "tensor<f32>", 32)];
            witness.rule = "OL110".into();
        }
        entry.witness.clone_from(&entry.witnesses[0].path);
        let advice = "Clip each group of parameters by its own norm: `optax.multi_transform`, with one \
                      `optax.clip_by_global_norm` for each.";
        entry.repair = found(vec![action(RepairKind::SplitClip, 53, "train_step", advice)], true);
    }
    report
}

/// The groups get different amounts, beyond what the policy allows, and only if something is not finite.
pub fn beyond() -> RunReport {
    let mut report = clip();
    report.invariants.truncate(1);
    let entry = &mut report.invariants[0];
    entry.bounds = Bounds { max_channel: Some(Channel::Timing), max_bits_per_step: Some(1) };
    entry.channel = Channel::Content;
    entry.bits_per_step = bits(12_320, false);
    entry.refined = false;
    entry.only_if_not_finite = true;
    let moment = &mut entry.witnesses[1];
    moment.channel = Channel::Content;
    moment.channel_reason =
        "a product with a mask is no barrier: 0 times infinity is no number, and it takes the place \
                             of the gradient"
            .into();
    moment.bits_per_step = bits(12_288, false);
    moment.rule = "OL123".into();
    moment.route = Route::Carried;
    moment.cut = vec![value("multiply", 35, "tensor<8x12xf32>", 3_072)];
    moment.cut.extend((0..8).map(|number| value("select", 55, "tensor<8x12xf32>", 1_152 - number)));
    entry.witnesses[2].bits_per_step = None;
    entry.witnesses[2].rule = String::new();
    entry.witnesses[2].cut = vec![CutValue { op: "batch.mask".into(), line: 0, ..value("", 0, "tensor<8x12xi1>", 96) }];
    let mut actions = vec![
        action(RepairKind::StopGradient, 33, "td_loss", "Put `jax.lax.stop_gradient(..)` around `h`."),
        action(RepairKind::MaskByWhere, 35, "td_loss", "Write `jnp.where(mask, delta**2, 0)`."),
        action(RepairKind::DoNotUse, 0, "", "Leave it out of the update of the beliefs."),
    ];
    for kind in [RepairKind::SplitOptimizer, RepairKind::SplitCheck, RepairKind::SplitKey, RepairKind::SplitState] {
        actions.push(action(kind, 55, "train_step", "One for each group of parameters."));
    }
    actions.extend((0..3).map(|_| action(RepairKind::SplitState, 58, "train_step", "One for each group.")));
    entry.repair = found(actions, false);
    report
}

/// Bounds that are kept; one of them since nothing gets through at all.
pub fn within() -> RunReport {
    let bounded = |within| InvariantReport {
        sinks_reached: 24,
        bounds: Bounds { max_channel: Some(Channel::Scale), max_bits_per_step: Some(32) },
        channel: Channel::Scale,
        bits_per_step: bits(32, true),
        refined: true,
        witnesses: clip().invariants[0].witnesses[..1].to_vec(),
        assumptions: vec!["finite at train/step.py:35 (`multiply` by a mask)".into()],
        ..invariant("probe-only-scales", within, Verdict::Holds)
    };
    let nothing = InvariantReport {
        bounds: Bounds { max_channel: None, max_bits_per_step: Some(1) },
        ..invariant("probe-passes-one-bit", Within::Run, Verdict::Holds)
    };
    let open = InvariantReport {
        bounds: Bounds { max_channel: Some(Channel::Selection), max_bits_per_step: None },
        reasons: vec!["the bound that was found is 4,096 bits, and the least may be smaller".into()],
        channel: Channel::Content,
        ..invariant("probe-only-selects", Within::Run, Verdict::Undetermined)
    };
    run(vec![bounded(Within::Step), bounded(Within::Run), nothing, open])
}

/// No repair: proved, not proved, and not found; the run needs another one than the step.
pub fn hopeless() -> RunReport {
    let mut report = clip();
    let mut entries = Vec::new();
    for (name, repair) in [
        ("one-set", none(RepairOutcome::Impossible, true)),
        ("one-set-perhaps", none(RepairOutcome::Impossible, false)),
        ("too-large", none(RepairOutcome::NotFound, false)),
    ] {
        for entry in &report.invariants {
            let mut entry = InvariantReport { name: name.into(), repair: repair.clone(), ..entry.clone() };
            entry.from = vec![format!("scope:{name}")];
            entry.witnesses.truncate(1);
            entry.bits_per_step = None;
            entries.push(entry);
        }
    }
    let run_needs_more = vec![
        action(RepairKind::SplitState, 58, "train_step", "Carry one priority for each group."),
        action(RepairKind::SplitClip, 53, "train_step", "Clip each group by its own norm."),
    ];
    entries[5].repair = found(run_needs_more, true);
    entries[5].witnesses[0].group = path("result.0.beliefs");
    report.invariants = entries;
    report
}
