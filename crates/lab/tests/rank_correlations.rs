//! Rank correlations against SciPy (the numbers and the program that made them are in `reference/`), and what their intervals promise.

use losscape_lab::statistics::kendall::{partial, tau_b};
use losscape_lab::statistics::resample::RESAMPLES;
use losscape_lab::statistics::{Place, Runs, percentiles};
use losscape_model::random::{Purpose, stream};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
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
            // Every run has a seed of its own: then runs are drawn, as SciPy draws them.
            let places: Vec<Place> = (0..case.x.len()).map(|seed| Place { seed, configuration: 0 }).collect();
            let (runs, mut random) = (Runs::new(&places), stream(0, Purpose::Bootstrap, 1));
            let found = percentiles((0..RESAMPLES).map(|_| runs.draw(&mut random).tau(&case.x, &case.y)));
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

/// The interval of τ, with resamples from a stream.
fn ends(runs: &Runs, x: &[f64], y: &[f64], index: u64) -> [f64; 2] {
    let mut random = stream(0, Purpose::Bootstrap, index);
    runs.interval(runs.whole().tau(x, y), (0..RESAMPLES).map(|_| runs.draw(&mut random).tau(x, y)))
}

/// Configurations of two widths, crossed with seeds.
fn crossed(seeds: usize, configurations: usize) -> Vec<Place> {
    (0..seeds).flat_map(|seed| (0..configurations).map(move |configuration| Place { seed, configuration })).collect()
}

/// A quantity of crossed runs. Three quarters of its variance come from seed and width together, that is, from the initial network; the rest from the configuration and
/// from each run, in halves.
fn quantity(places: &[Place], random: &mut impl Rng) -> Vec<f64> {
    let mut normal = |scale: f64| scale * random.sample::<f64, _>(StandardNormal);
    let networks: Vec<f64> = (0..64).map(|_| normal(0.75f64.sqrt())).collect();
    let configurations: Vec<f64> = (0..64).map(|_| normal(0.125f64.sqrt())).collect();
    let of = |place: &Place| networks[2 * place.seed + place.configuration % 2] + configurations[place.configuration];
    places.iter().map(of).map(|value| value + normal(0.125f64.sqrt())).collect()
}

/// Quantities that have nothing to do with each other, but share seeds: their intervals leave zero out as rarely as they should. Related ones are seen.
#[test]
fn intervals_know_that_seeds_are_shared() {
    const STUDIES: u64 = 200;
    for (seeds, configurations) in [(5, 10), (6, 36)] {
        let places = crossed(seeds, configurations);
        let runs = Runs::new(&places);
        let (mut false_alarms, mut seen) = (0, 0);
        for study in 0..STUDIES {
            let mut random = stream(1, Purpose::Data, study);
            let (x, other) = (quantity(&places, &mut random), quantity(&places, &mut random));
            let clear = |y: &[f64]| {
                let [low, high] = ends(&runs, &x, y, study);
                low > 0.0 || high < 0.0
            };
            false_alarms += u64::from(clear(&other));
            let related: Vec<f64> = x.iter().zip(&other).map(|(x, other)| x + 0.3 * other).collect();
            seen += u64::from(clear(&related));
        }
        println!(
            "{seeds} seeds, {configurations} configurations: {false_alarms} false alarms, {seen} seen, of {STUDIES}"
        );
        // 5 % of 200, and three standard errors.
        assert!(false_alarms <= 19, "{false_alarms} of {STUDIES} intervals of unrelated quantities leave zero out");
        assert!(seen >= 190, "{seen} of {STUDIES}");
    }
}

/// Initial networks that decide all: within a seed there is no relation, between seeds a perfect one, which is none.
#[test]
fn a_relation_between_seeds_alone_is_none() {
    let places = crossed(6, 12);
    let mut random = stream(2, Purpose::Data, 0);
    let mut with_seed = |scale: f64| -> Vec<f64> {
        places.iter().map(|place| scale * place.seed as f64 + random.sample::<f64, _>(StandardNormal)).collect()
    };
    let (x, y) = (with_seed(100.0), with_seed(100.0));
    assert!(tau(&x, &y) > 0.7, "{}", tau(&x, &y));
    assert!(Runs::new(&places).whole().tau(&x, &y).abs() < 0.15);
}

#[test]
fn few_seeds_or_configurations_have_no_interval() {
    let enough = |places: &[Place]| Runs::new(places).suffice();
    assert!(enough(&crossed(5, 5)) && !enough(&crossed(4, 50)) && !enough(&crossed(50, 4)) && !enough(&crossed(1, 50)));
    // A seed for each run: as many as there are runs.
    assert!(enough(&crossed(10, 1)) && !enough(&crossed(9, 1)));
}

/// By hand: two seeds with two groups of two configurations.
#[test]
fn granulated_means_are_those_of_the_groups() {
    let places = crossed(2, 4);
    let groups: Vec<usize> = places.iter().map(|place| place.configuration / 2).collect();
    // Seed 0: up, up. Seed 1: down, tied in y.
    let x = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
    let y = [1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 3.0, 3.0];
    let whole = Runs::new(&places).whole();
    assert_eq!(whole.granulated(&groups, &x, &y), f64::midpoint(1.0, -0.5));
    let constant: Vec<f64> = groups.iter().map(|&group| group as f64).collect();
    assert!(whole.granulated(&groups, &constant, &y).is_nan(), "it does not vary within a group");
    // A run that is drawn twice makes no pair with itself, which would count as a tie.
    let runs = Runs::new(&places);
    for index in 0..50 {
        let up = runs.draw(&mut stream(3, Purpose::Bootstrap, index)).granulated(&groups, &x, &x);
        assert!(up == 1.0 || up.is_nan(), "{up}");
    }
}
