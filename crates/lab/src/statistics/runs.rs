//! Runs as they are crossed by seeds and configurations.

use std::collections::BTreeMap;

use super::interval::{Crossing, Pair, Tau, agreement, ends, interval};
use super::kendall::tau_b;
use super::partial::{self, Settings};
use super::student::student;

/// The fewest seeds, and the fewest configurations, that say anything about others: an interval from four numbers would
/// mostly be an accident.
pub const FEWEST: usize = 5;

/// The most pairs of one seed that its part of a variance is taken from.
const MOST_PAIRS: usize = 1 << 20;

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
    /// The seed of each run, counted from 0. Where most runs have a seed of their own, all have the same: comparing
    /// across seeds is then what can be done.
    strata: Vec<usize>,
    seeds: usize,
    /// The configuration of each run, counted from 0; the run itself where most have a seed of their own.
    configurations: Vec<usize>,
    /// How many configurations there are.
    distinct: usize,
    /// Whether seeds are shared.
    crossed: bool,
}

impl Runs {
    /// Runs at these places.
    #[must_use]
    pub fn new(places: &[Place]) -> Self {
        let (strata, seeds) = numbered(places.iter().map(|place| place.seed));
        if 2 * seeds > places.len() {
            let configurations = (0..places.len()).collect();
            return Self {
                strata: vec![0; places.len()],
                seeds: 1,
                configurations,
                distinct: places.len(),
                crossed: false,
            };
        }
        let (configurations, distinct) = numbered(places.iter().map(|place| place.configuration));
        Self { strata, seeds, configurations, distinct, crossed: true }
    }

    /// Whether there are enough seeds and configurations for intervals: [`FEWEST`] of either, or twice as many runs
    /// that share no seed.
    #[must_use]
    pub fn suffice(&self) -> bool {
        if self.crossed { self.seeds >= FEWEST && self.distinct >= FEWEST } else { self.distinct >= 2 * FEWEST }
    }

    /// Kendall's τ-b among the runs of one seed, the mean over seeds. Runs without one of both quantities (NaN) are
    /// passed over, and so are seeds without order. `None` when none is left.
    #[must_use]
    pub fn tau(&self, x: &[f64], y: &[f64]) -> Option<Tau> {
        let members: Vec<Vec<usize>> = self.members(x, y);
        let values: Vec<f64> =
            members.iter().map(|runs| tau_b(&runs.iter().map(|&run| (x[run], y[run])).collect::<Vec<_>>())).collect();
        let value = mean(&values)?;
        let pairs = members.iter().zip(&values).enumerate().filter(|(_, (_, value))| !value.is_nan());
        let lists = pairs.map(|(stratum, (runs, _))| (stratum, all_pairs(runs))).collect();
        self.judged(value, normalized(lists, x, y), x, y)
    }

    /// Granulated τ (Jiang et al. 2020, eq. 6 to 8): for each axis the mean over seeds of the mean over groups of
    /// `(C − D)/pairs`, and the mean over the axes in whose groups x varies. An axis is the group of each run: runs
    /// that differ in the axis alone share one. The values are NaN where no two runs do, or x is the same in all
    /// groups.
    #[must_use]
    pub fn granulated(&self, axes: &[Vec<usize>], x: &[f64], y: &[f64]) -> (Vec<f64>, Option<Tau>) {
        let members = self.members(x, y);
        let of_axes: Vec<(f64, Vec<Pair>)> = axes.iter().map(|groups| self.by(groups, &members, x, y)).collect();
        let values: Vec<f64> = of_axes.iter().map(|(value, _)| *value).collect();
        let Some(value) = mean(&values) else { return (values, None) };
        let used = values.iter().filter(|value| !value.is_nan()).count() as f64;
        let pairs = of_axes.into_iter().filter(|(value, _)| !value.is_nan()).flat_map(|(_, pairs)| pairs);
        let pairs = pairs.map(|pair| Pair { weight: pair.weight / used, ..pair }).collect();
        (values, self.judged(value, pairs, x, y))
    }

    /// The granulated τ of one axis, with its pairs.
    fn by(&self, groups: &[usize], members: &[Vec<usize>], x: &[f64], y: &[f64]) -> (f64, Vec<Pair>) {
        let mut pairs = Vec::new();
        let mut of_seeds = Vec::new();
        for (stratum, runs) in members.iter().enumerate() {
            let mut of: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
            runs.iter().for_each(|&run| of.entry(groups[run]).or_default().push(run));
            let of: Vec<Vec<[usize; 2]>> = of.values().map(|runs| all_pairs(runs)).filter(|l| !l.is_empty()).collect();
            let balance = |list: &Vec<[usize; 2]>| list.iter().map(|runs| agreement(runs, x, y)).sum::<f64>();
            let of_groups: Vec<f64> = of.iter().map(|list| balance(list) / list.len() as f64).collect();
            of_seeds.extend(mean(&of_groups));
            for list in &of {
                let weight = 1.0 / (of.len() * list.len()) as f64;
                pairs.extend(list.iter().map(|&runs| Pair { stratum, runs, weight }));
            }
        }
        pairs.iter_mut().for_each(|pair| pair.weight /= of_seeds.len() as f64);
        let varies = pairs.iter().any(|Pair { runs: [a, b], .. }| x[*a] != x[*b]);
        (mean(&of_seeds).filter(|_| varies).unwrap_or(f64::NAN), pairs)
    }

