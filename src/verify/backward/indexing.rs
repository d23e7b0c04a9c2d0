//! Operations that choose where to read or write. A constant index is followed; any other may be anywhere.

use super::bodies;
use super::conditions::Along;
use super::constants::{Known, indices};
use super::elements::{Block, Elements, intersection};
use super::movement::dimensions;
use super::rules::{Needed, Question, closure};
use crate::graph::{Attribute, Dictionary};

/// So many constant indices are looked at one by one.
const MOST_INDICES: usize = 1024;

type Asked<'s, 'q, 't, 'c, 'a> = &'s Question<'q, 't, 'c, 'a>;

/// The start of a window along each dimension, if it is constant or the window leaves no choice.
fn starts(question: Asked<'_, '_, '_, '_, '_>, first: usize, own: &[u64], sizes: &[u64]) -> Option<Vec<Option<u64>>> {
    if own.len() != sizes.len() || question.node.operands.len() != first + own.len() {
        return None;
    }
    let start = |dimension: usize| {
        let most = own[dimension].checked_sub(sizes[dimension])?;
        if most == 0 {
            return Some(0);
        }
        question.index(first + dimension).map(|start| start.clamp(0, i128::from(most)) as u64)
    };
    Some((0..own.len()).map(start).collect())
}

/// The starts themselves matter, where they choose.
fn demand_starts(question: Asked<'_, '_, '_, '_, '_>, first: usize, own: &[u64], sizes: &[u64], needed: &mut Needed) {
    for dimension in 0..own.len() {
        if own[dimension] != sizes[dimension] {
            needed.add(first + dimension, Elements::whole(&[]), question.demand.condition.dimensionless());
        }
    }
}

pub(super) fn dynamic_slice(question: Asked<'_, '_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let (own, to) = (question.extents(0)?, question.result_extents()?);
    let starts = starts(question, 1, own, to)?;
    let elements = question.demand.elements.map(|block| {
        let sides = block.iter().zip(&starts).zip(own);
        Some(
            sides
                .map(|((side, start), extent)| match start {
                    Some(start) => (side.0 + start, side.1 + start),
                    None => (0, *extent),
                })
                .collect(),
        )
    });
    let places: Vec<_> = starts
        .iter()
        .enumerate()
        .map(|(dimension, start)| Some((dimension, i64::try_from((*start)?).ok()?.checked_neg()?)))
        .collect();
    needed.add(0, elements, question.shifted(&places, own));
    demand_starts(question, 1, own, to, needed);
    Some(())
}

pub(super) fn dynamic_update_slice(question: Asked<'_, '_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let (own, update) = (question.extents(0)?, question.extents(1)?);
    let starts = starts(question, 2, own, update)?;
    let elements = &question.demand.elements;
    let window: Option<Block> =
        starts.iter().zip(update).map(|(start, extent)| Some(((*start)?, (*start)? + extent))).collect();
    let left = match &window {
        Some(window) => elements.without(window),
        None => elements.clone(),
    };
    needed.add(0, left, question.demand.condition.clone());
    let written = elements.map(|block| {
        let sides = block.iter().zip(&starts).zip(update);
        Some(
            sides
                .map(|((side, start), extent)| match start {
                    Some(start) => (side.0.max(*start) - start, side.1.min(start + extent).saturating_sub(*start)),
                    None => (0, *extent),
                })
                .collect(),
        )
    });
    let places: Vec<_> =
        starts.iter().enumerate().map(|(dimension, start)| Some((dimension, i64::try_from((*start)?).ok()?))).collect();
    needed.add(1, written, question.shifted(&places, update));
    demand_starts(question, 2, own, update, needed);
    Some(())
}

