//! What is left of two quantities once the settings are taken out.
//!
//! Kendall's partial τ, `(τ_xy − τ_xz τ_yz)/√((1 − τ_xz²)(1 − τ_yz²))`, is not zero when x and y depend on z alone: of
//! `x = z + e` and `y = z + e′` with independent normal z, e and e′, τ is 1/3, 1/2 and 1/2, and that formula gives 1/9.
//! Two statistics that are zero take its place.
//!
//! - *Where configurations were run with several seeds* (`between_seeds`): differences between two seeds at the same
//!   settings, and Kendall's τ of these differences over the configurations; the mean over pairs of seeds. What the
//!   settings do is in both seeds and leaves with the difference. Exchanging the two seeds turns all signs, so the
//!   expectation is zero whatever the distributions are, when x and y are independent given the settings. What a seed
//!   adds everywhere leaves too.
//! - *Where they were not*, as in a random design (`residual`, `nearest`): normal scores of either quantity less their
//!   least-squares fit by a cubic polynomial in the ranks of the settings and a constant for each seed; compared are
//!   runs of one seed that are nearest in their settings, and equal in settings that are no numbers. What the fit
//!   leaves of the settings is nearly the same in both.

use losscape_model::random::{Purpose, stream};
use rand::RngExt;
use rand::seq::SliceRandom;

use super::kendall::tau_b;

/// Draws of either kind that a variance is taken from.
const DRAWS: u64 = 100;

/// Runs that each is compared with.
const NEIGHBOURS: usize = 2;

/// Runs for each term of a fit, at least.
const RUNS_A_TERM: usize = 5;

/// The settings of runs.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// Settings that are numbers: one list with a value for each run.
    pub numbers: Vec<Vec<f64>>,
    /// What all other settings are together, numbered: one value for each run.
    pub kinds: Vec<usize>,
}

/// Both quantities by seed and configuration; absent where no run has both.
pub(super) type Grid = Vec<Vec<Option<(f64, f64)>>>;

/// The mean over pairs of seeds of Kendall's τ-b, over configurations, of the differences between them; and two
/// variances of it were x and y independent given the settings. `None` where the differences have no order.
///
/// Each is the mean square of draws that are distributed as the statistic on a condition of their own. Where seeds can
/// be exchanged, y's seeds are permuted, none in its place. Where seeds are unlike (in noise, say), but the differences
/// in a configuration lie as often above their median as below, the signs of y's differences, less their median, are
/// turned at random, in a configuration all alike.
pub(super) fn between_seeds(grid: &Grid) -> Option<(f64, [f64; 2])> {
    let seeds = grid.len();
    let theta = |of: &[usize], turn: Option<&[bool]>| {
        let (mut sum, mut count) = (0.0, 0.0);
        for s in 0..seeds {
            for u in 0..s {
                let of_configuration = |at: usize| {
                    let ((xs, _), (xu, _)) = (grid[s][at]?, grid[u][at]?);
                    let ((_, ys), (_, yu)) = (grid[of[s]][at]?, grid[of[u]][at]?);
                    Some((at, (xs - xu, ys - yu)))
                };
                let (places, mut differences): (Vec<usize>, Vec<(f64, f64)>) =
                    (0..grid[s].len()).filter_map(of_configuration).unzip();
                if let Some(turn) = turn {
                    let middle = median(differences.iter().map(|(_, y)| *y).collect());
                    let turned = differences.iter_mut().zip(&places).filter(|(_, at)| turn[**at]);
                    turned.for_each(|((_, y), _)| *y = 2.0 * middle - *y);
                }
                let tau = tau_b(&differences);
                if !tau.is_nan() {
                    sum += tau;
                    count += 1.0;
                }
            }
        }
        sum / count
    };
    let mut order: Vec<usize> = (0..seeds).collect();
    let value = Some(theta(&order, None)).filter(|value| !value.is_nan())?;
    let mut random = stream(0, Purpose::Bootstrap, 0);
    let mean_square = |draws: Vec<f64>| {
        let there: Vec<f64> = draws.into_iter().filter(|draw| !draw.is_nan()).collect();
        there.iter().map(|draw| draw * draw).sum::<f64>() / there.len() as f64
    };
    let turned = (0..DRAWS).map(|_| {
        let turn: Vec<bool> = grid[0].iter().map(|_| random.random()).collect();
        theta(&order, Some(&turn))
    });
    let turned = mean_square(turned.collect());
    let permuted = (0..DRAWS).map(|_| {
        order.shuffle(&mut random);
        while seeds > 1 && order.iter().enumerate().any(|(at, &to)| at == to) {
            order.shuffle(&mut random);
        }
        theta(&order, None)
    });
    Some((value, [mean_square(permuted.collect()), turned]))
}

/// The middle value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

