//! The pigeonhole bootstrap: seeds and configurations are drawn with replacement, independently of each other (Owen 2007).
//!
//! A run is a seed crossed with a configuration, as a rating is a person crossed with a film. Drawing runs as if they were independent would make intervals several times
//! too narrow, and so would drawing configurations with all seeds held fast: six seeds remain six, with however many settings they are combined.

use std::collections::BTreeMap;

use rand::{Rng, RngExt};

use super::kendall::tau_b;
use super::student;

/// Resamples of a bootstrap: the ends of a 95 % interval are then known to about a tenth of its width (Efron & Tibshirani 1993, §13.3 advise as many).
pub const RESAMPLES: usize = 1000;

/// The fewest seeds, and the fewest configurations, that say anything about others: an interval from four numbers would mostly be an accident.
pub const FEWEST: usize = 5;

/// Where a run stands among the runs it is seen with; both are any numbers that tell them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its seed.
    pub seed: usize,
    /// Its settings without the seed.
    pub configuration: usize,
}

/// Runs by seeds and configurations.
#[derive(Debug, Clone)]
pub struct Runs {
    /// The runs of each seed. Where no two runs share one: all of them, for comparing across seeds is then all that can be done.
    strata: Vec<Vec<usize>>,
    /// The configuration of each run, counted from 0; the run itself where no two share a seed.
    configurations: Vec<usize>,
    /// How many configurations there are.
    distinct: usize,
    /// Whether seeds are shared, and drawn.
    crossed: bool,
}

impl Runs {
    /// Runs at these places.
    #[must_use]
    pub fn new(places: &[Place]) -> Self {
        let mut seeds: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (run, place) in places.iter().enumerate() {
            seeds.entry(place.seed).or_default().push(run);
        }
        if seeds.values().all(|runs| runs.len() == 1) {
            let all: Vec<usize> = (0..places.len()).collect();
            return Self { strata: vec![all.clone()], configurations: all, distinct: places.len(), crossed: false };
        }
        let mut known: BTreeMap<usize, usize> = BTreeMap::new();
        let mut number = |place: &Place| {
            let next = known.len();
            *known.entry(place.configuration).or_insert(next)
        };
        let configurations = places.iter().map(&mut number).collect();
        let distinct = known.len();
        Self { strata: seeds.into_values().collect(), configurations, distinct, crossed: true }
    }

    /// Whether there are enough seeds and configurations for intervals: [`FEWEST`] of either, or twice as many runs that share no seed.
    #[must_use]
    pub fn suffice(&self) -> bool {
        if self.crossed { self.strata.len() >= FEWEST && self.distinct >= FEWEST } else { self.distinct >= 2 * FEWEST }
    }

    /// The 95 % interval of a rank correlation: percentiles of its values in resamples, moved away from its value by `√(n/(n − 1)) t/1.96`, with n the smaller of the numbers of
    /// seeds and configurations and t Student's quantile for n − 1 degrees of freedom. Percentiles alone are as much too narrow as a normal interval from n numbers with
    /// their uncorrected standard deviation (narrowness bias; Hesterberg 2015 takes percentiles further out instead).
    #[must_use]
    pub fn interval(&self, value: f64, resampled: impl IntoIterator<Item = f64>) -> [f64; 2] {
        let units = if self.crossed { self.strata.len().min(self.distinct) } else { self.distinct };
        let n = units.max(2) as f64;
        let wider = (n / (n - 1.0)).sqrt() * student(units.max(2) - 1) / 1.96;
        percentiles(resampled).map(|end| (value + wider * (end - value)).clamp(-1.0, 1.0))
    }

    /// Every run once.
    #[must_use]
    pub fn whole(&self) -> Sample {
        Sample { strata: self.strata.iter().map(|runs| (1.0, runs.clone())).collect() }
    }

