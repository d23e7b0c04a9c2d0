//! What one operation makes of values that depend on pivots.

use super::super::backward::bodies::look_at;
use super::super::backward::movement::{is_elementwise, is_identity};
use super::super::backward::trace::{Instance, Node};
use super::form::{Amounts, End, Form, Pivots, What};
use super::forms::Forms;
use crate::graph::OperationKind as Kind;

impl Forms<'_, '_, '_> {
    pub(super) fn operation(&self, node: &Node, value: Instance) -> Option<Form> {
        let operands: Vec<Form> = node.operands.iter().map(|operand| self.get(*operand)).collect::<Option<_>>()?;
        let is_reached = |at: usize| node.operands.get(at).is_some_and(|operand| self.is_between[*operand as usize]);
        let reached = || (0..operands.len()).filter(|at| is_reached(*at));
        let mut pivots = Pivots::new();
        operands.iter().for_each(|operand| pivots.extend(&operand.pivots));
        let kind = self.trace.kind(node);
        let facts = &self.trace.claim.graphs[node.graph];
        if node.world || !facts.is_transparent(node.operation) {
            let why = format!("it goes through {}, which nobody looks into", self.at(node));
            return Some(Form::content(pivots, why));
        }
        if is_identity(kind) {
            return operands.into_iter().nth((value - node.results.start) as usize);
        }
        if kind == Kind::Select && is_reached(0) && !self.is_filled(node, &operands) {
            return self.chosen(node, value, Some(Some(operands[0].clone())), &operands[1..]);
        }
        let spreads = matches!(kind, Kind::BroadcastInDim | Kind::Broadcast | Kind::Reshape) || is_elementwise(kind);
        let is_uniform = |at: usize| match is_reached(at) {
            true => operands[at].uniform,
            false => self.is_plainly_uniform(node.operands[at]),
        };
        let uniform = match self.is_scalar(value) {
            true => reached().all(|at| operands[at].uniform),
            false => spreads && (0..operands.len()).all(is_uniform),
        };
        let index = self.is_discrete(value) && reached().all(|at| operands[at].index);
        let mut form = Form { uniform, index, ..Form::content(pivots, String::new()) };
        if reached().all(|at| operands[at].power.is_some()) {
            form.power = self.power(node, kind, &operands).filter(|_| !self.is_discrete(value));
            if let Some((_, 0)) = form.power {
                // The carried number cancels, but for rounding.
                form.power = None;
                form.ends = Ok(vec![End::made(value, Amounts { scale: true, ..Amounts::default() })]);
                return Some(form);
            }
        }
        form.multiple_of = self.multiple(node, kind, &operands);
        if form.multiple_of.is_some() {
            form.ends = Ok(vec![End::made(value, Amounts { scale: true, ..Amounts::default() })]);
        } else if self.picks(node, kind, &operands) || kind == Kind::Select && is_reached(0) {
            form.ends = Ok(vec![End::made(value, Amounts { selection: true, ..Amounts::default() })]);
        } else {
            form.ends = combined(kind, &operands, value, &mut form.chosen_by);
            if !uniform && !index {
                form.ends = form.ends.map_err(|why| self.reason(node, why));
            }
        }
        Some(form)
    }

    fn is_plainly_uniform(&self, value: Instance) -> bool {
        let facts = &self.trace.values[value as usize];
        let maker = &self.trace.nodes[facts.maker as usize];
        let is_spread = || {
            let kind = self.trace.kind(maker);
            matches!(kind, Kind::BroadcastInDim | Kind::Broadcast)
                && maker.operands.first().is_some_and(|operand| self.is_scalar(*operand))
        };
        self.is_scalar(value) || self.is_one_number(value) || is_spread()
    }

    /// The tensor that the result is a multiple of: by the factor that it meets here, or by one that it met before.
    fn multiple(&self, node: &Node, kind: Kind, operands: &[Form]) -> Option<u32> {
        let is_reached = |at: usize| self.is_between[node.operands[at] as usize];
        let [tensor, factor] = match kind {
            Kind::Multiply if operands[1].multiple_of.is_some() || !is_reached(1) && operands[0].uniform => [1, 0],
            Kind::Multiply | Kind::Divide => [0, 1],
            _ => return None,
        };
        let (x, f) = (&operands[tensor], &operands[factor]);
        if !self.never_negative[node.operands[factor] as usize] {
            return None;
        }
        if !is_reached(factor) {
            return x.multiple_of.filter(|_| self.is_plainly_uniform(node.operands[factor]));
        }
        let number = self.trace.values[node.operands[tensor] as usize].number;
        let meets = !is_reached(tensor) && f.uniform && self.norms.includes(node.operands[factor], number);
        meets.then_some(number)
    }

    /// How a result grows with a carried number, if each operand that depends on it grows with a power of it.
    fn power(&self, node: &Node, kind: Kind, operands: &[Form]) -> Option<(u32, i64)> {
        let (number, _) = operands.iter().find_map(|operand| operand.power)?;
        if operands.iter().any(|operand| operand.power.is_some_and(|(other, _)| other != number)) {
            return None;
        }
        let of = |at: usize| operands.get(at).map_or(0, |operand| operand.power.map_or(0, |(_, power)| power));
        let is_zero = |at: usize| operands[at].single().is_some_and(|end| end.what == What::Zero);
        // Terms of a sum: all grow alike, or are 0.
        let alike = |terms: &[usize]| {
            let first = terms.iter().copied().find(|at| !is_zero(*at))?;
            terms.iter().all(|at| is_zero(*at) || of(*at) == of(first)).then(|| of(first))
        };
        let plain = |from: usize| (from..operands.len()).all(|at| operands[at].power.is_none());
        let adds = || look_at(self.trace.graph(node), node.operation).simple == Some(Kind::Add);
        let all: Vec<usize> = (0..operands.len()).collect();
        let power = match kind {
            Kind::Multiply | Kind::Dot | Kind::DotGeneral | Kind::Convolution => of(0).checked_add(of(1))?,
            Kind::Divide => of(0).checked_sub(of(1))?,
            Kind::Square => of(0).checked_mul(2)?,
            Kind::Negate | Kind::Convert | Kind::ReducePrecision => of(0),
            Kind::Reshape | Kind::Transpose | Kind::Slice | Kind::Reverse => of(0),
            Kind::Broadcast | Kind::BroadcastInDim => of(0),
            Kind::Gather | Kind::DynamicSlice if plain(1) => of(0),
            Kind::Add | Kind::Subtract | Kind::Concatenate | Kind::Pad => alike(&all)?,
            Kind::Select if operands[0].power.is_none() => alike(&[1, 2])?,
            Kind::DynamicUpdateSlice if plain(2) => alike(&[0, 1])?,
            Kind::Reduce | Kind::ReduceWindow if operands.len() == 2 && adds() => alike(&all)?,
            Kind::Scatter if operands.len() == 3 && operands[1].power.is_none() && adds() => alike(&[0, 2])?,
            _ => return None,
        };
        Some((number, power))
    }
}

