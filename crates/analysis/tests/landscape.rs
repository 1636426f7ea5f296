//! What batches feel, how the volume around a minimum shrinks, and what lies between two minima: where the answer is
//! known.

use crate::common::{Problem, device, numbers, random, tensor};
use burn::tensor::{DType, Tensor};
use losscape_analysis::batch_sharpness::batch_sharpness;
use losscape_analysis::connectivity::{Way, barrier};
use losscape_analysis::learning_coefficient::{ChainSettings, LearningCoefficient};
use losscape_analysis::{Mode, Objective};
use losscape_krylov::{SymmetricOperator, inner};
use losscape_model::{Activation, Loss, Mlp, MlpConfig};
use losscape_tangent::parameters::unravel;

/// All pairs of five samples, each with gradient and Hessian of its own objective, made from its rows.
#[test]
fn batch_sharpness_is_the_mean_over_batches() {
    let seed = (0..).find(|&seed| Problem::draw(seed).y.dims()[0] == 5).expect("one of them has five samples");
    let problem = Problem::draw(seed);
    let objective = problem.objective();
    let point = objective.here().expect("finite");
    let rows = |tensor: &Tensor<2>, rows: [usize; 2]| {
        Tensor::cat(rows.map(|row| tensor.clone().narrow(0, row, 1)).to_vec(), 0)
    };
    let mut ratios = Vec::new();
    for a in 0..5 {
        for b in a + 1..5 {
            let (x, y) = (rows(&problem.x, [a, b]), rows(&problem.y, [a, b]));
            let pair = Objective::new(problem.network.clone(), x, y, problem.loss).expect("it can be measured");
            let at = pair.here().expect("finite");
            let g = at.gradient();
            ratios.push(inner(g, &at.hessian().apply(g.clone())) / inner(g, g));
        }
    }
    let mean = ratios.iter().sum::<f64>() / ratios.len() as f64;
    let spread = ratios.iter().map(|ratio| (ratio - mean).powi(2)).sum::<f64>() / ratios.len() as f64;
    let draws = 4000;
    let found = batch_sharpness(&point, 2, draws, &mut random(1)).expect("possible").expect("gradients are not zero");
    let expected = (spread / draws as f64).sqrt();
    assert!((found.mean - mean).abs() < 4.0 * expected, "{found:?} {mean} ± {expected}");
    assert!((found.sem.expect("there are draws") / expected - 1.0).abs() < 0.1, "{found:?} {expected}");
    let whole = batch_sharpness(&point, 5, 1, &mut random(1)).expect("possible").expect("there is a gradient");
    let g = point.gradient();
    let exact = inner(g, &point.hessian().apply(g.clone())) / inner(g, g);
    assert_eq!((whole.mean, whole.sem), (exact, Some(0.0)));
}

#[test]
fn rows_of_an_objective_are_an_objective() {
    let problem = Problem::draw(3);
    let (objective, n) = (problem.objective(), problem.y.dims()[0]);
    let w = objective.parameters();
    let all: f64 = (0..n).map(|row| objective.of_rows(&[row]).value(&w).expect("possible")).sum();
    // Of one sample mean and sum are the same.
    let sum = objective.value(&w).expect("possible") / objective.scale() * objective.of_rows(&[0]).scale();
    assert!((all - sum).abs() < 1e-12 * sum.abs().max(1.0), "{all} {sum}");
    assert_eq!(objective.in_mode(Mode::Batch).of_rows(&[0]).mode(), Mode::Batch);
}

/// A deep linear network without biases whose loss is exactly `½‖W_L … W_1 − W*‖²_F`, at the most singular of its
/// solutions: every layer has ones on the first r places of its diagonal.
fn deep_linear(widths: &[usize], rank: usize) -> (Objective<Mlp>, Tensor<1>) {
    let inputs = widths[0];
    let config = MlpConfig::new(&widths[1..widths.len() - 1]).with_activation(Activation::Identity).with_bias(false);
    let network = config.init(inputs, widths[widths.len() - 1], 0, &device(), DType::F64).expect("it fits");
    let diagonal = |rows: usize, columns: usize, value: f64, rank: usize| {
        let mut at = 0;
        tensor([rows, columns], || {
            at += 1;
            let (row, column) = ((at - 1) / columns, (at - 1) % columns);
            if row == column && row < rank { value } else { 0.0 }
        })
    };
    let weights: Vec<Tensor<1>> =
        widths.windows(2).map(|pair| diagonal(pair[1], pair[0], 1.0, rank).reshape([-1])).collect();
    let w = Tensor::cat(weights, 0);
    // n = d samples √n e_i: XᵀX/n is the identity.
    let x = diagonal(inputs, inputs, (inputs as f64).sqrt(), inputs);
    let y = diagonal(inputs, widths[widths.len() - 1], (inputs as f64).sqrt(), rank);
    let network = unravel(network, &w).expect("as many as parameters");
    (Objective::new(network, x, y, Loss::squared_error()).expect("it can be measured"), w)
}