    /// As many seeds and as many configurations as there are, each drawn with replacement: a run comes as often as its seed times its configuration.
    #[must_use]
    pub fn draw(&self, random: &mut impl Rng) -> Sample {
        let mut count = |of: usize| {
            let mut counts = vec![0usize; of];
            (0..of).for_each(|_| counts[random.random_range(0..of)] += 1);
            counts
        };
        let seeds = if self.crossed { count(self.strata.len()) } else { vec![1] };
        let times = count(self.distinct);
        let drawn = |runs: &Vec<usize>| {
            runs.iter().flat_map(|&run| std::iter::repeat_n(run, times[self.configurations[run]])).collect()
        };
        let strata = self.strata.iter().zip(seeds).filter(|(_, weight)| *weight > 0);
        Sample { strata: strata.map(|(runs, weight)| (weight as f64, drawn(runs))).collect() }
    }
}

/// Runs of several seeds, some perhaps more than once.
#[derive(Debug, Clone)]
pub struct Sample {
    /// For each seed how often it counts, and its runs in ascending order.
    strata: Vec<(f64, Vec<usize>)>,
}

impl Sample {
    /// The mean over seeds of Kendall's τ-b between two quantities of the runs; runs without one of both (NaN) are passed over, and so are seeds without order. NaN when
    /// none is left.
    #[must_use]
    pub fn tau(&self, x: &[f64], y: &[f64]) -> f64 {
        self.mean(|runs| {
            let pairs = runs.iter().map(|&run| (x[run], y[run])).filter(|(x, y)| !x.is_nan() && !y.is_nan());
            tau_b(&pairs.collect::<Vec<_>>())
        })
    }

    /// Granulated τ (Jiang et al. 2020, eq. 6): the mean over seeds of the mean over groups of `(C − D)/pairs`, with `groups` the group of each run. A run drawn twice makes no
    /// pair with itself. NaN when no group has two runs, or the first quantity is the same in all groups.
    #[must_use]
    pub fn granulated(&self, groups: &[usize], x: &[f64], y: &[f64]) -> f64 {
        let mut varies = false;
        let mean = self.mean(|runs| {
            let mut of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            for &run in runs.iter().filter(|&&run| !x[run].is_nan() && !y[run].is_nan()) {
                of.entry(groups[run]).or_default().push(run);
            }
            let (mut sum, mut found) = (0.0, 0.0);
            for members in of.values() {
                let (mut balance, mut pairs) = (0.0, 0.0);
                for (at, &a) in members.iter().enumerate() {
                    for &b in members[..at].iter().filter(|&&b| b != a) {
                        varies |= x[a] != x[b];
                        balance += sign(x[a] - x[b]) * sign(y[a] - y[b]);
                        pairs += 1.0;
                    }
                }
                if pairs > 0.0 {
                    sum += balance / pairs;
                    found += 1.0;
                }
            }
            sum / found
        });
        if varies { mean } else { f64::NAN }
    }

    /// The mean over seeds of a statistic of their runs, where it is a number.
    fn mean(&self, mut statistic: impl FnMut(&[usize]) -> f64) -> f64 {
        let (mut sum, mut weights) = (0.0, 0.0);
        for (weight, runs) in &self.strata {
            let value = statistic(runs);
            if !value.is_nan() {
                sum += weight * value;
                weights += weight;
            }
        }
        sum / weights
    }
}

fn sign(difference: f64) -> f64 {
    if difference > 0.0 {
        1.0
    } else if difference < 0.0 {
        -1.0
    } else {
        0.0
    }
}

/// The 2.5 % and 97.5 % percentiles of values; one that is no number, as that of a resample without order, counts as zero.
#[must_use]
pub fn percentiles(values: impl IntoIterator<Item = f64>) -> [f64; 2] {
    let mut values: Vec<f64> = values.into_iter().map(|value| if value.is_nan() { 0.0 } else { value }).collect();
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|share| quantile(&values, share))
}

/// A quantile of sorted values, linear between them (type 7 of Hyndman & Fan 1996, NumPy's default).
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[at.floor() as usize], sorted[at.ceil() as usize]);
    below + at.fract() * (above - below)
}
