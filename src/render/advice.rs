//! Where to look first, from the witness paths alone. Verified repairs are another part's work, so nothing here
//! claims that a change is enough.

use crate::verdict::{Hop, InvariantReport, Verdict, WitnessStep};

use super::fold::{self, Phase, Row, is_operation, rank, short_operation};

/// Where an operation is, in words.
fn at(step: &WitnessStep) -> String {
    match (&step.place, &step.scope) {
        (Some(place), _) => place.clone(),
        (None, Some(scope)) => format!("scope {scope}"),
        (None, None) => format!("`{}`", short_operation(&step.op)),
    }
}

/// What to do about the answer to an invariant, most useful first.
pub(super) fn advice(invariant: &InvariantReport) -> Vec<String> {
    match invariant.verdict {
        Verdict::Holds => Vec::new(),
        Verdict::Violated => of_violation(invariant),
        Verdict::Vacuous => {
            let names = "`openloop inspect FILE` lists the scopes, inputs and outputs that a selector can name.";
            let mark = "A scope is in the text only if the step marks it, `with jax.named_scope(\"probe_reward\"):`, and \
                        was lowered with `as_text(debug_info=True)`.";
            let scope = invariant.reasons.iter().any(|reason| reason.contains("scope:"));
            [names].into_iter().chain(scope.then_some(mark)).map(str::to_owned).collect()
        }
        Verdict::Undetermined if !invariant.opaque.is_empty() => vec![
            "If what the operation computes does not need to carry the reward, move it out of the step, or express \
             it with operations that openloop reads."
                .to_owned(),
        ],
        Verdict::Undetermined => Vec::new(),
    }
}

fn of_violation(invariant: &InvariantReport) -> Vec<String> {
    let path = &invariant.witness;
    let mut advice = Vec::new();
    let rows = fold::rows(path);
    let within_step = path.iter().all(|step| !matches!(step.hop, Hop::Carried | Hop::Link | Hop::Environment));
    let explicit = path.iter().all(|step| step.hop != Hop::Implicit);
    if let Some(number) = one_number(invariant) {
        advice.push(number);
    } else if within_step && explicit {
        advice.extend(gradient(&rows));
    } else if within_step {
        advice.extend(one_check(path));
    }
    if advice.is_empty() {
        advice.extend(choice(path));
    }
    for step in path {
        match step.hop {
            Hop::Carried => advice.push(format!(
                "`{}` takes it from one step into the next. Cut the path before it is written, or keep apart what \
                 the next belief update reads.",
                step.op
            )),
            Hop::Environment => advice.push(format!(
                "The world outside takes it back in as `{}`. Every system that learns from its own behaviour has such \
                 an edge: it is denied here because the policy asks for it.",
                step.op
            )),
            _ => {}
        }
    }
    if advice.is_empty() {
        advice.extend(ends(&rows));
    }
    advice
}

/// The last row of the source, and those after it.
fn leaves_source<'r, 'a>(rows: &'r [Row<'a>]) -> Option<(&'r Row<'a>, &'r [Row<'a>])> {
    let first = rows.first()?;
    let own = rows.iter().take_while(|row| row.scope == first.scope).count();
    Some((&rows[own - 1], &rows[own..]))
}