/// How a tensor of windows lies beside the tensor that they are windows of.
struct Windows {
    /// For each dimension of the large tensor: the one of the windows that runs along it.
    along: Vec<Option<usize>>,
    /// For each dimension of the large tensor: the one of the windows that is a batch dimension of both.
    batched: Vec<Option<usize>>,
    /// For each dimension of the large tensor: the component of an index that moves the window.
    component: Vec<Option<usize>>,
    /// Extent of a window along each dimension of the large tensor.
    sizes: Vec<u64>,
    /// For each dimension of the windows that is no window dimension: the one of the indices.
    of_indices: Vec<(usize, usize)>,
    vector: usize,
}

struct Names {
    window: &'static str,
    inserted: &'static str,
    batched: &'static str,
    indices_batched: &'static str,
    map: &'static str,
}

impl Windows {
    fn new(
        numbers: &Dictionary,
        names: &Names,
        own: &[u64],
        index_rank: usize,
        windows: &[u64],
        size: impl Fn(usize, Option<usize>) -> Option<u64>,
    ) -> Option<Windows> {
        let list = |name: &str| dimensions(Attribute::find(numbers, name));
        let window = list(names.window)?;
        let inserted = list(names.inserted)?;
        let batched = list(names.batched)?;
        let indices_batched = list(names.indices_batched)?;
        let map = list(names.map)?;
        let vector = match Attribute::find(numbers, "index_vector_dim") {
            Some(vector) => usize::try_from(vector.as_integer()?).ok()?,
            None => 0,
        };
        let others = (0..windows.len()).filter(|at| !window.contains(at));
        let of_indices: Vec<(usize, usize)> = others.zip((0..index_rank).filter(|at| *at != vector)).collect();
        let lone = index_rank - usize::from(vector < index_rank);
        let plain: Vec<usize> = (0..own.len()).filter(|at| !inserted.contains(at) && !batched.contains(at)).collect();
        if plain.len() != window.len()
            || batched.len() != indices_batched.len()
            || of_indices.len() != lone
            || lone + window.len() != windows.len()
            || vector > index_rank
        {
            return None;
        }
        let mut result = Windows {
            along: vec![None; own.len()],
            batched: vec![None; own.len()],
            component: vec![None; own.len()],
            sizes: vec![1; own.len()],
            of_indices,
            vector,
        };
        for (dimension, place) in plain.iter().zip(&window) {
            result.along[*dimension] = Some(*place);
        }
        for (dimension, place) in batched.iter().zip(&indices_batched) {
            let (own, _) = result.of_indices.iter().find(|(_, index)| index == place)?;
            *result.batched.get_mut(*dimension)? = Some(*own);
        }
        for (component, dimension) in map.iter().enumerate() {
            *result.component.get_mut(*dimension)? = Some(component);
        }
        for dimension in 0..own.len() {
            result.sizes[dimension] = size(dimension, result.along[dimension])?;
        }
        Some(result)
    }

    /// Whether the window cannot move along a dimension of the large tensor.
    fn is_fixed(&self, dimension: usize) -> bool {
        self.component[dimension].is_none() && self.batched[dimension].is_none()
    }

    /// For each dimension of the large tensor, that of the windows which has the same index.
    fn same(&self, is_fixed: impl Fn(usize) -> bool) -> Vec<Option<usize>> {
        (0..self.along.len())
            .map(
                |at| {
                    if self.batched[at].is_some() { self.batched[at] } else { self.along[at].filter(|_| is_fixed(at)) }
                },
            )
            .collect()
    }

    /// The index vector for an element of the windows, one start for each dimension of the large tensor.
    fn starts(&self, known: &Known, rank: usize, class: super::constants::Class, at: &[u64]) -> Option<Vec<i128>> {
        let mut index = vec![0; rank];
        for (own, place) in &self.of_indices {
            index[*place] = at[*own];
        }
        (0..self.along.len())
            .map(|dimension| {
                if let Some(batch) = self.batched[dimension] {
                    return Some(i128::from(at[batch]));
                }
                let Some(component) = self.component[dimension] else { return Some(0) };
                if self.vector < rank {
                    index[self.vector] = component as u64;
                }
                class.integer(known.get(&index)?)
            })
            .collect()
    }
}

