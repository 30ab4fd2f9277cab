//! Zipf's law: the k-th account is used in proportion to 1 / k^s.
//!
//! Logarithm and exponential are written out, since those of the platforms differ in the last bit, and the same seed
//! must give the same payments natively and in WebAssembly. Sums and products of floats are exact in IEEE 754's sense
//! everywhere.

use crate::random::Random;

pub struct Zipf {
    /// Sums of the weights up to each account.
    sums: Vec<f64>,
}

impl Zipf {
    pub fn new(accounts: u32, exponent: f64) -> Self {
        let (mut logarithm, mut sum) = (0.0, 0.0);
        let sums = (1..=accounts)
            .map(|rank| {
                if rank > 1 {
                    logarithm += step(f64::from(rank));
                }
                sum += 1.0 / exponential(exponent * logarithm);
                sum
            })
            .collect();
        Self { sums }
    }

    /// The index of an account.
    pub fn draw(&self, random: &mut Random) -> u64 {
        let total = self.sums.last().copied().unwrap_or(0.0);
        let point = random.fraction() * total;
        let index = self.sums.partition_point(|&sum| sum <= point).min(self.sums.len() - 1);
        index as u64
    }
}

/// `ln(k) - ln(k - 1)` = 2 artanh(1 / (2k - 1)), as a series.
fn step(rank: f64) -> f64 {
    let x = 1.0 / (2.0 * rank - 1.0);
    let (square, mut power, mut sum) = (x * x, x, 0.0);
    for odd in (1..40).step_by(2) {
        sum += power / f64::from(odd);
        power *= square;
    }
    2.0 * sum
}

/// `e^x` for x >= 0: the series of a 1024th, squared ten times.
fn exponential(x: f64) -> f64 {
    let small = x / 1024.0;
    let (mut term, mut sum) = (1.0, 1.0);
    for place in 1..20 {
        term *= small / f64::from(place);
        sum += term;
    }
    (0..10).fold(sum, |value, _| value * value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_follow_the_law() {
        for exponent in [0.0, 0.5, 1.0, 2.0] {
            let zipf = Zipf::new(1_000, exponent);
            let mut last = 0.0;
            for (index, sum) in zipf.sums.iter().enumerate() {
                let wanted = ((index + 1) as f64).powf(-exponent);
                let found = sum - last;
                assert!(
                    (found - wanted).abs() < 1e-9,
                    "rank {}: {found} for {wanted}",
                    index + 1
                );
                last = *sum;
            }
        }
    }

    #[test]
    fn the_first_account_is_drawn_most() {
        let zipf = Zipf::new(1_000, 1.0);
        let mut random = Random::new(7, 0);
        let mut counts = vec![0_u32; 1_000];
        for _ in 0..100_000 {
            counts[usize::try_from(zipf.draw(&mut random)).expect("an index")] += 1;
        }
        // The first of 1,000 has 1 / H(1000) = 13.4 % of the weight.
        assert!((12_500..14_300).contains(&counts[0]), "{}", counts[0]);
        assert!(counts[0] > counts[1] && counts[1] > counts[9] && counts[9] > counts[99]);
    }
}
