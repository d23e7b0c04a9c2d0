//! Numbers from a seed.

/// SplitMix64 (Steele, Lea, Flood 2014): small, fast, and the same on every machine.
///
/// Good enough for shares of plans, and for nothing secret.
#[derive(Clone, Debug)]
pub struct Random {
    state: u64,
}

impl Random {
    /// A stream of numbers. Streams of one seed do not overlap in practice: each begins at a place of its own.
    pub fn new(seed: u64, stream: u64) -> Self {
        let mut random = Random { state: seed };
        random.state = random.bits() ^ stream.wrapping_mul(0xd1b5_4a32_d192_ed03);
        random.state = random.bits();
        random
    }

    fn bits(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ (bits >> 31)
    }

    /// Uniform, from 0 on, below 1.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 * (1.0 / (1u64 << 53) as f64)
    }

    /// How many trials of this probability are made until the first that succeeds, 1 or more; infinite only if none can.
    pub fn trials(&mut self, probability: f64) -> f64 {
        if probability >= 1.0 {
            return 1.0;
        }
        if probability.is_nan() || probability <= 0.0 {
            return f64::INFINITY;
        }
        // 1 - unit is above 0, so that the logarithm is finite.
        (((1.0 - self.unit()).ln() / (-probability).ln_1p()).floor() + 1.0).min(f64::MAX)
    }

    /// A place in a list of shares, with the probability of its share. Rounding never chooses a share of 0.
    pub fn plan(&mut self, shares: &[f64]) -> usize {
        let mut left = self.unit() * shares.iter().sum::<f64>();
        let mut chosen = 0;
        for (plan, &share) in shares.iter().enumerate() {
            if share > 0.0 {
                chosen = plan;
                if left < share {
                    break;
                }
                left -= share;
            }
        }
        chosen
    }
}
