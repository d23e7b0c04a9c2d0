//! Synthetic training graphs for the benches and the tests of `network`: no real step, but the shape of one.
//!
//! A step has layers of activations, all of one width. Each activation takes two of the layer before, one parameter of its
//! own layer (there is one for four activations), often a residual from the same column two layers before, and seldom a
//! long skip from anywhere before. A probe reads the middle layer; its score is one node, and so are the reward made of it
//! and the loss, which takes the last layer and the reward. The backward pass is the mirror: a cotangent for each
//! activation takes those of all that read it, and the activation itself. A gradient takes the cotangents of its
//! parameter's readers, and the optimizer makes new moments and new parameters, which are carried to the next step.
//! Ids are in the order in which a program would compute them; carried edges go back.

/// What to make.
#[derive(Clone, Copy, Debug)]
pub struct Layered {
    pub layers: u32,
    /// A multiple of four.
    pub width: u32,
    /// In percent: how often an activation has a residual, and a long skip.
    pub residuals: u64,
    pub long_skips: u64,
    pub seed: u64,
}

impl Layered {
    /// About so many edges, with the width and the odds that the benches use.
    pub fn with_edges(edges: u32) -> Self {
        let width = 64;
        Layered { layers: edges / (width * 9), width, residuals: 50, long_skips: 3, seed: 20 }
    }
}

/// A training graph as a network.
pub struct Step {
    pub nodes: u32,
    pub edges: Vec<(u32, u32)>,
    /// The bits of each node.
    pub bits: Vec<u64>,
    /// For each layer, its activations, its parameters, and what the optimizer makes of these.
    pub activations: Vec<Vec<u32>>,
    pub parameters: Vec<Vec<u32>>,
    pub updated: Vec<Vec<u32>>,
    /// The probe's score and the reward that is made of it.
    pub score: u32,
    pub reward: u32,
}

/// SplitMix64 (Steele, Lea and Flood, 2014): small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % bound
    }
}

impl Step {
    fn node(&mut self, bits: u64) -> u32 {
        self.bits.push(bits);
        self.nodes += 1;
        self.nodes - 1
    }

    fn row(&mut self, count: u32, bits: u64) -> Vec<u32> {
        (0..count).map(|_| self.node(bits)).collect()
    }

    pub fn new(shape: Layered) -> Self {
        const SCALAR: u64 = 32;
        const TENSOR: u64 = 32 * 1024;
        let Layered { layers, width, .. } = shape;
        let mut random = Random(shape.seed);
        let mut step = Step {
            nodes: 0,
            edges: Vec::new(),
            bits: Vec::new(),
            activations: Vec::new(),
            parameters: Vec::new(),
            updated: Vec::new(),
            score: 0,
            reward: 0,
        };
        step.parameters = (0..layers).map(|_| step.row(width / 4, TENSOR)).collect();
        let moments: Vec<Vec<u32>> = (0..layers).map(|_| step.row(width / 4, TENSOR)).collect();
        // Forward.
        let mut inputs = step.row(width, TENSOR);
        let mut computed = Vec::new();
        for layer in 0..layers {
            let row = step.row(width, TENSOR);
            for (column, &activation) in row.iter().enumerate() {
                for _ in 0..2 {
                    let near = (column as u64 + random.below(5) + u64::from(width) - 2) % u64::from(width);
                    step.edges.push((inputs[near as usize], activation));
                }
                if layer >= 2 && random.below(100) < shape.residuals {
                    step.edges.push((step.activations[layer as usize - 2][column], activation));
                }
                if !computed.is_empty() && random.below(100) < shape.long_skips {
                    step.edges.push((computed[random.below(computed.len() as u64) as usize], activation));
                }
            }
            computed.extend(&row);
            inputs.clone_from(&row);
            step.activations.push(row);
        }
        // The probe, the reward and the loss.
        step.score = step.node(SCALAR);
        let read = step.activations[layers as usize / 2].clone();
        step.edges.extend(read.iter().map(|activation| (*activation, step.score)));
        step.reward = step.node(SCALAR);
        step.edges.push((step.score, step.reward));
        let loss = step.node(SCALAR);
        step.edges.extend(inputs.iter().copied().chain([step.reward]).map(|node| (node, loss)));
        // Backward: who reads what, turned around.
        let forward = step.edges.clone();
        let mut cotangents = vec![u32::MAX; step.nodes as usize];
        cotangents[loss as usize] = loss;
        for layer in (0..layers as usize).rev() {
            for column in (0..width as usize).rev() {
                cotangents[step.activations[layer][column] as usize] = step.node(TENSOR);
            }
        }
        for &(from, to) in forward.iter().rev() {
            let (of_from, of_to) = (cotangents[from as usize], cotangents[to as usize]);
            if of_from != u32::MAX && of_to != u32::MAX {
                step.edges.push((of_to, of_from));
            }
        }
        for layer in 0..layers as usize {
            for column in 0..width as usize {
                let activation = step.activations[layer][column];
                let parameter = step.parameters[layer][column / 4];
                step.edges.push((parameter, activation));
                step.edges.push((activation, cotangents[activation as usize]));
            }
        }
        // The optimizer, and what is carried.
        for layer in 0..layers as usize {
            let mut row = Vec::new();
            for (at, moment) in moments[layer].iter().copied().enumerate().take(width as usize / 4) {
                let parameter = step.parameters[layer][at];
                let gradient = step.node(TENSOR);
                for column in 4 * at..4 * at + 4 {
                    step.edges.push((cotangents[step.activations[layer][column] as usize], gradient));
                }
                let (new_moment, new_parameter) = (step.node(TENSOR), step.node(TENSOR));
                step.edges.extend([(moment, new_moment), (gradient, new_moment)]);
                step.edges.extend([(parameter, new_parameter), (new_moment, new_parameter)]);
                step.edges.extend([(new_moment, moment), (new_parameter, parameter)]);
                row.push(new_parameter);
            }
            step.updated.push(row);
        }
        step
    }
}