/// The indices that elements of the windows go by.
fn demand_indices(
    question: Asked<'_, '_, '_, '_, '_>,
    operand: usize,
    elements: &Elements,
    same: &[(usize, usize)],
    needed: &mut Needed,
) -> Option<()> {
    let own = question.extents(operand)?;
    let wide = elements.map(|block| {
        let mut wide: Block = own.iter().map(|extent| (0, *extent)).collect();
        same.iter().for_each(|(from, to)| wide[*to] = block[*from]);
        Some(wide)
    });
    let mut along = vec![None; question.result_extents()?.len()];
    for (from, to) in same {
        *along.get_mut(*from)? = Along::same(*to);
    }
    needed.add(operand, wide, question.demand.condition.map(|position| position.substitute(&along, own)));
    Some(())
}

pub(super) fn gather(question: Asked<'_, '_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let Attribute::Dictionary(numbers) = question.attribute("dimension_numbers")? else { return None };
    let (own, index, to) = (question.extents(0)?, question.extents(1)?, question.result_extents()?);
    let sizes = dimensions(Some(question.attribute("slice_sizes")?))?;
    let names = Names {
        window: "offset_dims",
        inserted: "collapsed_slice_dims",
        batched: "operand_batching_dims",
        indices_batched: "start_indices_batching_dims",
        map: "start_index_map",
    };
    let size = |dimension: usize, _| sizes.get(dimension).map(|size| *size as u64);
    let windows = Windows::new(numbers, &names, own, index.len(), to, size)?;
    // A window as large as the tensor does not move.
    let is_fixed = |at: usize| windows.is_fixed(at) || windows.sizes[at] == own[at] && windows.batched[at].is_none();
    let known = question.trace.values[question.operand(1)? as usize].known.clone();
    let class = question.class(1);
    let mut elements = Elements::default();
    for block in question.demand.elements.blocks() {
        let batch: Block = windows.of_indices.iter().map(|(at, _)| block[*at]).collect();
        match known.as_ref().and_then(|known| Some((known, indices(&batch, MOST_INDICES)?))) {
            Some((known, all)) => {
                for tuple in all {
                    let mut at = vec![0; to.len()];
                    windows.of_indices.iter().zip(&tuple).for_each(|((place, _), index)| at[*place] = *index);
                    let starts = windows.starts(known, index.len(), class, &at)?;
                    let side = |dimension: usize| {
                        let most = i128::from(own[dimension]) - i128::from(windows.sizes[dimension]);
                        let start = starts[dimension].clamp(0, most.max(0)) as u64;
                        let (first, end) = windows.along[dimension].map_or((0, 1), |place| block[place]);
                        (start + first, start + end)
                    };
                    elements.insert((0..own.len()).map(side).collect());
                }
            }
            None => {
                let side = |dimension: usize| {
                    if let Some(batch) = windows.batched[dimension] {
                        return block[batch];
                    }
                    match (is_fixed(dimension), windows.along[dimension]) {
                        (true, Some(place)) => block[place],
                        (true, None) => (0, 1),
                        (false, _) => (0, own[dimension]),
                    }
                };
                elements.insert((0..own.len()).map(side).collect());
            }
        }
    }
    let places: Vec<_> = windows.same(is_fixed).into_iter().map(|place| place.map(|place| (place, 0))).collect();
    needed.add(0, elements, question.shifted(&places, own));
    demand_indices(question, 1, &question.demand.elements, &windows.of_indices, needed)
}