/// A path that ends in a gradient: the place where it gets there is the place to cut.
fn gradient(rows: &[Row<'_>]) -> Option<String> {
    let (last, after) = leaves_source(rows)?;
    let first = rows.first()?;
    if first.phase == Some(Phase::Cotangent) {
        return Some(format!(
            "The reward itself is differentiated: the path starts in its cotangent at {}. If the score is to be read \
             as a number, give the probe `jax.lax.stop_gradient(..)` of what it reads.",
            at(first.first())
        ));
    }
    let enters = after.iter().position(|row| row.phase == Some(Phase::Cotangent))?;
    let (left, loss) = (at(last.steps[last.steps.len() - 1]), &after[enters]);
    let entry = at(loss.first());
    let start = format!("The path leaves the reward at {left} and enters a gradient at {entry}");
    // Inside one loss, then on into another scope: the boundary is where a stop-gradient goes.
    let inside = after[enters..].iter().take_while(|row| row.phase.is_some() && row.scope == loss.scope).count();
    let (border, next) = (&after[enters + inside - 1], after.get(enters + inside));
    Some(match next.filter(|next| next.phase == Some(Phase::Cotangent) && !loss.scope.is_empty()) {
        Some(next) => format!(
            "{start}. {} that gradient goes from `{}` on into `{}`: if this loss is to train the desires alone, cut \
             it there, with `jax.lax.stop_gradient(..)` around what `{}` takes from the beliefs. \
             Check afterwards that the desires still learn: a `[[require]]` in the policy.",
            if at(border.first()) == entry { "There".to_owned() } else { format!("At {}", at(border.first())) },
            loss.scope,
            if next.scope.is_empty() { "its inputs" } else { &next.scope },
            loss.scope
        ),
        None => format!(
            "{start}: cut it there. If that loss is to train the desires alone, put `jax.lax.stop_gradient(..)` around \
             the value that it takes from the beliefs."
        ),
    })
}

/// A norm or a clip: everything passes through one number, and no gradient comes after it.
fn one_number(invariant: &InvariantReport) -> Option<String> {
    let narrow = |path: &[WitnessStep]| -> Option<WitnessStep> {
        let last_cotangent = fold::rows(path)
            .iter()
            .rev()
            .find(|row| row.phase == Some(Phase::Cotangent))
            .and_then(|row| row.steps.last().map(|step| step.value));
        let start = path.iter().rposition(|step| Some(step.value) == last_cotangent).map_or(0, |last| last + 1);
        path[start..]
            .iter()
            .find(|step| {
                let says = |text: &Option<String>| {
                    text.as_ref().is_some_and(|text| {
                        let text = text.to_ascii_lowercase();
                        text.contains("norm") || text.contains("clip")
                    })
                };
                let root = matches!(short_operation(&step.op), "sqrt" | "rsqrt");
                is_operation(step)
                    && rank(step) == Some(0)
                    && !step.r#type.contains("<i1>")
                    && (root || says(&step.function) || says(&step.scope) || says(&step.innermost))
            })
            .cloned()
    };
    let number = narrow(&invariant.witness)?;
    let everywhere = invariant.witnesses.len() > 1
        && invariant
            .witnesses
            .iter()
            .all(|witness| witness.path.iter().any(|step| step.value == number.value && step.graph == number.graph));
    let scope = if everywhere { "Every path passes" } else { "The path passes" };
    Some(format!(
        "{scope} through one number, the result of `{}` at {}, which looks like a norm or a clip that beliefs and \
         desires share. Clip each group of parameters by itself.",
        short_operation(&number.op),
        at(&number)
    ))
}

/// One truth value that decides about an update.
fn one_check(path: &[WitnessStep]) -> Option<String> {
    path.windows(2).find_map(|pair| {
        let decides = pair[1].hop == Hop::Implicit && matches!(short_operation(&pair[1].op), "select" | "if" | "case");
        (decides && rank(&pair[0]) == Some(0) && pair[0].r#type.contains("<i1>")).then(|| {
            format!(
                "One truth value, the result of `{}` at {}, decides what `{}` at {} gives. Let each group of \
                 parameters have a check of its own.",
                short_operation(&pair[0].op),
                at(&pair[0]),
                short_operation(&pair[1].op),
                at(&pair[1])
            )
        })
    })
}

/// The first place at which it decides something instead of flowing into it.
fn choice(path: &[WitnessStep]) -> Option<String> {
    let step = path.iter().find(|step| step.hop == Hop::Implicit)?;
    Some(format!(
        "At {} the reward {}. Let values that do not know the reward decide that.",
        at(step),
        fold::decides(short_operation(&step.op))
    ))
}

/// Nothing better is known: both ends of the path.
fn ends(rows: &[Row<'_>]) -> Option<String> {
    let (last, after) = leaves_source(rows)?;
    let left = at(last.steps[last.steps.len() - 1]);
    let enters = after.iter().rev().find(|row| is_operation(row.first()));
    Some(match enters {
        Some(row) => format!(
            "The path leaves the reward at {left} and enters the update at {}: cut it between the two.",
            at(row.first())
        ),
        None => format!("The path goes from {left} straight into the sink: cut it there."),
    })
}
