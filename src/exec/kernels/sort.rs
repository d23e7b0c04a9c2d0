//! `sort` and `top_k`.

use ndarray::{ArrayD, ArrayViewD, Axis};

use super::position::{Offsets, assemble, elements, remaining, require, sizes, strides, volume};
use super::{Ordered, Refused};

/// How `sort` orders operands of one shape along `dimension`: for each position of a result in row-major order the
/// position of its element in the operands. `before(a, b)` is the comparator, on positions in the operands. The sort is
/// always stable. A comparator that is no order gives some permutation.
pub fn sort_order<E: From<Refused>>(
    shape: &[usize],
    dimension: usize,
    before: impl FnMut(usize, usize) -> Result<bool, E>,
) -> Result<Vec<usize>, E> {
    let mut before = before;
    require(dimension < shape.len(), "sort", || format!("{shape:?} has no dimension {dimension}"))?;
    let mut order = vec![0; volume("sort", shape)?];
    let steps = strides(shape);
    let others = remaining(shape.len(), &[dimension]);
    let (other_shape, other_steps) = (sizes(shape, &others), sizes(&steps, &others));
    if !order.is_empty() {
        for start in Offsets::new(&other_shape, &other_steps) {
            let line: Vec<usize> = (0..shape[dimension]).map(|at| start + at * steps[dimension]).collect();
            for (at, position) in merge_sorted(line, &mut before)?.into_iter().enumerate() {
                order[start + at * steps[dimension]] = position;
            }
        }
    }
    Ok(order)
}

/// The elements of `operand` at the positions of `order`, in the operand's shape.
pub fn reorder<T: Copy>(operand: ArrayViewD<'_, T>, order: &[usize]) -> Result<ArrayD<T>, Refused> {
    let elements = elements(&operand);
    let reordered = order.iter().map(|&position| elements.get(position).copied()).collect::<Option<Vec<T>>>();
    let reordered = reordered
        .ok_or_else(|| Refused { operation: "sort", reason: "a position outside of the operand".to_string() })?;
    assemble("sort", operand.shape(), reordered)
}

/// `sort` of one operand by the total order.
pub fn sort<T: Ordered>(operand: ArrayViewD<'_, T>, dimension: usize, descending: bool) -> Result<ArrayD<T>, Refused> {
    require(dimension < operand.ndim(), "sort", || format!("there is no dimension {dimension}"))?;
    let mut result = assemble("sort", operand.shape(), elements(&operand).into_owned())?;
    let mut line = Vec::with_capacity(operand.len_of(Axis(dimension)));
    for mut lane in result.lanes_mut(Axis(dimension)) {
        line.clear();
        line.extend(lane.iter().copied());
        line.sort_by(|a: &T, b: &T| if descending { b.total_order(a) } else { a.total_order(b) });
        for (place, &element) in lane.iter_mut().zip(&line) {
            *place = element;
        }
    }
    Ok(result)
}

/// `chlo.top_k`: the `k` largest along the last dimension and where they were; of equal ones the first comes first.
pub fn top_k<T: Ordered>(operand: ArrayViewD<'_, T>, k: usize) -> Result<(ArrayD<T>, ArrayD<i32>), Refused> {
    let shape = operand.shape();
    let Some((&length, outer)) = shape.split_last().filter(|(length, _)| k <= **length) else {
        return Err(Refused { operation: "top_k", reason: format!("{shape:?} does not have {k} elements in a row") });
    };
    require(i32::try_from(length).is_ok(), "top_k", || format!("{length} elements have no 32 bit index"))?;
    let result_shape = [outer, &[k]].concat();
    let (mut values, mut indices) = (Vec::new(), Vec::new());
    for line in elements(&operand).chunks_exact(length.max(1)) {
        let mut order: Vec<usize> = (0..length).collect();
        order.sort_by(|&a, &b| line[b].total_order(&line[a]));
        order.truncate(k);
        values.extend(order.iter().map(|&at| line[at]));
        indices.extend(order.iter().map(|&at| at as i32));
    }
    Ok((assemble("top_k", &result_shape, values)?, assemble("top_k", &result_shape, indices)?))
}

/// A stable merge sort from the bottom up. The standard library's may panic where the comparator is no order.
fn merge_sorted<E>(
    mut line: Vec<usize>,
    before: &mut impl FnMut(usize, usize) -> Result<bool, E>,
) -> Result<Vec<usize>, E> {
    let mut merged = Vec::with_capacity(line.len());
    let mut width = 1;
    while width < line.len() {
        merged.clear();
        for pair in line.chunks(2 * width) {
            let (mut left, mut right) = pair.split_at(width.min(pair.len()));
            while let (Some((&first, left_rest)), Some((&second, right_rest))) =
                (left.split_first(), right.split_first())
            {
                if before(second, first)? {
                    merged.push(second);
                    right = right_rest;
                } else {
                    merged.push(first);
                    left = left_rest;
                }
            }
            merged.extend_from_slice(left);
            merged.extend_from_slice(right);
        }
        std::mem::swap(&mut line, &mut merged);
        width *= 2;
    }
    Ok(line)
}