/// Normal scores of a quantity less their least-squares fit by the settings and the seeds; NaN stays NaN. `None` where
/// there are too few runs for a fit of the second degree.
pub(super) fn residual(values: &[f64], strata: &[usize], seeds: usize, settings: &Settings) -> Option<Vec<f64>> {
    let there: Vec<usize> = (0..values.len()).filter(|&run| !values[run].is_nan()).collect();
    let scores = ranks(&there.iter().map(|&run| values[run]).collect::<Vec<_>>());
    let mut left: Vec<f64> = scores.into_iter().map(normal_quantile).collect();
    let of_kind = |run: usize| settings.kinds.get(run).copied().unwrap_or(0);
    let kinds = there.iter().map(|&run| of_kind(run) + 1).max().unwrap_or(1);
    let indicator =
        |of: &dyn Fn(usize) -> bool| there.iter().map(|&run| f64::from(u8::from(of(run)))).collect::<Vec<f64>>();
    let within: Vec<Vec<f64>> = (0..kinds).map(|kind| indicator(&|run| of_kind(run) == kind)).collect();
    let mut columns: Vec<Vec<f64>> = (0..seeds).map(|seed| indicator(&|run| strata[run] == seed)).collect();
    columns.extend(within.iter().skip(1).cloned());
    let linear: Vec<Vec<f64>> = settings
        .numbers
        .iter()
        .map(|of| ranks(&there.iter().map(|&run| of[run]).collect::<Vec<_>>()).iter().map(|u| 2.0 * u - 1.0).collect())
        .collect();
    let times = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).collect::<Vec<f64>>();
    // Products of one, two and three settings, each once, in every kind.
    let mut products: Vec<(usize, Vec<f64>)> = linear.iter().cloned().enumerate().collect();
    for degree in 1..=3 {
        if (columns.len() + kinds * products.len()) * RUNS_A_TERM > there.len() {
            if degree <= 2 && !linear.is_empty() {
                return None;
            }
            break;
        }
        columns.extend(products.iter().flat_map(|(_, column)| within.iter().map(|kind| times(kind, column))));
        products =
            products.iter().flat_map(|(last, column)| (0..=*last).map(|at| (at, times(column, &linear[at])))).collect();
    }
    let mut basis: Vec<Vec<f64>> = Vec::new();
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let remove = |from: &mut [f64], along: &[f64]| {
        let share = dot(from, along);
        from.iter_mut().zip(along).for_each(|(value, along)| *value -= share * along);
    };
    for mut column in columns {
        let before = dot(&column, &column);
        // Twice is enough (Parlett 1998, §6.9).
        (0..2).for_each(|_| basis.iter().for_each(|along| remove(&mut column, along)));
        let length = dot(&column, &column);
        if length > 1e-12 * before && length > 0.0 {
            column.iter_mut().for_each(|value| *value /= length.sqrt());
            remove(&mut left, &column);
            basis.push(column);
        }
    }
    let mut found = vec![f64::NAN; values.len()];
    there.iter().zip(left).for_each(|(&run, value)| found[run] = value);
    Some(found)
}

/// Every run of one seed with those of its kind that are nearest in the ranks of the settings, all that are equally
/// near among them.
pub(super) fn nearest(runs: &[usize], settings: &Settings) -> Vec<[usize; 2]> {
    let places: Vec<Vec<f64>> =
        settings.numbers.iter().map(|of| ranks(&runs.iter().map(|&run| of[run]).collect::<Vec<_>>())).collect();
    let kind = |at: usize| settings.kinds.get(runs[at]);
    let mut pairs = Vec::new();
    for a in 0..runs.len() {
        let mut others: Vec<(f64, usize)> = (0..runs.len())
            .filter(|&b| b != a && kind(a) == kind(b))
            .map(|b| (places.iter().map(|of| (of[a] - of[b]).powi(2)).sum(), b))
            .collect();
        let Some(last) = NEIGHBOURS.min(others.len()).checked_sub(1) else { continue };
        let reach = others.select_nth_unstable_by(last, |a, b| a.0.total_cmp(&b.0)).1.0;
        let near = others.iter().filter(|(distance, _)| *distance <= reach);
        pairs.extend(near.map(|&(_, b)| [runs[a.min(b)], runs[a.max(b)]]));
    }
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

/// Ranks between 0 and 1, of equal values their mean: `(rank − ½)/n`.
fn ranks(values: &[f64]) -> Vec<f64> {
    let n = values.len();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut found = vec![0.0; n];
    let mut start = 0;
    for run in order.chunk_by(|&a, &b| values[a] == values[b]) {
        let middle = start as f64 + run.len() as f64 / 2.0;
        run.iter().for_each(|&at| found[at] = middle / n as f64);
        start += run.len();
    }
    found
}

/// The quantile of the normal distribution, to 4.5e-4 (Hastings 1955; Abramowitz & Stegun 26.2.23): scores need no
/// more.
fn normal_quantile(share: f64) -> f64 {
    let t = (-2.0 * share.min(1.0 - share).ln()).sqrt();
    let above =
        t - (2.515_517 + t * (0.802_853 + t * 0.010_328)) / (1.0 + t * (1.432_788 + t * (0.189_269 + t * 0.001_308)));
    if share < 0.5 { -above } else { above }
}
