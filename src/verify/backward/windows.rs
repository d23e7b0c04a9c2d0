//! Operations with windows.

use super::conditions::Along;
use super::elements::Elements;
use super::rules::{Needed, Question, closure};
use super::{bodies, constants};
use crate::graph::Attribute;

/// A pair of paddings for each dimension; none if it is not understood.
fn paddings(question: &Question<'_, '_, '_, '_>, rank: usize) -> Option<Vec<(i64, i64)>> {
    let Some(attribute) = question.attribute("padding") else { return Some(vec![(0, 0); rank]) };
    let Attribute::Dense(dense) = attribute else { return None };
    let shape = constants::Shape { extents: Some([rank as u64, 2].into()), class: constants::Class::Signed(64) };
    let known = constants::Known::constant(dense, &shape)?;
    let at = |row: usize, column: u64| known.get(&[row as u64, column]).map(|bits| bits as i64);
    (0..rank).map(|row| Some((at(row, 0)?, at(row, 1)?))).collect()
}

pub(super) fn reduce_window(question: &Question<'_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let count = question.node.results.len();
    let body = bodies::look_at(question.trace.graph(question.node), question.node.operation);
    let takes = closure(&body.takes, question.position, count)?;
    let window = question.integers("window_dimensions")?;
    let rank = window.len();
    let list = |name: &str| match question.attribute(name) {
        None => Some(vec![1; rank]),
        Some(attribute) => attribute.as_integers().map(<[i64]>::to_vec).filter(|list| list.len() == rank),
    };
    let (strides, base, spread) = (list("window_strides")?, list("base_dilations")?, list("window_dilations")?);
    let padding = paddings(question, rank)?;
    let positive = |list: &[i64]| list.iter().all(|value| (1..1 << 40).contains(value));
    if ![window, &strides, &base, &spread].into_iter().all(positive) {
        return None;
    }
    for operand in (0..count).filter(|at| takes[*at]) {
        let own = question.extents(operand)?;
        if own.len() != rank || question.result_extents()?.len() != rank {
            return None;
        }
        let elements = question.demand.elements.map(|block| {
            let side = |dimension: usize| {
                let (first, end) = block[dimension];
                let wide = |value: i64| i128::from(value);
                let low = i128::from(first) * wide(strides[dimension]) - wide(padding[dimension].0);
                let reach = (wide(window[dimension]) - 1) * wide(spread[dimension]);
                let high = (i128::from(end) - 1) * wide(strides[dimension]) - wide(padding[dimension].0) + reach;
                let inside = |at: i128| at.clamp(0, i128::from(own[dimension])) as u64;
                let step = wide(base[dimension]);
                (inside((low + step - 1).div_euclid(step)), inside(high.div_euclid(step) + 1))
            };
            Some((0..rank).map(side).collect())
        });
        let along: Vec<_> = (0..rank)
            .map(|at| {
                let alone = window[at] == 1 && strides[at] == 1 && base[at] == 1 && padding[at].0 == 0;
                Along::same(at).filter(|_| alone)
            })
            .collect();
        needed.add(operand, elements, question.demand.condition.map(|position| position.substitute(&along, own)));
        needed.add(count + operand, Elements::whole(&[]), question.demand.condition.dimensionless());
    }
    Some(())
}

/// Examples and output features are told apart; all that a window may see is demanded.
pub(super) fn convolution(question: &Question<'_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let Attribute::Other(text) = question.attribute("dimension_numbers")? else { return None };
    let (inputs, output) = text.split_once("->")?;
    let (left, right) = inputs.split_once('x')?;
    let place =
        |list: &str, name: &str| list.trim_matches(['[', ']', ' ']).split(',').position(|word| word.trim() == name);
    let single = |name: &str| question.attribute(name).is_none_or(|groups| groups.as_integer() == Some(1));
    let is_plain = single("feature_group_count") && single("batch_group_count");
    let result = question.result_extents()?;
    let sides = [(0, place(left, "b")?, place(output, "b")?), (1, place(right, "o")?, place(output, "f")?)];
    for (operand, own_place, out_place) in sides {
        let own = question.extents(operand)?;
        let fits = own.get(own_place)? == result.get(out_place)?;
        if !is_plain || !fits {
            return None;
        }
        let elements = question.demand.elements.map(|block| {
            let mut wide: Vec<(u64, u64)> = own.iter().map(|extent| (0, *extent)).collect();
            wide[own_place] = block[out_place];
            Some(wide)
        });
        let mut along = vec![None; result.len()];
        along[out_place] = Along::same(own_place);
        needed.add(operand, elements, question.demand.condition.map(|position| position.substitute(&along, own)));
    }
    Some(())
}