/// The learning coefficient of a deep linear network (Aoyagi 2024, Theorem 1), and its multiplicity.
fn aoyagi(widths: &[usize], rank: usize) -> (f64, usize) {
    let mut rest: Vec<f64> = widths.iter().map(|width| (width - rank) as f64).collect();
    rest.sort_by(f64::total_cmp);
    // The smallest ℓ + 1 differences that satisfy its conditions.
    let count = (2..=rest.len()).rev().find(|&count| {
        let (sum, l) = (rest[..count].iter().sum::<f64>(), (count - 1) as f64);
        sum >= l * rest[count - 1] && rest.get(count).is_none_or(|next| sum < l * next)
    });
    let count = count.expect("one is");
    let (chosen, l) = (&rest[..count], (count - 1) as f64);
    let sum: f64 = chosen.iter().sum();
    let a = sum - ((sum / l).ceil() - 1.0) * l;
    let pairs = 0.5 * (sum * sum - chosen.iter().map(|value| value * value).sum::<f64>());
    let (r, ends) = (rank as f64, (widths[0] + widths[widths.len() - 1]) as f64);
    let coefficient =
        0.5 * (r * ends - r * r) + a * (l - a) / (4.0 * l) - (l - 1.0) / (4.0 * l) * sum * sum + 0.5 * pairs;
    (coefficient, (a * (l - a)) as usize + 1)
}

#[test]
fn aoyagis_coefficient_is_that_of_what_is_known() {
    // One layer is regular: half its parameters.
    assert_eq!(aoyagi(&[3, 4], 2), (6.0, 1));
    // (ab)² has ½, twice.
    assert_eq!(aoyagi(&[1, 1, 1], 0), (0.5, 2));
    // (abc)² has ½, three times; here a(ℓ − a) + 1 = 3.
    assert_eq!(aoyagi(&[1, 1, 1, 1], 0), (0.5, 3));
    // Reduced rank regression (Aoyagi & Watanabe 2005, case 1): M = N = H = 2, r = 0, of even sum, is 12/8.
    assert_eq!(aoyagi(&[2, 2, 2], 0), (1.5, 1));
}

#[test]
fn learning_coefficients_are_those_of_known_minima() {
    let settings = ChainSettings { inverse_temperature: Some(3000.0), draws: 4000, ..ChainSettings::default() };
    for (at, (widths, rank)) in
        [(vec![2, 3], 1), (vec![2, 2, 2], 0), (vec![3, 2, 3], 1), (vec![2, 2, 2], 2)].iter().enumerate()
    {
        let (objective, w) = deep_linear(widths, *rank);
        let (expected, _) = aoyagi(widths, *rank);
        let chains = |chain: usize| random(100 * at as u64 + chain as u64);
        let found = LearningCoefficient::at(&objective, &w, &settings, chains, |_| {}).expect("possible");
        let (value, error) = (found.value.expect("chains mix"), found.error.expect("it has one"));
        assert!(
            (value - expected).abs() < error && error < 0.5 * expected + 0.3,
            "{widths:?}, rank {rank}: {value} ± {error}, {expected}"
        );
    }
}

#[test]
fn a_learning_coefficient_is_refused_where_it_is_none() {
    let (objective, w) = deep_linear(&[2, 3], 1);
    let settings = ChainSettings { inverse_temperature: Some(3000.0), ..ChainSettings::default() };
    let at = |w: &Tensor<1>, settings| {
        LearningCoefficient::at(&objective, w, &settings, |chain| random(chain as u64), |_| {})
    };
    let away = at(&(w.clone() + 0.2), settings).expect("possible");
    assert!(away.value.is_none() && away.refused.expect("it is").contains("no minimum"));
    let short = at(&w, ChainSettings { burn_in: 0, draws: 40, chains: 2, ..settings }).expect("possible");
    assert!(short.value.is_none(), "{short:?}");
}

/// From one minimum of a deep linear network to the one with the signs of its units changed.
#[test]
fn the_barrier_of_a_line_between_mirrored_minima() {
    // y = a b x with a b = 1: from (1, 1) to (−1, −1) the line passes (0, 0), whose loss is ½.
    let (objective, _) = deep_linear(&[1, 1, 1], 1);
    let point = |a: f64| tensor([2], || a);
    for (end, steps) in [(-1.0, 3), (-1.0, 7), (-1.0, 20), (-1.2, 4), (-1.2, 20)] {
        let way = Way::of([point(1.0), point(end)]);
        let found = barrier(&objective, &way, steps).expect("possible");
        let (height, error) = (found.height.expect("finite"), found.error.expect("finite"));
        // Against a dense line.
        let last = objective.value(&point(end)).expect("possible");
        let dense = (0..=2000).map(|at| {
            let s = f64::from(at) / 2000.0;
            objective.value(&way.at(s)).expect("possible") - s * last
        });
        let highest = dense.fold(0.0_f64, f64::max);
        assert!((height - highest).abs() < 1e-6 + error, "{end}, {steps}: {height} {highest}");
        if end == -1.0 {
            assert!((height - 0.5).abs() <= 1e-6 + error && (found.at - 0.5).abs() < 1e-3, "{steps}: {found:?}");
        }
    }
    // Where nothing rises there is none.
    let level = barrier(&objective, &Way::of([point(1.0), point(1.0)]), 5).expect("possible");
    assert_eq!(level.height, Some(0.0));
}

#[test]
fn shares_of_a_curve_are_bernsteins() {
    let points = [[1.0, 0.0], [3.0, -2.0], [0.5, 4.0]].map(|values| {
        let mut values = values.into_iter();
        tensor([2], || values.next().expect("two"))
    });
    let way = Way::of(points.to_vec());
    for s in [0.0, 0.3, 1.0_f64] {
        let shares = [(1.0 - s).powi(2), 2.0 * s * (1.0 - s), s * s];
        assert!(way.shares(s).iter().zip(shares).all(|(a, b)| (a - b).abs() < 1e-15));
        let expected = points.iter().zip(shares).map(|(point, share)| point.clone() * share).reduce(|a, b| a + b);
        let apart = numbers(way.at(s) - expected.expect("three")).iter().map(|x| x.abs()).fold(0.0, f64::max);
        assert!(apart < 1e-15);
    }
}
