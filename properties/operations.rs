//! Random single operations as text: small shapes, all attributes that move elements, indices that are known and that are not.

use super::elements::Random;

/// The step around one operation.
pub struct Writer<'r> {
    pub random: &'r mut Random,
    inputs: Vec<String>,
    lines: String,
    names: usize,
}

/// Operations that the writer knows.
pub const OPERATIONS: &[&str] = &[
    "tanh",
    "add",
    "compare",
    "select",
    "clamp",
    "convert",
    "broadcast_in_dim",
    "reshape",
    "transpose",
    "slice",
    "reverse",
    "concatenate",
    "pad",
    "reduce",
    "reduce_window",
    "sort",
    "dot_general",
    "convolution",
    "fft",
    "cholesky",
    "triangular_solve",
    "dynamic_slice",
    "dynamic_update_slice",
    "gather",
    "batched_gather",
    "scatter",
    "batched_scatter",
    "top_k",
    "map",
];

fn dimensions(extents: &[usize]) -> String {
    extents.iter().map(|extent| format!("{extent}x")).collect()
}

fn float(extents: &[usize]) -> String {
    format!("tensor<{}f32>", dimensions(extents))
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    items.into_iter().map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

impl<'r> Writer<'r> {
    pub fn new(random: &'r mut Random) -> Self {
        Writer { random, inputs: Vec::new(), lines: String::new(), names: 0 }
    }

    fn input(&mut self, of: &str) -> String {
        self.inputs.push(of.to_string());
        format!("%arg{}", self.inputs.len() - 1)
    }

    fn constant(&mut self, text: &str, of: &str) -> String {
        self.names += 1;
        self.lines += &format!("    %c{} = stablehlo.constant dense<{text}> : {of}\n", self.names);
        format!("%c{}", self.names)
    }

    fn shape(&mut self, least: usize, most: usize) -> Vec<usize> {
        let rank = least + self.random.below(most - least + 1);
        (0..rank).map(|_| 1 + self.random.below(if rank > 2 { 3 } else { 4 })).collect()
    }

    /// Nearly a shape of its own: sometimes without elements.
    fn shape_or_empty(&mut self, least: usize, most: usize) -> Vec<usize> {
        let mut shape = self.shape(least, most);
        if !shape.is_empty() && self.random.below(8) == 0 {
            let at = self.random.below(shape.len());
            shape[at] = 0;
        }
        shape
    }

    fn permutation(&mut self, rank: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..rank).collect();
        for at in (1..rank).rev() {
            order.swap(at, self.random.below(at + 1));
        }
        order
    }

    fn some_of(&mut self, rank: usize) -> Vec<usize> {
        (0..rank).filter(|_| self.random.below(2) == 0).collect()
    }

    /// Integers of a shape: a constant, or an input.
    fn indices(&mut self, extents: &[usize], bound: usize) -> (String, String) {
        let of = format!("tensor<{}i32>", dimensions(extents));
        let count: usize = extents.iter().product();
        if self.random.below(3) == 0 || count == 0 {
            return (self.input(&of), of);
        }
        let mut numbers: Vec<String> =
            (0..count).map(|_| (self.random.below(bound + 3) as i64 - 1).to_string()).collect();
        for extent in extents.iter().rev() {
            numbers = numbers.chunks(*extent).map(|chunk| format!("[{}]", chunk.join(", "))).collect();
        }
        let text = numbers.concat();
        (self.constant(&text, &of), of)
    }

    fn finish(self, operation: &str, results: &[String]) -> String {
        let arguments = list(self.inputs.iter().enumerate().map(|(at, of)| format!("%arg{at}: {of}")));
        let types = list(results);
        let (made, given) = match results.len() {
            1 => ("%r".to_string(), "%r".to_string()),
            count => (format!("%r:{count}"), list((0..count).map(|at| format!("%r#{at}")))),
        };
        format!(
            "module @step {{\n  func.func public @main({arguments}) -> ({types}) {{\n{}    {made} = {operation}\n    \
             return {given} : {types}\n  }}\n}}\n",
            self.lines
        )
    }

    /// A step with one operation of this name.
    pub fn operation(mut self, name: &str) -> String {
        match name {
            "tanh" => {
                let of = float(&self.shape_or_empty(0, 3));
                let x = self.input(&of);
                self.finish(&format!("stablehlo.tanh {x} : {of}"), &[of])
            }
            "add" => {
                let of = float(&self.shape_or_empty(0, 3));
                let (x, y) = (self.input(&of), self.input(&of));
                self.finish(&format!("stablehlo.add {x}, {y} : {of}"), &[of])
            }
            "compare" => {
                let shape = self.shape(0, 3);
                let (of, to) = (float(&shape), format!("tensor<{}i1>", dimensions(&shape)));
                let (x, y) = (self.input(&of), self.input(&of));
                self.finish(&format!("stablehlo.compare LT, {x}, {y}, FLOAT : ({of}, {of}) -> {to}"), &[to])
            }
            "select" => {
                let shape = self.shape(0, 3);
                let test = if self.random.below(2) == 0 { Vec::new() } else { shape.clone() };
                let (of, test) = (float(&shape), format!("tensor<{}i1>", dimensions(&test)));
                let (c, x, y) = (self.input(&test), self.input(&of), self.input(&of));
                self.finish(&format!("stablehlo.select {c}, {x}, {y} : {test}, {of}"), &[of])
            }
            "clamp" => {
                let shape = self.shape(0, 3);
                let bound = if self.random.below(2) == 0 { Vec::new() } else { shape.clone() };
                let (of, bound) = (float(&shape), float(&bound));
                let (a, x, b) = (self.input(&bound), self.input(&of), self.input(&bound));
                self.finish(&format!("stablehlo.clamp {a}, {x}, {b} : ({bound}, {of}, {bound}) -> {of}"), &[of])
            }
            "convert" => {
                let shape = self.shape(0, 3);
                let kinds = ["f32", "i8", "i1", "bf16", "ui4"];
                let (from, to) = (*self.random.pick(&kinds), *self.random.pick(&kinds));
                let [from, to] = [from, to].map(|kind| format!("tensor<{}{kind}>", dimensions(&shape)));
                let x = self.input(&from);
                self.finish(&format!("stablehlo.convert {x} : ({from}) -> {to}"), &[to])
            }
            "broadcast_in_dim" => {
                let to = self.shape_or_empty(0, 3);
                let axes = self.permutation(to.len());
                let count = self.random.below(to.len() + 1);
                let axes = &axes[..count];
                let extent = |w: &mut Self, axis: &usize| if w.random.below(3) == 0 { 1 } else { to[*axis] };
                let from: Vec<usize> = axes.iter().map(|axis| extent(&mut self, axis)).collect();
                let (from, to) = (float(&from), float(&to));
                let x = self.input(&from);
                let axes = list(axes);
                self.finish(&format!("stablehlo.broadcast_in_dim {x}, dims = [{axes}] : ({from}) -> {to}"), &[to])
            }
            "reshape" => {
                let factors: Vec<usize> = (0..self.random.below(5)).map(|_| 1 + self.random.below(3)).collect();
                let mut merged = || {
                    let mut shape: Vec<usize> = Vec::new();
                    for factor in &factors {
                        match shape.last_mut() {
                            Some(last) if self.random.below(2) == 0 => *last *= factor,
                            _ => shape.push(*factor),
                        }
                    }
                    shape
                };
                let (from, to) = (float(&merged()), float(&merged()));
                let x = self.input(&from);
                self.finish(&format!("stablehlo.reshape {x} : ({from}) -> {to}"), &[to])
            }
            "transpose" => {
                let from = self.shape_or_empty(0, 4);
                let order = self.permutation(from.len());
                let to = float(&order.iter().map(|axis| from[*axis]).collect::<Vec<_>>());
                let from = float(&from);
                let x = self.input(&from);
                self.finish(&format!("stablehlo.transpose {x}, dims = [{}] : ({from}) -> {to}", list(order)), &[to])
            }
            "slice" => {
                let from = self.shape_or_empty(1, 3);
                let (mut to, mut ranges) = (Vec::new(), Vec::new());
                for extent in &from {
                    let start = self.random.below(extent + 1);
                    let limit = start + self.random.below(extent + 1 - start);
                    let stride = 1 + self.random.below(3);
                    to.push((limit - start).div_ceil(stride));
                    ranges.push(format!("{start}:{limit}:{stride}"));
                }
                let (from, to) = (float(&from), float(&to));
                let x = self.input(&from);
                self.finish(&format!("stablehlo.slice {x} [{}] : ({from}) -> {to}", list(ranges)), &[to])
            }
            "reverse" => {
                let shape = self.shape_or_empty(1, 3);
                let axes = self.some_of(shape.len());
                let of = float(&shape);
                let x = self.input(&of);
                self.finish(&format!("stablehlo.reverse {x}, dims = [{}] : {of}", list(axes)), &[of])
            }
            "concatenate" => {
                let mut shape = self.shape(1, 3);
                let axis = self.random.below(shape.len());
                let (mut parts, mut types, mut sum) = (Vec::new(), Vec::new(), 0);
                for _ in 0..1 + self.random.below(3) {
                    shape[axis] = self.random.below(4);
                    sum += shape[axis];
                    types.push(float(&shape));
                    parts.push(self.input(&float(&shape)));
                }
                shape[axis] = sum;
                let to = float(&shape);
                let operation =
                    format!("stablehlo.concatenate {}, dim = {axis} : ({}) -> {to}", list(parts), list(types));
                self.finish(&operation, &[to])
            }
            "pad" => {
                let from = self.shape_or_empty(1, 3);
                let (mut low, mut high, mut interior, mut to) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
                for extent in &from {
                    let inner = self.random.below(3);
                    let spread = (extent + extent.saturating_sub(1) * inner) as i64;
                    let below = self.random.below(5) as i64 - 2;
                    let above = (self.random.below(5) as i64 - 2).max(-spread - below);
                    low.push(below.max(-spread));
                    high.push(above.max(-spread - low[low.len() - 1]));
                    interior.push(inner);
                    to.push((spread + low[low.len() - 1] + high[high.len() - 1]) as usize);
                }
                let (from, to) = (float(&from), float(&to));
                let (x, value) = (self.input(&from), self.input("tensor<f32>"));
                let operation = format!(
                    "stablehlo.pad {x}, {value}, low = [{}], high = [{}], interior = [{}] : ({from}, tensor<f32>) -> {to}",
                    list(low),
                    list(high),
                    list(interior)
                );
                self.finish(&operation, &[to])
            }
            "reduce" => self.reduce(),
            "reduce_window" => self.reduce_window(),
            "sort" => self.sort(),
            "dot_general" => self.dot_general(),
            "convolution" => self.convolution(),
            "fft" => {
                let mut shape = self.shape(1, 3);
                let length = shape[shape.len() - 1];
                let mixed = 1 + self.random.below(shape.len());
                let complex = |shape: &[usize]| format!("tensor<{}complex<f32>>", dimensions(shape));
                let lengths = list(&shape[shape.len() - mixed..]);
                let (kind, from, to) = match self.random.below(3) {
                    0 => ("FFT", complex(&shape), complex(&shape)),
                    1 => ("IFFT", complex(&shape), complex(&shape)),
                    _ => {
                        let from = float(&shape);
                        *shape.last_mut().expect("a dimension") = length / 2 + 1;
                        ("RFFT", from, complex(&shape))
                    }
                };
                let x = self.input(&from);
                self.finish(
                    &format!("stablehlo.fft {x}, type = {kind}, length = [{lengths}] : ({from}) -> {to}"),
                    &[to],
                )
            }
            "cholesky" => {
                let batch = self.shape(0, 1);
                let n = 1 + self.random.below(3);
                let of = float(&[batch, vec![n, n]].concat());
                let x = self.input(&of);
                let lower = self.random.below(2) == 0;
                self.finish(&format!("stablehlo.cholesky {x}, lower = {lower} : {of}"), &[of])
            }
            "triangular_solve" => {
                let batch = self.shape(0, 1);
                let (n, m) = (1 + self.random.below(3), 1 + self.random.below(3));
                let a = float(&[batch.clone(), vec![n, n]].concat());
                let left = self.random.below(2) == 0;
                let b = float(&[batch, if left { vec![n, m] } else { vec![m, n] }].concat());
                let (x, y) = (self.input(&a), self.input(&b));
                let (lower, unit) = (self.random.below(2) == 0, self.random.below(2) == 0);
                let operation = format!(
                    "\"stablehlo.triangular_solve\"({x}, {y}) <{{left_side = {left}, lower = {lower}, unit_diagonal = \
                     {unit}, transpose_a = #stablehlo<transpose NO_TRANSPOSE>}}> : ({a}, {b}) -> {b}"
                );
                self.finish(&operation, &[b])
            }
            "dynamic_slice" => {
                let from = self.shape(1, 3);
                let to: Vec<usize> = from.iter().map(|extent| 1 + self.random.below(*extent)).collect();
                let starts: Vec<String> = from.iter().map(|extent| self.indices(&[], *extent).0).collect();
                let types = list(starts.iter().map(|_| "tensor<i32>"));
                let (of, sizes) = (float(&from), list(&to));
                let (x, to) = (self.input(&of), float(&to));
                let starts = list(starts);
                let operation =
                    format!("stablehlo.dynamic_slice {x}, {starts}, sizes = [{sizes}] : ({of}, {types}) -> {to}");
                self.finish(&operation, &[to])
            }
            "dynamic_update_slice" => {
                let from = self.shape(1, 3);
                let update: Vec<usize> = from.iter().map(|extent| 1 + self.random.below(*extent)).collect();
                let starts: Vec<String> = from.iter().map(|extent| self.indices(&[], *extent).0).collect();
                let types = list(starts.iter().map(|_| "tensor<i32>"));
                let (of, update) = (float(&from), float(&update));
                let (x, y, starts) = (self.input(&of), self.input(&update), list(starts));
                let operation =
                    format!("stablehlo.dynamic_update_slice {x}, {y}, {starts} : ({of}, {update}, {types}) -> {of}");
                self.finish(&operation, &[of])
            }
            "gather" => self.gather(false),
            "batched_gather" => self.gather(true),
            "scatter" => self.scatter(false),
            "batched_scatter" => self.scatter(true),
            "top_k" => {
                let mut shape = self.shape(1, 2);
                let of = float(&shape);
                let last = shape.len() - 1;
                let k = 1 + self.random.below(shape[last]);
                shape[last] = k;
                let (values, at) = (float(&shape), format!("tensor<{}i32>", dimensions(&shape)));
                let x = self.input(&of);
                self.finish(&format!("chlo.top_k({x}, k = {k}) : {of} -> ({values}, {at})"), &[values, at])
            }
            "map" => {
                let shape = self.shape(1, 2);
                let of = float(&shape);
                let (x, y) = (self.input(&of), self.input(&of));
                let axes = list(0..shape.len());
                let operation = format!(
                    "\"stablehlo.map\"({x}, {y}) <{{dimensions = array<i64: {axes}>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.subtract %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }}) : ({of}, {of}) -> {of}"
                );
                self.finish(&operation, &[of])
            }
            _ => unreachable!("{name}"),
        }
    }

    fn reduce(mut self) -> String {
        let shape = self.shape_or_empty(1, 3);
        let axes = self.some_of(shape.len());
        let kept: Vec<usize> = (0..shape.len()).filter(|axis| !axes.contains(axis)).map(|axis| shape[axis]).collect();
        let (of, to) = (float(&shape), float(&kept));
        let (x, zero) = (self.input(&of), self.input("tensor<f32>"));
        let kind = *self.random.pick(&["add", "multiply", "maximum"]);
        let operation = format!(
            "stablehlo.reduce({x} init: {zero}) applies stablehlo.{kind} across dimensions = [{}] : ({of}, tensor<f32>) \
             -> {to}",
            list(axes)
        );
        self.finish(&operation, &[to])
    }

    fn reduce_window(mut self) -> String {
        let shape = self.shape(1, 2);
        let rank = shape.len();
        let mut draw = |bound: usize| (0..rank).map(|_| 1 + self.random.below(bound)).collect::<Vec<_>>();
        let (window, strides, base, dilations) = (draw(3), draw(2), draw(2), draw(2));
        let padding: Vec<[i64; 2]> =
            (0..rank).map(|_| [self.random.below(3) as i64, self.random.below(3) as i64]).collect();
        let extent = |axis: usize| {
            let spread = ((shape[axis] - 1) * base[axis] + 1) as i64 + padding[axis][0] + padding[axis][1];
            let span = ((window[axis] - 1) * dilations[axis] + 1) as i64;
            if spread < span { 0 } else { ((spread - span) / strides[axis] as i64 + 1) as usize }
        };
        let to = float(&(0..rank).map(extent).collect::<Vec<_>>());
        let of = float(&shape);
        let (x, zero) = (self.input(&of), self.input("tensor<f32>"));
        let pairs = list(padding.iter().map(|[low, high]| format!("[{low}, {high}]")));
        let operation = format!(
            "\"stablehlo.reduce_window\"({x}, {zero}) <{{window_dimensions = array<i64: {}>, window_strides = array<i64: \
             {}>, base_dilations = array<i64: {}>, window_dilations = array<i64: {}>, padding = dense<[{pairs}]> : \
             tensor<{rank}x2xi64>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
      %s = stablehlo.add %a, %b : tensor<f32>
      stablehlo.return %s : tensor<f32>
    }}) : ({of}, tensor<f32>) -> {to}",
            list(window),
            list(strides),
            list(base),
            list(dilations)
        );
        self.finish(&operation, &[to])
    }

    fn sort(mut self) -> String {
        let shape = self.shape(1, 3);
        let axis = self.random.below(shape.len());
        let (of, other) = (float(&shape), format!("tensor<{}i32>", dimensions(&shape)));
        let (x, y) = (self.input(&of), self.input(&other));
        let operation = format!(
            "\"stablehlo.sort\"({x}, {y}) <{{dimension = {axis} : i64, is_stable = true}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>, %c: tensor<i32>, %d: tensor<i32>):
      %t = stablehlo.compare LT, %a, %b, TOTALORDER : (tensor<f32>, tensor<f32>) -> tensor<i1>
      stablehlo.return %t : tensor<i1>
    }}) : ({of}, {other}) -> ({of}, {other})"
        );
        self.finish(&operation, &[of, other])
    }

    fn dot_general(mut self) -> String {
        let batch = self.shape(0, 1);
        let contracted = self.shape(0, 2);
        // Each side in an order of its own.
        let mut side = |free: Vec<usize>| {
            let extents = [batch.clone(), contracted.clone(), free].concat();
            let order = self.permutation(extents.len());
            let place = |axis: usize| order.iter().position(|from| *from == axis).expect("a permutation");
            let batched: Vec<usize> = (0..batch.len()).map(place).collect();
            let contracting: Vec<usize> = (batch.len()..batch.len() + contracted.len()).map(place).collect();
            let shape: Vec<usize> = order.iter().map(|axis| extents[*axis]).collect();
            let fixed: Vec<usize> = batched.iter().chain(&contracting).copied().collect();
            let free: Vec<usize> =
                (0..shape.len()).filter(|axis| !fixed.contains(axis)).map(|axis| shape[axis]).collect();
            (shape, batched, contracting, free)
        };
        let left = side(vec![2, 3]);
        let right = side(vec![2]);
        let to = float(&[batch, left.3, right.3].concat());
        let (a, b) = (float(&left.0), float(&right.0));
        let (x, y) = (self.input(&a), self.input(&b));
        let operation = format!(
            "stablehlo.dot_general {x}, {y}, batching_dims = [{}] x [{}], contracting_dims = [{}] x [{}] : ({a}, {b}) -> \
             {to}",
            list(left.1),
            list(right.1),
            list(left.2),
            list(right.2)
        );
        self.finish(&operation, &[to])
    }

    fn convolution(mut self) -> String {
        let (batch, inputs, outputs) = (1 + self.random.below(2), 1 + self.random.below(2), 1 + self.random.below(2));
        let (length, span) = (2 + self.random.below(3), 1 + self.random.below(2));
        let groups = if self.random.below(3) == 0 { 2 } else { 1 };
        let from = float(&[batch, length, inputs * groups]);
        let kernel = float(&[span, inputs, outputs * groups]);
        let to = float(&[batch, length - span + 1, outputs * groups]);
        let (x, y) = (self.input(&from), self.input(&kernel));
        let operation = format!(
            "stablehlo.convolution({x}, {y}) dim_numbers = [b, 0, f]x[0, i, o]->[b, 0, f], window = {{}} \
             {{batch_group_count = 1 : i64, feature_group_count = {groups} : i64}} : ({from}, {kernel}) -> {to}"
        );
        self.finish(&operation, &[to])
    }

    /// The operand of windows, the extents of a window, which dimensions are indexed, and in which order.
    fn windows(&mut self, batched: bool) -> (Vec<usize>, Vec<usize>, Vec<usize>) {
        let operand = self.shape(1 + usize::from(batched), 3);
        let rank = operand.len();
        let window: Vec<usize> = operand.iter().map(|extent| 1 + self.random.below(*extent)).collect();
        let first = usize::from(batched);
        let mut indexed: Vec<usize> = self.permutation(rank).into_iter().filter(|axis| *axis >= first).collect();
        indexed.truncate(1 + self.random.below(indexed.len()));
        (operand, window, indexed)
    }

    /// Dimension 0 of the operand is a batch if there is one; then dimension 0 of the indices is, too. Windows of one
    /// index may lose their dimension.
    fn window_attributes(&mut self, batched: bool) -> Windows {
        let (operand, mut window, indexed) = self.windows(batched);
        if batched {
            window[0] = 1;
        }
        let first = usize::from(batched);
        let collapsed: Vec<usize> =
            (first..operand.len()).filter(|axis| window[*axis] == 1 && self.random.below(2) == 0).collect();
        let mut index_batch: Vec<usize> = if batched { vec![operand[0]] } else { Vec::new() };
        index_batch.extend((0..self.random.below(2)).map(|_| 1 + self.random.below(3)));
        let vector = self.random.below(index_batch.len() + 1);
        let mut index_extents = index_batch.clone();
        index_extents.insert(vector, indexed.len());
        let bound = operand.iter().copied().max().unwrap_or(1);
        let (indices, index_type) = self.indices(&index_extents, bound);
        let shown: Vec<usize> = (first..operand.len()).filter(|axis| !collapsed.contains(axis)).collect();
        // Dimensions of the tensor of windows: those of the window go anywhere among those of the batch.
        let rank = shown.len() + index_batch.len();
        let mut offset: Vec<usize> = self.permutation(rank).into_iter().take(shown.len()).collect();
        offset.sort_unstable();
        let (mut extents, mut inner, mut outer) = (Vec::new(), shown.iter(), index_batch.iter());
        for axis in 0..rank {
            extents.push(match offset.contains(&axis) {
                true => window[*inner.next().expect("a dimension of the window")],
                false => *outer.next().expect("a dimension of the batch"),
            });
        }
        let batch_axis = if vector == 0 { 1 } else { 0 };
        Windows { operand, window, indexed, collapsed, vector, batch_axis, indices, index_type, offset, extents }
    }

    fn gather(mut self, batched: bool) -> String {
        let w = self.window_attributes(batched);
        let (of, to) = (float(&w.operand), float(&w.extents));
        let x = self.input(&of);
        let batch = match batched {
            true => format!("operand_batching_dims = [0], start_indices_batching_dims = [{}], ", w.batch_axis),
            false => String::new(),
        };
        let operation = format!(
            "\"stablehlo.gather\"({x}, {}) <{{dimension_numbers = #stablehlo.gather<offset_dims = [{}], \
             collapsed_slice_dims = [{}], {batch}start_index_map = [{}], index_vector_dim = {}>, slice_sizes = \
             array<i64: {}>}}> : ({of}, {}) -> {to}",
            w.indices,
            list(&w.offset),
            list(&w.collapsed),
            list(&w.indexed),
            w.vector,
            list(&w.window),
            w.index_type
        );
        self.finish(&operation, &[to])
    }

    fn scatter(mut self, batched: bool) -> String {
        let w = self.window_attributes(batched);
        let (of, updates) = (float(&w.operand), float(&w.extents));
        let (x, y) = (self.input(&of), self.input(&updates));
        let batch = match batched {
            true => format!("input_batching_dims = [0], scatter_indices_batching_dims = [{}], ", w.batch_axis),
            false => String::new(),
        };
        let body = match self.random.below(2) {
            0 => "      stablehlo.return %b : tensor<f32>",
            _ => "      %s = stablehlo.add %a, %b : tensor<f32>\n      stablehlo.return %s : tensor<f32>",
        };
        let operation = format!(
            "\"stablehlo.scatter\"({x}, {}, {y}) <{{scatter_dimension_numbers = #stablehlo.scatter<update_window_dims = \
             [{}], inserted_window_dims = [{}], {batch}scatter_dims_to_operand_dims = [{}], index_vector_dim = {}>}}> ({{
    ^bb0(%a: tensor<f32>, %b: tensor<f32>):
{body}
    }}) : ({of}, {}, {updates}) -> {of}",
            w.indices,
            list(&w.offset),
            list(&w.collapsed),
            list(&w.indexed),
            w.vector,
            w.index_type
        );
        self.finish(&operation, &[of])
    }
}

struct Windows {
    operand: Vec<usize>,
    window: Vec<usize>,
    indexed: Vec<usize>,
    collapsed: Vec<usize>,
    vector: usize,
    batch_axis: usize,
    indices: String,
    index_type: String,
    offset: Vec<usize>,
    extents: Vec<usize>,
}