/// An operation on what may be several things: the same operation on each.
fn combined(kind: Kind, operands: &[Form], value: Instance, chosen_by: &mut Pivots) -> Result<Vec<End>, String> {
    let mut shared = Amounts::default();
    let mut several: Option<(usize, &[End])> = None;
    for (at, operand) in operands.iter().enumerate() {
        let ends = operand.ends.as_ref().map_err(String::clone)?;
        chosen_by.extend(&operand.chosen_by);
        match &ends[..] {
            [end] => shared.add(&end.by),
            _ if several.is_some() => return Err("what tests chose is brought together".into()),
            ends => several = Some((at, ends)),
        }
    }
    let mut all = shared.clone();
    several.iter().flat_map(|(_, ends)| *ends).for_each(|end| all.add(&end.by));
    if all.scale && !is_of_optimizers(kind) {
        return Err("what is scaled goes through an operation that optimizers do not have".into());
    }
    let Some((at, ends)) = several else { return Ok(vec![End::made(value, shared)]) };
    let mut made = 0;
    let mut result = Vec::new();
    for end in ends {
        let mut by = end.by.clone();
        by.add(&shared);
        let what = match (end.what, kind) {
            (What::Zero, kind) if keeps_zero(kind) => What::Zero,
            (What::Zero, Kind::Add) => operands[1 - at].single().map_or(What::Made(value, 0), |end| end.what),
            (What::Zero, Kind::Subtract) if at == 1 => {
                operands[0].single().map_or(What::Made(value, 0), |end| end.what)
            }
            _ => {
                made += 1;
                What::Made(value, made)
            }
        };
        result.push(End { what, by });
    }
    result.sort_by_key(|end| end.what);
    Ok(result)
}

/// Whether the result is 0 where the operand is. A product is not, if the other is infinite.
fn keeps_zero(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Negate
            | Kind::Convert
            | Kind::Reshape
            | Kind::Transpose
            | Kind::Slice
            | Kind::Reverse
            | Kind::Broadcast
            | Kind::BroadcastInDim
    )
}

/// Operations of optimizers: one element at a time, and moving elements about.
fn is_of_optimizers(kind: Kind) -> bool {
    matches!(
        kind,
        Kind::Add
            | Kind::Subtract
            | Kind::Multiply
            | Kind::Divide
            | Kind::Negate
            | Kind::Abs
            | Kind::Sign
            | Kind::Square
            | Kind::Sqrt
            | Kind::Rsqrt
            | Kind::Cbrt
            | Kind::Power
            | Kind::Maximum
            | Kind::Minimum
            | Kind::Clamp
            | Kind::Select
            | Kind::Convert
            | Kind::ReducePrecision
            | Kind::Reshape
            | Kind::Transpose
            | Kind::Slice
            | Kind::Reverse
            | Kind::Concatenate
            | Kind::Pad
    )
}
