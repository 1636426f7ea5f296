//! Gradient descent on a convex function never moves away from a minimizer.

use burn::tensor::Tensor;

use super::false_statement::tighter;
use super::problem::{draws, geometric, gradient_descent, log_slope, norm};
use super::{
    Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::{Function, descend},
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "initialization-distance",
    family: Family::Convergence,
    printed: concat!(
        r"the distance to the optimum is largest at the initialization; if it is far away, we need to take many more ",
        r"steps",
    ),
    exact: concat!(
        r"$\|w_{t+1}-w^*\|\le\|w_t-w^*\|$ for convex $L$-smooth $f$ and $\alpha\le\frac2L$, not beyond; on logistic ",
        r"regression and the Huber function twice as far takes more steps (on $\frac L2\|w\|^2$ one of $\frac1L$ does ",
        r"from anywhere), at most $\frac{L\|w_0-w^*\|^2}{4\delta}-\frac12$, rounded up, to a gap of $\delta$; on the ",
        r"worst function for each distance just so many, a number that goes with the square of the distance",
    ),
    source: "lecture notes, Effects from Initialization; Nesterov 2018, Theorem 2.1.14; Drori & Teboulle 2014, \
             Theorems 1 and 2",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("every step comes nearer by a tenth", "‖w⁺ − w*‖ ≤", tighter),
        FalseStatement::pairs("longer steps do not move away either", "2.2/L", |pair| Pair {
            right: 0.5 * pair.left,
            ..pair
        }),
        FalseStatement::pairs("a far start takes as many steps", "twice as far", |pair| Pair {
            right: pair.left - 1.0,
            ..pair
        }),
        FalseStatement::pairs("0.9 of the steps are enough", "steps to a gap of δ ≤", tighter),
        FalseStatement::pairs("on the worst functions 0.9 of the steps are enough", "steps to a gap =", tighter),
        FalseStatement::pairs("steps on the worst functions go like the distance", "slope of the steps", exponent::<1>),
        FalseStatement::pairs("steps on the worst functions go like its cube", "slope of the steps", exponent::<3>),
        FalseStatement::pairs("the gap after 100 steps goes like the distance", "slope of the gap", exponent::<1>),
        FalseStatement::pairs("the gap after 100 steps goes like its cube", "slope of the gap", exponent::<3>),
        FalseStatement::pairs("steps on one Huber function go like its square", "on one Huber", exponent::<2>),
    ],
    measure,
};