    /// The rank correlation that is left when what the settings do is taken out; zero when both quantities depend on
    /// the settings and not on each other. See [`partial`] for how. `None` where the settings leave nothing.
    #[must_use]
    pub fn partial(&self, settings: &Settings, x: &[f64], y: &[f64]) -> Option<Tau> {
        if self.crossed && self.strata.len() >= 2 * self.distinct {
            let (value, [permuted, turned]) = partial::between_seeds(&self.grid(x, y))?;
            // Of few configurations the permuted ranks say less than their variance is worth.
            let reach = student(self.distinct as f64 - 1.0) * permuted.sqrt();
            let reach = reach.max(student(f64::INFINITY) * turned.sqrt());
            let interval = self.suffice().then(|| ends(value, reach, self.strata.len()));
            return Some(Tau { value, interval });
        }
        let members = self.members(x, y);
        let residual = |of| partial::residual(of, &self.strata, self.seeds, settings);
        let (x, y) = (residual(x)?, residual(y)?);
        let lists = members.iter().enumerate().map(|(stratum, runs)| (stratum, partial::nearest(runs, settings)));
        let pairs = normalized(lists.collect(), &x, &y);
        let value = Some(weighed(&pairs, &x, &y)).filter(|_| !pairs.is_empty())?;
        self.judged(value, pairs, &x, &y)
    }

    /// Both quantities by seed and configuration, where a run has both.
    fn grid(&self, x: &[f64], y: &[f64]) -> Vec<Vec<Option<(f64, f64)>>> {
        let mut grid = vec![vec![None; self.distinct]; self.seeds];
        for (run, (&x, &y)) in x.iter().zip(y).enumerate().filter(|(_, (x, y))| !x.is_nan() && !y.is_nan()) {
            grid[self.strata[run]][self.configurations[run]] = Some((x, y));
        }
        grid
    }

    /// The runs of each seed that have both quantities.
    fn members(&self, x: &[f64], y: &[f64]) -> Vec<Vec<usize>> {
        let mut members = vec![Vec::new(); self.seeds];
        for run in (0..self.strata.len()).filter(|&run| !x[run].is_nan() && !y[run].is_nan()) {
            members[self.strata[run]].push(run);
        }
        members
    }

    /// A value with its interval, from the pairs that it is a mean of.
    fn judged(&self, value: f64, mut pairs: Vec<Pair>, x: &[f64], y: &[f64]) -> Option<Tau> {
        if value.is_nan() {
            return None;
        }
        // Seeds that gave a value, counted from 0.
        let (strata, seeds) = numbered(pairs.iter().map(|pair| pair.stratum));
        pairs.iter_mut().zip(&strata).for_each(|(pair, &stratum)| pair.stratum = stratum);
        let mut of_runs = vec![usize::MAX; self.strata.len()];
        pairs.iter().for_each(|pair| pair.runs.iter().for_each(|&run| of_runs[run] = pair.stratum));
        let shared = self.distinct < self.strata.len();
        let crossing = Crossing { strata: &of_runs, configurations: &self.configurations, seeds, shared };
        let enough = self.suffice() && (!self.crossed || seeds >= FEWEST);
        Some(Tau { value, interval: enough.then(|| interval(value, &pairs, &crossing, x, y)) })
    }
}

/// Numbers from 0 on in the order of first appearance, and how many there are.
fn numbered(of: impl Iterator<Item = usize>) -> (Vec<usize>, usize) {
    let mut known: BTreeMap<usize, usize> = BTreeMap::new();
    let numbers = of
        .map(|value| {
            let next = known.len();
            *known.entry(value).or_insert(next)
        })
        .collect();
    (numbers, known.len())
}

/// Every two of the runs; of very many, those at evenly spread distances in their order.
fn all_pairs(runs: &[usize]) -> Vec<[usize; 2]> {
    let n = runs.len();
    let distances = n.saturating_sub(1);
    let step = (n * distances / 2).div_ceil(MOST_PAIRS).max(1);
    let apart = (1..=distances).step_by(step);
    apart.flat_map(|apart| (apart..n).map(move |at| [runs[at - apart], runs[at]])).collect()
}

/// Pairs weighed so that `Σ w x y` is the mean over seeds of `(C − D)/√(pairs that differ in x · in y)`; seeds without
/// order are left out.
fn normalized(lists: Vec<(usize, Vec<[usize; 2]>)>, x: &[f64], y: &[f64]) -> Vec<Pair> {
    let differ = |list: &[[usize; 2]], of: &[f64]| list.iter().filter(|[a, b]| of[*a] != of[*b]).count() as f64;
    let with: Vec<(usize, Vec<[usize; 2]>, f64)> = lists
        .into_iter()
        .map(|(stratum, list)| {
            let norm = (differ(&list, x) * differ(&list, y)).sqrt();
            (stratum, list, norm)
        })
        .filter(|(_, _, norm)| *norm > 0.0)
        .collect();
    let seeds = with.len() as f64;
    let pairs = with.into_iter().flat_map(|(stratum, list, norm)| {
        list.into_iter().map(move |runs| Pair { stratum, runs, weight: 1.0 / (seeds * norm) })
    });
    pairs.collect()
}

/// `Σ w x y`.
fn weighed(pairs: &[Pair], x: &[f64], y: &[f64]) -> f64 {
    pairs.iter().map(|pair| pair.weight * agreement(&pair.runs, x, y)).sum()
}

/// The mean of those that are numbers.
fn mean(values: &[f64]) -> Option<f64> {
    let there: Vec<f64> = values.iter().copied().filter(|value| !value.is_nan()).collect();
    (!there.is_empty()).then(|| there.iter().sum::<f64>() / there.len() as f64)
}
