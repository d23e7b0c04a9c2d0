//! The least fixpoint, fast.

use super::code::{CallSite, State};
use super::*;
use crate::graph::FunctionId;
use crate::transfer::mutant::{Slip, slips};

/// One byte for each value of a graph.
struct Bytes<'a> {
    values: &'a mut [u8],
    world: bool,
    /// The labelled operands of a call, packed 64 to a word: at all, and clearly.
    labelled: Vec<u64>,
    clearly: Vec<u64>,
}

impl State for Bytes<'_> {
    #[inline]
    fn join(&mut self, from: u32, to: u32, strength: Strength) -> bool {
        let mask = match strength {
            Strength::Clear => FULL,
            Strength::Opaque => ANY,
        };
        let new = self.values[from as usize] & mask;
        let old = self.values[to as usize];
        self.values[to as usize] = old | new;
        old | new != old
    }

    fn call(&mut self, flow: &FlowGraph<'_>, site: CallSite) {
        let graph = flow.graph();
        let operands = graph.operands(site.operation);
        let results = graph.results(site.operation);
        let yields = graph.yields(graph.function(site.callee).body);
        let summary = &flow.bodies[site.callee.index()].summary;
        // What sources in the callee make of the results.
        for (result, yielded) in results.iter().zip(yields).filter(|_| !slips(Slip::CalleeSourcesForgotten)) {
            self.values[result.index()] |= self.values[yielded.index()];
        }
        // And what comes through its parameters.
        for words in [&mut self.labelled, &mut self.clearly] {
            words.clear();
            words.resize(operands.len().div_ceil(64), 0);
        }
        let mut all = 0;
        for (position, operand) in operands.iter().enumerate() {
            let label = self.values[operand.index()];
            all |= label;
            self.labelled[position / 64] |= u64::from(label & ANY != 0) << (position % 64);
            self.clearly[position / 64] |= u64::from(label & CLEAR != 0) << (position % 64);
        }
        if all == 0 {
            return;
        }
        for (position, result) in results.iter().enumerate() {
            let label = &mut self.values[result.index()];
            if *label & ANY == 0 && summary.any.row_meets(position, &self.labelled) {
                *label |= ANY;
            }
            if *label & CLEAR == 0 && summary.clear.row_meets(position, &self.clearly) {
                *label |= FULL;
            }
        }
        self.world |= summary.any.row_meets(yields.len(), &self.labelled);
    }
}

/// What must run again.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Dirty {
    No,
    Entry,
    All,
}

/// Which values the source reaches, over the edges that count.
pub fn propagate(system: &System<'_>, sources: &Sources, counted: Crossings) -> Labels {
    let mut values: Vec<Vec<u8>> = system.graphs.iter().map(|flow| vec![0; flow.graph().values().len()]).collect();
    let mut world = false;
    for (position, flow) in system.graphs.iter().enumerate() {
        let sources = sources.closed(position, flow);
        for operation in sources.operations.ones().map(OperationId::new) {
            if operation.index() >= flow.graph().operations().len() || !flow.is_reachable(operation) {
                continue;
            }
            for result in flow.graph().results(operation).iter() {
                values[position][result.index()] = FULL;
            }
            world |= flow.transfer().has_effects(operation);
        }
        for input in sources.inputs.iter().filter_map(|input| flow.inputs().get(*input)) {
            values[position][input.index()] = FULL;
        }
    }
    let mut dirty = vec![Dirty::All; system.graphs.len()];
    let mut world_was = false;
    loop {
        if world && !world_was && !slips(Slip::WorldForgets) {
            world_was = true;
            for (flow, values) in system.graphs.iter().zip(&mut values) {
                let made = flow.bodies.iter().filter(|body| body.reachable).flat_map(|body| &body.out_of_world);
                made.for_each(|value| values[*value as usize] |= ANY);
            }
            dirty.fill(Dirty::All);
        }
        if dirty.iter().all(|dirty| *dirty == Dirty::No) {
            break;
        }
        for ((flow, values), dirty) in system.graphs.iter().zip(&mut values).zip(&mut dirty) {
            world |= run(flow, values, *dirty);
            *dirty = Dirty::No;
        }
        for (from, to, possible) in system.crossings(counted).filter(|_| !slips(Slip::NothingIsCarried)) {
            let (Some(output), Some(input)) = (system.output_value(from), system.input_value(to)) else { continue };
            let new =
                values[from.graph][output.index()] & if possible && !slips(Slip::PossibleIsSure) { ANY } else { FULL };
            let old = values[to.graph][input.index()];
            if old | new != old {
                values[to.graph][input.index()] = old | new;
                dirty[to.graph] = dirty[to.graph].max(Dirty::Entry);
            }
        }
    }
    labels(system, values, world)
}

pub(super) fn labels(system: &System<'_>, values: Vec<Vec<u8>>, world: bool) -> Labels {
    let of = |graph: usize, ids: &mut dyn Iterator<Item = ValueId>| ids.map(|id| values[graph][id.index()]).collect();
    let graphs = || system.graphs.iter().enumerate();
    let inputs = graphs().map(|(graph, flow)| of(graph, &mut flow.inputs().iter())).collect();
    let outputs = graphs().map(|(graph, flow)| of(graph, &mut flow.outputs().iter().copied())).collect();
    Labels { values, inputs, outputs, world }
}

/// Runs what is dirty in one graph; says whether the world sees a label.
fn run(flow: &FlowGraph<'_>, values: &mut [u8], dirty: Dirty) -> bool {
    let graph = flow.graph();
    let mut state = Bytes { values, world: false, labelled: Vec::new(), clearly: Vec::new() };
    let all = graph.callees_first().iter().copied();
    let run: Vec<FunctionId> = match dirty {
        Dirty::No => return false,
        Dirty::Entry => vec![graph.entry()],
        Dirty::All => all.filter(|function| flow.bodies[function.index()].reachable).collect(),
    };
    for function in run {
        flow.run(function, &mut state);
        let mut seen = flow.bodies[function.index()].into_world.iter();
        state.world |= seen.any(|value| state.values[*value as usize] != 0);
    }
    state.world
}
