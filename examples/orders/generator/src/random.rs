//! Random numbers of one sequence number (SplitMix64: Steele, Lea, Flood, "Fast splittable pseudorandom number
//! generators", 2014): integers alone, so the same on every machine.

pub struct Random(u64);

const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub fn new(seed: u64, sequence: u64) -> Self {
        // Mixed twice, so that neighbouring seeds and sequences have nothing in common.
        Self(mix(mix(seed ^ GOLDEN).wrapping_add(sequence.wrapping_mul(GOLDEN))))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(GOLDEN);
        mix(self.0)
    }

    /// From 0 up to, and not, 1.
    pub fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// From 0 up to, and not, `end`.
    pub fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }
}

fn mix(value: u64) -> u64 {
    let value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
