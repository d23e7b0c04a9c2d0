//! `scan`: a region along one dimension, which carries values from each position to the next.

use super::kernels;
use super::machine::Machine;
use super::scalar::FloatScalar;
use super::shape;
use super::tensor::Tensor;
use crate::graph::RegionId;

/// What a scan does besides its region.
#[derive(Clone, Debug)]
pub(super) struct Scan {
    pub region: RegionId,
    pub dimension: usize,
    /// From the last position to the first.
    pub is_reverse: bool,
    /// How many operands are run through; the others are what is carried at first.
    pub inputs: usize,
    /// How many turns there are, if there are no inputs to tell.
    pub length: Option<usize>,
}

impl<S: FloatScalar> Machine<'_, '_, '_, S> {
    /// Results are what the region gives back at each position, side by side, then what is carried in the end.
    pub(super) fn scan(
        &mut self,
        scan: &Scan,
        activation: usize,
        mut operands: Vec<Tensor<S>>,
    ) -> Result<Vec<Tensor<S>>, String> {
        if scan.inputs > operands.len() {
            return Err("there are too few operands".into());
        }
        let mut carried = operands.split_off(scan.inputs);
        let extents = operands.iter().map(|input| input.shape().get(scan.dimension).copied());
        let extents = extents.collect::<Option<Vec<usize>>>().ok_or("an input does not have the dimension")?;
        let extent = extents.first().copied().or(scan.length).ok_or("there is nothing to run through")?;
        kernels::volume("scan", &[extent])?;
        if extent == 0 || extents.iter().any(|&other| other != extent) {
            return Err("the inputs are empty or not of one length".into());
        }
        let mut outputs: Vec<Vec<Tensor<S>>> = Vec::new();
        for turn in 0..extent {
            let position = if scan.is_reverse { extent - 1 - turn } else { turn };
            let parts = operands.iter().map(|input| part(input, scan.dimension, position));
            let arguments = parts.chain(carried.drain(..).map(Ok)).collect::<Result<Vec<_>, String>>()?;
            let count = arguments.len() - scan.inputs;
            let mut values = self.run_region(scan.region, activation, arguments).map_err(|error| error.to_string())?;
            let kept = values.len().checked_sub(count).ok_or("the region gives back too few values")?;
            carried = values.split_off(kept);
            outputs.resize_with(kept, Vec::new);
            for (output, value) in outputs.iter_mut().zip(values) {
                output.push(whole(value, scan.dimension)?);
            }
        }
        if scan.is_reverse {
            outputs.iter_mut().for_each(|output| output.reverse());
        }
        let joined = outputs.iter().map(|output| shape::concatenate(output, scan.dimension));
        joined.chain(carried.into_iter().map(Ok)).collect()
    }
}

/// One position along a dimension, without the dimension.
fn part<S: FloatScalar>(tensor: &Tensor<S>, dimension: usize, position: usize) -> Result<Tensor<S>, String> {
    let mut limit = tensor.shape().to_vec();
    let mut start = vec![0; limit.len()];
    (start[dimension], limit[dimension]) = (position, position + 1);
    let sliced = shape::slice(tensor.clone(), &start, &limit, &vec![1; start.len()])?;
    limit.remove(dimension);
    shape::reshape(sliced, &limit)
}

/// With the dimension again.
fn whole<S: FloatScalar>(tensor: Tensor<S>, dimension: usize) -> Result<Tensor<S>, String> {
    let mut extents = tensor.shape().to_vec();
    if dimension > extents.len() {
        return Err("what the region gives back has too few dimensions".into());
    }
    extents.insert(dimension, 1);
    shape::reshape(tensor, &extents)
}
