//! The interval of a rank correlation over runs that share seeds and configurations.
//!
//! A rank correlation is a mean of compared pairs, `θ = Σ_p w_p x_p y_p`: p is a pair of runs of one seed, `x_p` and
//! `y_p` are the signs of the differences of both quantities, `w_p` weights. Two pairs depend on each other when they
//! share a seed or a configuration (two-way clusters: Cameron, Gelbach & Miller 2011; Owen 2007). Were the quantities
//! unrelated,
//!
//! ```text
//! var θ = Σ_{p,q} w_p w_q E[x_p x_q] E[y_p y_q].
//! ```
//!
//! The expectations are those of the class of (p, q): in one seed or in two, with one configuration in common or with
//! both; pairs without a common configuration have none but for what a seed does to many configurations at once. Each
//! is taken as its mean over the class, from x alone and from y alone. That leaves little noise: estimating `E[x_p y_p
//! x_q y_q]` from products, as a jackknife or a bootstrap does, has as many degrees of freedom as there are seeds.
//!
//! Added is the larger of what two other variances exceed that sum by. What a seed does to many configurations at once,
//! as an initial network of some width does, is seen by comparing x of one seed with y of *another*: of unrelated
//! quantities that is the same statistic. (Seeds need configurations in common for that, and settings have none of it:
//! they are the same in every seed.) And where the relation itself differs from seed to seed, the statistics of the
//! seeds do, which is known as well as there are seeds: then with Student's quantile (Satterthwaite 1946).
//!
//! On the scale of artanh θ the variance depends little on θ (Fieller, Hartley & Pearson 1957). The half-width there is
//! `artanh(1.96 √var θ)`, so that zero is left out exactly when `|θ| > 1.96 √var θ`.

use std::collections::{BTreeMap, HashMap};

use serde::{Deserialize, Serialize};

use super::student::student;

/// A rank correlation, and how certain it is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Tau {
    /// The statistic from all runs, from −1 to 1.
    pub value: f64,
    /// Its 95 % interval; absent where seeds or configurations are too few, see
    /// [`Runs::suffice`](super::Runs::suffice).
    pub interval: Option<[f64; 2]>,
}

impl Tau {
    /// How far the interval is from zero: negative when zero is in it, absent without one.
    #[must_use]
    pub fn strength(&self) -> Option<f64> {
        self.interval.map(|[low, high]| low.max(-high))
    }

    /// Whether the interval leaves zero out.
    #[must_use]
    pub fn is_clear(&self) -> bool {
        self.strength().is_some_and(|strength| strength > 0.0)
    }
}

/// Two runs of one seed that are compared.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pair {
    /// The seed, counted from 0.
    pub stratum: usize,
    pub runs: [usize; 2],
    pub weight: f64,
}

/// Where runs stand.
pub(super) struct Crossing<'a> {
    /// The seed of each run, counted from 0.
    pub strata: &'a [usize],
    /// The configuration of each run, counted from 0.
    pub configurations: &'a [usize],
    /// How many seeds there are.
    pub seeds: usize,
    /// Whether any configuration was run with more than one seed.
    pub shared: bool,
}

/// The sign of a difference: −1, 0 or 1.
fn sign(difference: f64) -> f64 {
    f64::from(i8::from(difference > 0.0) - i8::from(difference < 0.0))
}

/// The 95 % interval of `θ = Σ_p w_p x_p y_p`, of pairs whose runs have both quantities.
pub(super) fn interval(theta: f64, pairs: &[Pair], crossing: &Crossing, x: &[f64], y: &[f64]) -> [f64; 2] {
    let sums = Sums::of(pairs, crossing, x, y);
    let (variance, quantile) = sums.variance(theta, pairs, crossing, x, y);
    ends(theta, quantile * variance.sqrt(), crossing.strata.len())
}

/// The interval around a rank correlation of so many runs which leaves out zero when it is larger than `reach`.
pub(super) fn ends(theta: f64, reach: f64, runs: usize) -> [f64; 2] {
    if reach >= 1.0 {
        return [-1.0, 1.0];
    }
    // Perfect order has no place on the scale: as if one run of them were out of it.
    let most = 1.0 - 1.0 / (runs.max(2) as f64);
    let (centre, half) = (theta.clamp(-most, most).atanh(), reach.atanh());
    [(centre - half).tanh().min(theta), (centre + half).tanh().max(theta)]
}

/// Sums over pairs of pairs that share something, of weights (`w`), of x and of y.
#[derive(Clone, Copy, Default)]
struct Shared {
    w: f64,
    x: f64,
    y: f64,
}

impl Shared {
    /// Adds the square of a sum.
    fn square(&mut self, of: [f64; 3]) {
        self.w += of[0] * of[0];
        self.x += of[1] * of[1];
        self.y += of[2] * of[2];
    }

    fn less(self, times: f64, other: Self) -> Self {
        Self { w: self.w - times * other.w, x: self.x - times * other.x, y: self.y - times * other.y }
    }

    /// `Σ w_p w_q` times the means of `x_p x_q` and of `y_p y_q` over the class.
    fn product(self) -> f64 {
        if self.w > 1e-12 { self.x * self.y / self.w } else { 0.0 }
    }
}

/// The variance of θ were the quantities unrelated, but for what seeds do to many configurations at once.
struct Sums {
    /// From pairs of pairs in one seed.
    same: f64,
    /// From pairs of pairs in two seeds.
    cross: f64,
}