pub(super) fn scatter(question: Asked<'_, '_, '_, '_, '_>, needed: &mut Needed) -> Option<()> {
    let Attribute::Dictionary(numbers) = question.attribute("scatter_dimension_numbers")? else { return None };
    let count = question.node.results.len();
    let body = bodies::look_at(question.trace.graph(question.node), question.node.operation);
    let takes = closure(&body.takes, question.position, count)?;
    let (own, index) = (question.result_extents()?, question.extents(count)?);
    let update = question.extents(count + 1)?;
    let names = Names {
        window: "update_window_dims",
        inserted: "inserted_window_dims",
        batched: "input_batching_dims",
        indices_batched: "scatter_indices_batching_dims",
        map: "scatter_dims_to_operand_dims",
    };
    let size = |_, along: Option<usize>| along.map_or(Some(1), |place| update.get(place).copied());
    let windows = Windows::new(numbers, &names, own, index.len(), update, size)?;
    let known = question.trace.values[question.operand(count)? as usize].known.clone();
    let class = question.class(count);
    // A window that is written without a look at what was there hides it.
    let hides = count == 1 && body.takes.first().and_then(|row| row.first()) == Some(&false);
    let mut left = question.demand.elements.clone();
    let mut written = Elements::default();
    for block in question.demand.elements.blocks() {
        let mut wide: Block = update.iter().map(|extent| (0, *extent)).collect();
        for (dimension, side) in block.iter().enumerate() {
            if let Some(batch) = windows.batched[dimension] {
                wide[batch] = *side;
            } else if let Some(place) = windows.along[dimension].filter(|_| windows.is_fixed(dimension)) {
                wide[place] = (side.0, side.1.min(update[place]));
            }
        }
        let batch: Block = windows.of_indices.iter().map(|(at, _)| wide[*at]).collect();
        let Some((known, all)) = known.as_ref().and_then(|known| Some((known, indices(&batch, MOST_INDICES)?))) else {
            written.insert(wide);
            continue;
        };
        for tuple in all {
            let mut at = vec![0; update.len()];
            windows.of_indices.iter().zip(&tuple).for_each(|((place, _), index)| at[*place] = *index);
            let starts = windows.starts(known, index.len(), class, &at)?;
            // What lies outside is not written.
            let side = |dimension: usize| {
                let inside = |value: i128| value.clamp(0, i128::from(own[dimension])) as u64;
                let start = starts[dimension];
                (inside(start), inside(start.saturating_add(i128::from(windows.sizes[dimension]))))
            };
            let window: Block = (0..own.len()).map(side).collect();
            let Some(both) = intersection(&window, block) else { continue };
            let is_inside = (0..own.len()).all(|at| window[at].1 - window[at].0 == windows.sizes[at]);
            if hides && is_inside {
                left = left.without(&window);
            }
            let mut from: Block = at.iter().map(|at| (*at, at + 1)).collect();
            for dimension in 0..own.len() {
                if let Some(place) = windows.along[dimension] {
                    let back = |at: u64| (i128::from(at) - starts[dimension]) as u64;
                    from[place] = (back(both[dimension].0), back(both[dimension].1));
                }
            }
            written.insert(from);
        }
    }
    // `shifted` wants the result for each dimension of the operand: here that of the large tensor for the windows.
    let mut places = vec![None; update.len()];
    for (dimension, place) in windows.same(|at| windows.is_fixed(at)).into_iter().enumerate() {
        if let Some(place) = place {
            places[place] = Some((dimension, 0));
        }
    }
    for operand in (0..count).filter(|at| takes[*at]) {
        if question.extents(operand)? != own || question.extents(count + 1 + operand)? != update {
            return None;
        }
        needed.add(operand, left.clone(), question.demand.condition.clone());
        needed.add(count + 1 + operand, written.clone(), question.shifted(&places, update));
    }
    let same: Vec<(usize, usize)> = (0..own.len())
        .filter_map(|dimension| {
            let batch = windows.batched[dimension]?;
            let (_, index) = windows.of_indices.iter().find(|(at, _)| *at == batch)?;
            Some((dimension, *index))
        })
        .collect();
    demand_indices(question, count, &question.demand.elements, &same, needed)
}
