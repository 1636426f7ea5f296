//! What is learned from Markov chains: whether they mix, and how many independent draws theirs are worth.

/// `R̂` of chains of equal length, each split in two (Gelman et al. 2013, §11.4): the root of the variance over that
/// within the halves; 1 where all halves are alike. NaN where nothing moves.
#[must_use]
pub fn rhat(chains: &[Vec<f64>]) -> f64 {
    let halves: Vec<&[f64]> = chains.iter().flat_map(|chain| chain.chunks_exact(chain.len() / 2).take(2)).collect();
    let draws = halves.first().map_or(0, |half| half.len()) as f64;
    let means: Vec<f64> = halves.iter().map(|half| mean(half)).collect();
    let within = mean(&halves.iter().map(|half| variance(half)).collect::<Vec<_>>());
    let over = (draws - 1.0) / draws * within + variance(&means);
    (over / within).sqrt()
}

/// The effective sample size of chains of equal length: `mn/(2 Σ(ρ_{2k} + ρ_{2k+1}) − 1)` with their autocorrelations,
/// up to the first pair whose sum is not positive (Geyer 1992, §3.3), correlations over all chains as in Gelman et al.
/// 2013, §11.5. At most the number of draws.
#[must_use]
pub fn effective(chains: &[Vec<f64>]) -> f64 {
    let draws = chains.iter().map(Vec::len).min().unwrap_or(0);
    let all = (chains.len() * draws) as f64;
    let within = mean(&chains.iter().map(|chain| variance(chain)).collect::<Vec<_>>());
    let means: Vec<f64> = chains.iter().map(|chain| mean(chain)).collect();
    let between = if chains.len() > 1 { variance(&means) } else { 0.0 };
    let over = (draws as f64 - 1.0) / draws as f64 * within + between;
    let correlation = |lag: usize| {
        let squares = chains.iter().map(|chain| {
            let pairs = chain.iter().zip(&chain[lag..]);
            pairs.map(|(now, later)| (later - now).powi(2)).sum::<f64>() / (draws - lag) as f64
        });
        1.0 - 0.5 * squares.sum::<f64>() / chains.len() as f64 / over
    };
    let mut sum = 0.0;
    for lag in (0..draws.saturating_sub(1)).step_by(2) {
        let pair = correlation(lag) + correlation(lag + 1);
        if pair.is_nan() || pair <= 0.0 {
            break;
        }
        sum += pair;
    }
    (all / (2.0 * sum - 1.0).max(1.0)).min(all)
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// The unbiased variance.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use rand::rngs::ChaCha12Rng;
    use rand::{RngExt, SeedableRng};
    use rand_distr::StandardNormal;

    use super::*;

    /// Chains `x ← a x + √(1 − a²) ξ`, whose draws are worth `(1 − a)/(1 + a)` each.
    fn autoregressive(a: f64, shifts: [f64; 4]) -> Vec<Vec<f64>> {
        let mut random = ChaCha12Rng::seed_from_u64(3);
        let mut chain = |shift: f64| {
            let mut x = random.sample::<f64, _>(StandardNormal);
            (0..20_000)
                .map(|_| {
                    x = a * x + (1.0 - a * a).sqrt() * random.sample::<f64, _>(StandardNormal);
                    x + shift
                })
                .collect()
        };
        shifts.map(&mut chain).into()
    }

    #[test]
    fn draws_are_worth_what_their_correlation_leaves() {
        for a in [0.0, 0.5, 0.9] {
            let chains = autoregressive(a, [0.0; 4]);
            let share = effective(&chains) / 80_000.0;
            let expected: f64 = (1.0 - a) / (1.0 + a);
            assert!((share / expected - 1.0).abs() < 0.15, "a = {a}: {share} of {expected}");
            assert!((rhat(&chains) - 1.0).abs() < 0.01);
        }
    }

    #[test]
    fn chains_apart_are_seen() {
        // Four means of variance 5/3 around draws of variance 1, in halves: 8 halves, of variance 10/7.
        let chains = autoregressive(0.0, [0.0, 1.0, 2.0, 3.0]);
        assert!((rhat(&chains) - (1.0_f64 + 10.0 / 7.0).sqrt()).abs() < 0.02, "{}", rhat(&chains));
        assert!(effective(&chains) < 20.0);
        // A chain that drifts is seen in its halves.
        let drift: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!(rhat(&[drift.clone(), drift]) > 1.5);
    }
}