impl Sums {
    fn of(pairs: &[Pair], crossing: &Crossing, x: &[f64], y: &[f64]) -> Self {
        let configurations = crossing.configurations.iter().max().map_or(0, |last| last + 1);
        let (mut of_run, mut of_configuration) =
            (vec![[0.0; 3]; crossing.strata.len()], vec![[0.0; 3]; configurations]);
        // In an order: sums of floats depend on it.
        let mut of_both: BTreeMap<[usize; 2], [f64; 3]> = BTreeMap::new();
        let mut itself = Shared::default();
        for Pair { runs: [a, b], weight, .. } in pairs {
            let [ca, cb] = [crossing.configurations[*a], crossing.configurations[*b]];
            let signed = [*weight, weight * sign(x[*a] - x[*b]), weight * sign(y[*a] - y[*b])];
            let turned = [signed[0], -signed[1], -signed[2]];
            itself.square(signed);
            add(&mut of_run[*a], signed);
            add(&mut of_run[*b], turned);
            add(&mut of_configuration[ca], signed);
            add(&mut of_configuration[cb], turned);
            if crossing.shared {
                let (key, oriented) = if ca < cb { ([ca, cb], signed) } else { ([cb, ca], turned) };
                add(of_both.entry(key).or_default(), oriented);
            }
        }
        let squares = |sums: &mut dyn Iterator<Item = [f64; 3]>| {
            let mut found = Shared::default();
            sums.for_each(|of| found.square(of));
            found
        };
        // A sum squared over the pairs of a run holds each of these pairs with itself, at either end.
        let in_seed = squares(&mut of_run.into_iter()).less(2.0, itself);
        let same = itself.product() + in_seed.product();
        if !crossing.shared {
            return Self { same, cross: 0.0 };
        }
        let both = squares(&mut of_both.into_values());
        let one = squares(&mut of_configuration.into_iter()).less(2.0, both);
        Self { same, cross: both.less(1.0, itself).product() + one.less(1.0, in_seed).product() }
    }

    /// The variance of θ, and the quantile that goes with it.
    fn variance(&self, theta: f64, pairs: &[Pair], crossing: &Crossing, x: &[f64], y: &[f64]) -> (f64, f64) {
        let seeds = crossing.seeds as f64;
        let plain = (self.same + self.cross).max(f64::EPSILON);
        if crossing.seeds < 2 {
            return (plain, student(f64::INFINITY));
        }
        // How far the statistics of two seeds are apart, were the sums all there is.
        let apart = seeds * self.same - self.cross * seeds / (seeds - 1.0);
        let beyond =
            |values: &[f64], scale: f64| (spread(values) * seeds / (seeds - 1.0) / scale - apart).max(0.0) / seeds;
        let mut own = vec![0.0; crossing.seeds];
        for pair in pairs {
            own[pair.stratum] += seeds * pair.weight * agreement(&pair.runs, x, y);
        }
        let differing = beyond(&own, (1.0 - theta * theta).max(1e-3).powi(2));
        let everywhere = exchanged(pairs, crossing, x, y).map_or(0.0, |exchanged| beyond(&exchanged, 1.0));
        let variance = plain + differing.max(everywhere);
        let freedom = variance.powi(2) * (seeds - 1.0) / differing.powi(2);
        (variance, student(if differing > everywhere { freedom } else { f64::INFINITY }))
    }
}

fn add(sum: &mut [f64; 3], of: [f64; 3]) {
    sum.iter_mut().zip(of).for_each(|(sum, of)| *sum += of);
}

/// Whether two runs are ordered alike by both quantities (1), oppositely (−1), or not at all by one (0).
pub(super) fn agreement([a, b]: &[usize; 2], x: &[f64], y: &[f64]) -> f64 {
    sign(x[*a] - x[*b]) * sign(y[*a] - y[*b])
}

/// Mean squared distance from the mean.
fn spread(values: &[f64]) -> f64 {
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / values.len() as f64
}

/// The statistic of x of each seed with y of every other, on the configurations that both have; `None` where that is
/// less than half of those of a seed.
fn exchanged(pairs: &[Pair], crossing: &Crossing, x: &[f64], y: &[f64]) -> Option<Vec<f64>> {
    // Settings are the same in every seed: exchanging seeds then exchanges nothing.
    let same_in_seeds = |of: &[f64]| {
        let mut first: HashMap<usize, f64> = HashMap::new();
        pairs.iter().flat_map(|pair| pair.runs).all(|run| {
            let value = of[run];
            *first.entry(crossing.configurations[run]).or_insert(value) == value
        })
    };
    if !crossing.shared || same_in_seeds(x) || same_in_seeds(y) {
        return None;
    }
    let seeds = crossing.seeds;
    let mut run_at = HashMap::new();
    for pair in pairs {
        for run in pair.runs {
            run_at.insert((crossing.strata[run], crossing.configurations[run]), run);
        }
    }
    let mut found = vec![0.0; seeds * seeds];
    let (mut there, mut whole) = (vec![0.0; seeds * seeds], vec![0.0; seeds]);
    for pair in pairs {
        let [a, b] = pair.runs;
        whole[pair.stratum] += pair.weight;
        for other in (0..seeds).filter(|&other| other != pair.stratum) {
            let at = |run: usize| run_at.get(&(other, crossing.configurations[run])).copied();
            let (Some(c), Some(d)) = (at(a), at(b)) else { continue };
            there[pair.stratum * seeds + other] += pair.weight;
            found[pair.stratum * seeds + other] += pair.weight * sign(x[a] - x[b]) * sign(y[c] - y[d]);
        }
    }
    let mut values = Vec::new();
    for (seed, whole) in whole.into_iter().enumerate() {
        for other in (0..seeds).filter(|&other| other != seed) {
            let at = seed * seeds + other;
            if there[at] < 0.5 * whole || there[at] == 0.0 {
                return None;
            }
            values.push(seeds as f64 * found[at] * whole / there[at]);
        }
    }
    Some(values)
}
