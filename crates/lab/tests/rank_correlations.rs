//! Rank correlations against SciPy; the numbers and the program that made them are in `reference/`.

use losscape_lab::study::evidence::bootstrap;
use losscape_lab::study::kendall::{partial, tau_b};
use losscape_model::random::{Purpose, stream};
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    controls: Vec<Vec<f64>>,
    tau: f64,
    partial: Option<f64>,
    interval: Option<[f64; 2]>,
}

fn tau(x: &[f64], y: &[f64]) -> f64 {
    tau_b(&x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn agree_with_scipy() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("reference/rank_correlations.json")).expect("the reference is JSON");
    assert_eq!(cases.len(), 9);
    let (mut worst, mut apart) = (0.0f64, 0.0f64);
    for case in &cases {
        let error = (tau(&case.x, &case.y) - case.tau).abs();
        worst = worst.max(error);
        assert!(error < 1e-12, "{}: {} for {}", case.name, tau(&case.x, &case.y), case.tau);
        if let Some(expected) = case.partial {
            let columns: Vec<&Vec<f64>> = [&case.x, &case.y].into_iter().chain(&case.controls).collect();
            let found = partial(columns.iter().map(|a| columns.iter().map(|b| tau(a, b)).collect()).collect());
            worst = worst.max((found - expected).abs());
            assert!((found - expected).abs() < 1e-12, "{}: partial {found} for {expected}", case.name);
        }
        if let Some(expected) = case.interval {
            let clusters: Vec<Vec<(f64, f64)>> =
                case.x.iter().copied().zip(case.y.iter().copied()).map(|pair| vec![pair]).collect();
            let found = bootstrap(&clusters, &mut stream(0, Purpose::Bootstrap, 1));
            // The end of an interval from a thousand resamples is uncertain by 0.7 % of probability on either side: about a tenth of half its width.
            let width = expected[1] - expected[0];
            for (found, expected) in found.into_iter().zip(expected) {
                apart = apart.max((found - expected).abs() / width);
                assert!((found - expected).abs() < 0.08 * width, "{}: {found} for {expected}", case.name);
            }
        }
    }
    println!(
        "{} cases: τ within {worst:.1e} of SciPy's, ends of intervals within {:.1} % of their width",
        cases.len(),
        100.0 * apart
    );
}

/// Runs of one configuration are drawn together: copies of every run say nothing new.
#[test]
fn copies_of_runs_are_no_evidence() {
    let mut random = stream(5, Purpose::Data, 0);
    let pairs: Vec<(f64, f64)> = (0..40)
        .map(|_| {
            use rand::RngExt;
            let x: f64 = random.random();
            (x, x + random.random::<f64>())
        })
        .collect();
    let interval = |clusters: &[Vec<(f64, f64)>]| bootstrap(clusters, &mut stream(1, Purpose::Bootstrap, 0));
    let width = |[low, high]: [f64; 2]| high - low;
    let once = width(interval(&pairs.iter().map(|&pair| vec![pair]).collect::<Vec<_>>()));
    let together = width(interval(&pairs.iter().map(|&pair| vec![pair; 5]).collect::<Vec<_>>()));
    let apart = width(interval(&pairs.iter().flat_map(|&pair| vec![vec![pair]; 5]).collect::<Vec<_>>()));
    assert!((together / once - 1.0).abs() < 0.15, "{together} for {once}");
    assert!(apart < 0.6 * once, "{apart} for {once}");
}