/// Another exponent.
fn exponent<const POWER: usize>(pair: Pair) -> Pair {
    Pair { left: POWER as f64, ..pair }
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let steps = bench.effort.of(300, 3000);
    let mut series = Vec::new();
    let mut pairs = Vec::new();
    let mut follow = |name: String, rate: f64, [start, solution]: [Tensor<1>; 2], f: Function| {
        let mut distances = Vec::new();
        descend(&gradient_descent(rate), start, steps, f, |at| {
            distances.push((at.step as f64, norm(&(at.w - solution.clone()))));
            Ok(true)
        })?;
        let first = distances[0].1;
        // Near the solution distances are rounding.
        let windows = distances.windows(2).filter(|pair| pair[0].1 > 1e-10 * first);
        pairs.extend(windows.map(|pair| (pair[1].1, pair[0].1)));
        series.push(Series::measured(name, distances));
        Ok::<(), LabError>(())
    };
    let (objective, _, solution) = bench.least_squares(&geometric(0.01, 4.0, 10), [30, 10], 0.0, bench.seed)?;
    let logistic = bench.logistic(200, 10, bench.seed)?;
    for factor in [1.0, 2.0] {
        let points = [bench.vector(&[1.0; 10]), solution.clone()];
        follow(format!("least squares, {factor}/L"), factor / 4.0, points, &|w| Ok(objective.gradient(w)?))?;
        let points = [bench.vector(&[1.0; 10]), logistic.solution.clone()];
        let rate = factor / logistic.smoothness;
        follow(format!("logistic regression, {factor}/L"), rate, points, &|w| Ok(logistic.value(w)))?;
    }
    // At 2/L the component along the top eigenvector stays as far as it is.
    let name = "‖w⁺ − w*‖ ≤ ‖w − w*‖: least squares and logistic regression at 1/L and 2/L";
    evidence.check(Check::at_most(name, 1e-12, pairs));
    // Beyond 2/L the component along the top eigenvector grows.
    let (mut first, mut last) = (f64::NAN, f64::NAN);
    descend(
        &gradient_descent(2.2 / 4.0),
        bench.vector(&[1.0; 10]),
        100,
        |w| Ok(objective.gradient(w)?),
        |at| {
            last = norm(&(at.w - solution.clone()));
            first = if at.step == 0 { last } else { first };
            Ok(true)
        },
    )?;
    evidence.check(Check::at_most(
        "least squares, 2.2/L: ‖w₀ − w*‖ ≤ ‖w_t − w*‖ after 100 steps",
        0.0,
        [(first, last)],
    ));
    far(bench, &mut evidence)?;
    // A network: to where its own training ends.
    let objective = bench.student(&[16], 20, bench.seed)?;
    let mut path = Vec::new();
    descend(
        &gradient_descent(0.3),
        objective.parameters(),
        steps,
        |w| Ok(objective.gradient(w)?),
        |at| {
            path.push(at.w);
            Ok(true)
        },
    )?;
    let last = path[path.len() - 1].clone();
    let distances: Vec<f64> = path.iter().map(|w| norm(&(w.clone() - last.clone()))).collect();
    let nearer = distances.windows(2).filter(|pair| pair[1] <= pair[0]).count();
    evidence
        .figure("share of an MLP's steps that come nearer to its end", nearer as f64 / (distances.len() - 1) as f64);
    evidence.plot(Plot {
        title: "Distance to the minimizer".to_owned(),
        reading: "It never grows, up to the largest step that convexity allows.".to_owned(),
        x: "step".to_owned(),
        y: "‖w − w*‖".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(evidence)
}

/// Steps to the same gap from ever further away: in one direction on one function, and on the worst function for each
/// distance.
fn far(bench: &Workbench, evidence: &mut Evidence) -> Result<(), LabError> {
    const GAP: f64 = 0.01;
    const DISTANCES: [f64; 4] = [1.0, 2.0, 4.0, 8.0];
    let steps = |rate: f64, start: Tensor<1>, minimum: f64, function: Function| -> Result<f64, LabError> {
        let mut count = f64::NAN;
        descend(&gradient_descent(rate), start, 100_000, function, |at| {
            count = at.step as f64;
            // Where the gap is reached just so, it is to rounding.
            Ok(at.value - minimum > GAP * (1.0 + 1e-9))
        })?;
        Ok(count)
    };
    let bound = |smoothness: f64, distance: f64| (smoothness * distance * distance / (4.0 * GAP) - 0.5).ceil();
    let logistic = bench.logistic(200, 10, bench.seed)?;
    let direction = bench.normal(10, &mut draws(bench.seed, 26));
    let direction = direction.clone() / norm(&direction);
    let (huber, flat) = (bench.huber(0.1), bench.vector(&[0.0]));
    let ahead = bench.vector(&[1.0]);
    let on_logistic = |w: &Tensor<1>| Ok(logistic.value(w));
    let cases: [(&str, f64, f64, [&Tensor<1>; 2], Function); 2] = [
        ("logistic regression", logistic.smoothness, logistic.minimum, [&logistic.solution, &direction], &on_logistic),
        ("Huber function", 1.0, 0.0, [&flat, &ahead], &huber),
    ];
    let (mut more, mut bounded, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for (name, smoothness, minimum, [solution, direction], function) in cases {
        let mut counts = Vec::new();
        for distance in DISTANCES {
            let start = solution.clone() + direction.clone() * distance;
            let count = steps(1.0 / smoothness, start, minimum, function)?;
            bounded.push((count, bound(smoothness, distance)));
            counts.push(count);
        }
        evidence
            .figure(format!("{name}: steps from a distance of 8 over those from 1"), counts[3] / counts[0].max(1.0));
        more.extend(counts.windows(2).map(|pair| (pair[0] + 1.0, pair[1])));
        if name == "Huber function" {
            alone = DISTANCES.into_iter().zip(counts).collect::<Vec<_>>();
        }
    }
    // Huber functions whose δ is such that the gap after t steps is D²/(4t + 2), the largest there is: in t steps to a
    // gap, or in a gap after t steps.
    let (mut slowest, mut gaps, mut attained) = (Vec::new(), Vec::new(), Vec::new());
    for distance in DISTANCES {
        let start = bench.vector(&[distance]);
        let count = steps(1.0, start.clone(), 0.0, &bench.huber(2.0 * GAP / distance))?;
        slowest.push((distance, count));
        attained.push((count, bound(1.0, distance)));
        let mut gap = f64::NAN;
        descend(&gradient_descent(1.0), start, 100, bench.huber(distance / 201.0), |at| {
            gap = at.value;
            Ok(true)
        })?;
        gaps.push((distance, gap));
    }
    bounded.extend_from_slice(&attained);
    evidence.check(Check::equal(
        "on the worst functions: steps to a gap = L‖w₀ − w*‖²/4δ − ½, rounded up",
        0.0,
        attained,
    ));
    for (name, points, exponent) in [
        ("the worst functions: log-log slope of the steps against the distance = 2", &slowest, 2.0),
        ("the worst functions: log-log slope of the gap after 100 steps = 2", &gaps, 2.0),
        ("on one Huber function: their log-log slope against the distance = 1", &alone, 1.0),
    ] {
        evidence.check(Check::equal(name, 0.1, [(log_slope(points), exponent)]));
    }
    evidence.check(Check::at_most("twice as far: more steps to the same gap", 0.0, more));
    evidence.check(Check::at_most("steps to a gap of δ ≤ L‖w₀ − w*‖²/4δ − ½, rounded up: all of these", 0.0, bounded));
    Ok(())
}
