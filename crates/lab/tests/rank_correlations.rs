//! Rank correlations: against SciPy (the numbers and the program that made them are in `reference/`), against what is
//! known of them, and what their intervals promise, by simulation. Run with `--nocapture`, the simulations print their
//! shares.

use losscape_lab::statistics::kendall::tau_b;
use losscape_lab::statistics::{Place, Runs, Settings};
use losscape_model::random::{Purpose, stream};
use rand::{Rng, RngExt};
use rand_distr::StandardNormal;
use serde::Deserialize;

#[derive(Deserialize)]
struct Case {
    name: String,
    x: Vec<f64>,
    y: Vec<f64>,
    tau: f64,
}

fn tau(x: &[f64], y: &[f64]) -> f64 {
    tau_b(&x.iter().copied().zip(y.iter().copied()).collect::<Vec<_>>())
}

#[test]
fn agree_with_scipy() {
    let cases: Vec<Case> =
        serde_json::from_str(include_str!("reference/rank_correlations.json")).expect("the reference is JSON");
    assert_eq!(cases.len(), 9);
    for case in &cases {
        let found = tau(&case.x, &case.y);
        assert!((found - case.tau).abs() < 1e-12, "{}: {found} for {}", case.name, case.tau);
        // Runs that share no seed are compared with each other.
        let places: Vec<Place> = (0..case.x.len()).map(|seed| Place { seed, configuration: 0 }).collect();
        let of_runs = Runs::new(&places).tau(&case.x, &case.y).expect("there is an order").value;
        assert!((of_runs - case.tau).abs() < 1e-12, "{}: {of_runs} for {}", case.name, case.tau);
    }
}

fn crossed(seeds: usize, configurations: usize) -> Vec<Place> {
    (0..seeds).flat_map(|seed| (0..configurations).map(move |configuration| Place { seed, configuration })).collect()
}

fn normal(random: &mut impl Rng) -> f64 {
    random.sample::<f64, _>(StandardNormal)
}

/// Two normal numbers with this correlation; Kendall's τ of such is `(2/π) arcsin ρ`.
fn two(rho: f64, random: &mut impl Rng) -> [f64; 2] {
    let (x, e) = (normal(random), normal(random));
    [x, rho * x + (1.0 - rho * rho).sqrt() * e]
}

/// Which share of the variance comes from the configuration, from seed and width together, and from the run alone.
/// (What comes from the seed alone is in all runs that are compared.)
type Shares = [f64; 3];

/// Two quantities of crossed runs, correlated by ρ in each of their parts. Configurations have two widths.
fn quantities(places: &[Place], shares: Shares, rho: f64, random: &mut impl Rng) -> [Vec<f64>; 2] {
    let seeds = places.iter().map(|place| place.seed).max().expect("there are runs") + 1;
    let configurations = places.iter().map(|place| place.configuration).max().expect("there are runs") + 1;
    let mut draw = |count: usize| (0..count).map(|_| two(rho, random)).collect::<Vec<_>>();
    let parts = [draw(configurations), draw(2 * seeds), draw(places.len())];
    [0, 1].map(|which| {
        let of = |(run, place): (usize, &Place)| {
            let at = [place.configuration, 2 * place.seed + place.configuration % 2, run];
            (0..3).map(|part| shares[part].sqrt() * parts[part][at[part]][which]).sum()
        };
        places.iter().enumerate().map(of).collect()
    })
}

/// The correlation of normal numbers whose Kendall's τ is this.
fn rho_of(tau: f64) -> f64 {
    (std::f64::consts::FRAC_PI_2 * tau).sin()
}

/// Intervals of τ cover its true value in about 95 of 100 studies, whatever seeds and configurations share, from no
/// relation to a close one; and a τ of 1/3 is seen.
#[test]
fn intervals_cover_what_they_should_and_see_what_is_there() {
    const STUDIES: u64 = 400;
    const TAUS: [f64; 4] = [0.0, 1.0 / 3.0, 0.6, 0.8];
    let parts: [(&str, Shares); 5] = [
        ("runs alone", [0.0, 0.0, 1.0]),
        ("configurations, half", [0.5, 0.0, 0.5]),
        ("configurations, 0.9", [0.9, 0.0, 0.1]),
        ("seed and width, 0.75", [0.125, 0.75, 0.125]),
        ("all alike", [0.3, 0.3, 0.4]),
    ];
    println!(
        "| seeds × configurations | variance from | false alarms | see 1/3 | cover 1/3, 0.6, 0.8 | half-width at 0 |"
    );
    for (seeds, configurations, seen_at_least) in [(5, 10, 30), (6, 36, 50), (10, 36, 80)] {
        let places = crossed(seeds, configurations);
        let runs = Runs::new(&places);
        for (name, shares) in parts {
            let (mut cover, mut seen, mut width) = ([0; 4], 0, 0.0);
            for study in 0..STUDIES {
                let mut random = stream(1, Purpose::Data, study);
                for (at, tau) in TAUS.into_iter().enumerate() {
                    let [x, y] = quantities(&places, shares, rho_of(tau), &mut random);
                    let found = runs.tau(&x, &y).expect("there is an order");
                    let [low, high] = found.interval.expect("there are enough");
                    cover[at] += u64::from(low <= tau && tau <= high);
                    match at {
                        0 => width += 0.5 * (high - low) / STUDIES as f64,
                        1 => seen += u64::from(low > 0.0),
                        _ => {}
                    }
                }
            }
            let share = |count: u64| 100.0 * count as f64 / STUDIES as f64;
            let [none, related @ ..] = cover.map(share);
            let alarms = 100.0 - none;
            let line = format!(
                "| {seeds} × {configurations} | {name} | {alarms:.1} % | {:.0} % | {} | {width:.2} |",
                share(seen),
                related.map(|share| format!("{share:.1} %")).join(", ")
            );
            println!("{line}");
            // 5 % and three standard errors; those whose configurations or seeds are few may be a little wide.
            assert!(alarms <= 8.3, "{line}");
            assert!(related.iter().all(|share| (91.7..=99.5).contains(share)), "{line}");
            assert!(share(seen) >= f64::from(seen_at_least), "{line}");
        }
    }
}

/// Where the relation differs from seed to seed, the interval is that of other seeds.
#[test]
fn relations_that_differ_between_seeds_are_covered() {
    const STUDIES: u64 = 400;
    // The mean τ of each seed's own ρ, which is even around its middle.
    println!("| seeds × configurations | mean τ | its spread between seeds | cover |");
    for (seeds, configurations) in [(5, 10), (6, 36), (10, 36)] {
        let places = crossed(seeds, configurations);
        let runs = Runs::new(&places);
        for (middle, apart) in [(0.0, 0.2), (0.0, 0.4), (0.4, 0.2), (0.4, 0.4), (0.7, 0.2)] {
            let covers = (0..STUDIES).filter(|&study| {
                let mut random = stream(11, Purpose::Data, study);
                let taus: Vec<f64> =
                    (0..seeds).map(|_| middle + apart * (2.0 * random.random::<f64>() - 1.0)).collect();
                let pairs = places.iter().map(|place| two(rho_of(taus[place.seed]), &mut random));
                let (x, y): (Vec<f64>, Vec<f64>) = pairs.map(|[x, y]| (x, y)).unzip();
                let [low, high] = runs.tau(&x, &y).expect("an order").interval.expect("there are enough");
                low <= middle && middle <= high
            });
            let share = 100.0 * covers.count() as f64 / STUDIES as f64;
            let line = format!("| {seeds} × {configurations} | {middle} | ±{apart} | {share:.1} % |");
            println!("{line}");
            // Of five or six seeds the spread is known badly.
            assert!(share >= 88.0, "{line}");
        }
    }
}

/// Granulated τ of unrelated quantities in a grid of two axes leaves zero out as rarely as it should.
#[test]
fn granulated_intervals_have_their_size_too() {
    const STUDIES: u64 = 300;
    let places = crossed(6, 36);
    let runs = Runs::new(&places);
    let axes: [Vec<usize>; 2] = [
        places.iter().map(|place| place.configuration / 6).collect(),
        places.iter().map(|place| place.configuration % 6).collect(),
    ];
    for shares in [[0.0, 0.0, 1.0], [0.5, 0.0, 0.5], [0.9, 0.0, 0.1], [0.125, 0.75, 0.125]] {
        let clear = |rho: f64| {
            let studies = (0..STUDIES).filter(|&study| {
                let [x, y] = quantities(&places, shares, rho, &mut stream(7, Purpose::Data, study));
                runs.granulated(&axes, &x, &y).1.expect("it varies").is_clear()
            });
            100.0 * studies.count() as f64 / STUDIES as f64
        };
        let (alarms, seen) = (clear(0.0), clear(0.5));
        println!("granulated, {shares:?}: {alarms:.1} % false alarms, {seen:.0} % see 1/3");
        assert!(alarms <= 8.8 && seen >= 40.0, "{shares:?}: {alarms} % and {seen} %");
    }
}

/// How runs get their settings.
#[derive(Clone, Copy, Debug)]
enum Design {
    /// Each configuration with every seed; so many levels of the rate, and another axis that does nothing.
    Grid(usize),
    /// Each run draws its own rate, of so many levels.
    Levels(usize),
    /// Each run draws its own rate from an interval.
    Continuous,
    /// Configurations with a rate from an interval, each with every seed.
    ContinuousGrid,
}

/// Places and rates of the runs of ten seeds.
fn designed(design: Design, random: &mut impl Rng) -> (Vec<Place>, Vec<f64>) {
    const SEEDS: usize = 10;
    let level = |at: usize, levels: usize| at as f64 / (levels - 1) as f64;
    let (configurations, own) = match design {
        Design::Grid(levels) => (4 * levels, None),
        Design::Levels(levels) => (100, Some(levels)),
        Design::Continuous => (100, Some(0)),
        Design::ContinuousGrid => (20, None),
    };
    let shared: Vec<f64> = match design {
        Design::Grid(levels) => (0..configurations).map(|at| level(at % levels, levels)).collect(),
        _ => (0..configurations).map(|_| random.random()).collect(),
    };
    let mut places = crossed(SEEDS, configurations);
    let mut rates: Vec<f64> = places.iter().map(|place| shared[place.configuration]).collect();
    if let Some(levels) = own {
        for (run, (place, rate)) in places.iter_mut().zip(&mut rates).enumerate() {
            *rate = if levels == 0 { random.random() } else { level(random.random_range(0..levels), levels) };
            // Another setting, of the run alone, that does nothing.
            place.configuration = run;
        }
    }
    (places, rates)
}

/// A name, what a rate does to either quantity, and the noise on both.
type Effects = (&'static str, fn(f64) -> f64, fn(f64) -> f64, f64);

const EFFECTS: [Effects; 4] = [
    ("z and z, noise 1", |z| 3.5 * z, |z| 3.5 * z, 1.0),
    ("z and z, noise 0.2", |z| 3.5 * z, |z| 3.5 * z, 0.2),
    ("e^2z and sin 4z, noise 0.3", |z| (2.0 * z).exp(), |z| 1.5 * (4.0 * z).sin(), 0.3),
    ("z and z², noise 0.3, on a log scale", |z| 3.0 * z, |z| 3.0 * z * z, 0.3),
];

/// Quantities that depend on the rate, and on each other only through it, are not partially correlated, in designs of
/// few levels and of many; quantities whose noise is shared are.
#[test]
fn what_the_settings_explain_is_no_partial_correlation() {
    const STUDIES: u64 = 200;
    let designs = [
        Design::Grid(2),
        Design::Grid(3),
        Design::Grid(5),
        Design::Grid(7),
        Design::ContinuousGrid,
        Design::Levels(3),
        Design::Levels(7),
        Design::Continuous,
    ];
    println!("| design | effects | false alarms of {STUDIES} | seen, correlation 1/2 |");
    let (mut all, mut studies) = (0, 0);
    for design in designs {
        for (name, f, g, noise) in EFFECTS {
            let (mut alarms, mut seen) = (0, 0);
            for study in 0..STUDIES {
                let mut random = stream(4, Purpose::Data, study);
                let (places, rates) = designed(design, &mut random);
                let runs = Runs::new(&places);
                let settings = Settings { numbers: vec![rates.clone()], kinds: Vec::new() };
                let seeds: Vec<[f64; 2]> = (0..10).map(|_| [normal(&mut random), normal(&mut random)]).collect();
                let mut clear = |rho: f64| {
                    let (mut x, mut y) = (Vec::new(), Vec::new());
                    for (place, &rate) in places.iter().zip(&rates) {
                        let [e, other] = two(rho, &mut random);
                        let [a, b] = seeds[place.seed];
                        x.push(f(rate) + 0.3 * a + noise * e);
                        y.push(g(rate) + 0.3 * b + noise * other);
                    }
                    if name.ends_with("scale") {
                        x.iter_mut().chain(&mut y).for_each(|value| *value = value.exp());
                    }
                    runs.partial(&settings, &x, &y).expect("noise is left").is_clear()
                };
                alarms += u64::from(clear(0.0));
                seen += u64::from(clear(0.5));
            }
            let line = format!("| {design:?} | {name} | {alarms} | {seen} |");
            println!("{line}");
            // 7 %.
            assert!(alarms <= 14, "{line}");
            // Differences are taken of the quantities as they are: on a log scale, with eight configurations, less is
            // seen.
            assert!(seen >= 65, "{line}");
            (all, studies) = (all + alarms, studies + STUDIES);
        }
    }
    println!("in all {all} of {studies}");
    assert!(all as f64 <= 0.06 * studies as f64, "{all} of {studies}");
}

/// Seeds that are noisier than others, or that answer to the configurations in their own ways, are no partial
/// correlation either.
#[test]
fn unequal_seeds_are_no_partial_correlation() {
    const STUDIES: u64 = 200;
    println!("| seeds × configurations | seeds differ in | false alarms of {STUDIES} | seen, correlation 1/2 |");
    let (mut all, mut studies) = (0, 0);
    for (seeds, configurations) in [(5, 10), (6, 24), (10, 20)] {
        let places = crossed(seeds, configurations);
        let runs = Runs::new(&places);
        for name in
            ["nothing", "noise, up to 100-fold", "one seed of 10-fold noise", "noise of configurations", "slope"]
        {
            let (mut alarms, mut seen) = (0, 0);
            for study in 0..STUDIES {
                let mut random = stream(12, Purpose::Data, study);
                let noise: Vec<f64> = (0..seeds)
                    .map(|seed| match name {
                        "noise, up to 100-fold" => 10f64.powf(2.0 * random.random::<f64>() - 1.0),
                        "one seed of 10-fold noise" if seed == 0 => 10.0,
                        _ => 1.0,
                    })
                    .collect();
                let slopes: Vec<[f64; 2]> = (0..seeds)
                    .map(|_| if name == "slope" { [normal(&mut random), normal(&mut random)] } else { [0.0; 2] })
                    .collect();
                let of_configurations: Vec<f64> = (0..configurations)
                    .map(|_| if name == "noise of configurations" { normal(&mut random).exp() } else { 1.0 })
                    .collect();
                let mut clear = |rho: f64| {
                    let pairs = places.iter().map(|&Place { seed, configuration }| {
                        let [e, f] = two(rho, &mut random).map(|e| noise[seed] * of_configurations[configuration] * e);
                        let at = 3.0 * configuration as f64 / configurations as f64;
                        [at + slopes[seed][0] * at + e, at + slopes[seed][1] * at + f]
                    });
                    let (x, y): (Vec<f64>, Vec<f64>) = pairs.map(|[x, y]| (x, y)).unzip();
                    runs.partial(&Settings::default(), &x, &y).expect("noise is left").is_clear()
                };
                alarms += u64::from(clear(0.0));
                seen += u64::from(clear(0.5));
            }
            let line = format!("| {seeds} × {configurations} | {name} | {alarms} | {seen} |");
            println!("{line}");
            // 5 % and two standard errors.
            assert!(alarms <= 16, "{line}");
            assert!(name != "nothing" || seen >= 100, "{line}");
            (all, studies) = (all + alarms, studies + STUDIES);
        }
    }
    println!("in all {all} of {studies}");
    assert!(all as f64 <= 0.06 * studies as f64, "{all} of {studies}");
}

/// The mistake that a partial correlation from τ alone makes: with a rate that moves both, its value is far from zero.
#[test]
fn taus_own_partial_is_not_zero_where_ours_is() {
    let mut random = stream(5, Purpose::Data, 0);
    let (places, rates) = designed(Design::Continuous, &mut random);
    let mut with_noise = || rates.iter().map(|z| 3.5 * z + normal(&mut random)).collect::<Vec<f64>>();
    let (x, y) = (with_noise(), with_noise());
    let (xy, xz, yz) = (tau(&x, &y), tau(&x, &rates), tau(&y, &rates));
    assert!((xy - xz * yz) / ((1.0 - xz * xz) * (1.0 - yz * yz)).sqrt() > 0.08);
    let settings = Settings { numbers: vec![rates], kinds: Vec::new() };
    let partial = Runs::new(&places).partial(&settings, &x, &y).expect("noise is left");
    assert!(partial.value.abs() < 0.06 && !partial.is_clear(), "{partial:?}");
}

/// What a rate does may differ from kind to kind, as from optimizer to optimizer; and a rate may be absent in a kind.
#[test]
fn a_rate_that_acts_otherwise_in_each_kind_is_explained_too() {
    const STUDIES: u64 = 200;
    let mut alarms = 0;
    for study in 0..STUDIES {
        let mut random = stream(8, Purpose::Data, study);
        let (places, rates) = designed(Design::Continuous, &mut random);
        let kinds: Vec<usize> = (0..rates.len()).map(|_| random.random_range(0..4)).collect();
        let mut quantity = || -> Vec<f64> {
            let of = |(z, &kind): (&f64, &usize)| [-3.0, 0.0, 1.0, 4.0][kind] * z;
            rates.iter().zip(&kinds).map(of).map(|value| value + 0.3 * normal(&mut random)).collect()
        };
        let (x, y) = (quantity(), quantity());
        let settings = Settings { numbers: vec![rates.clone()], kinds };
        alarms += u64::from(Runs::new(&places).partial(&settings, &x, &y).expect("noise is left").is_clear());
    }
    println!("kinds with slopes of their own: {alarms} false alarms of {STUDIES}");
    assert!(alarms <= 14, "{alarms}");
}

/// With few runs for many settings nothing is said, instead of something wrong.
#[test]
fn a_fit_needs_runs() {
    let mut random = stream(9, Purpose::Data, 0);
    let places: Vec<Place> = (0..60).map(|run| Place { seed: run % 5, configuration: run }).collect();
    let numbers: Vec<Vec<f64>> = (0..6).map(|_| (0..60).map(|_| random.random()).collect()).collect();
    let (x, y): (Vec<f64>, Vec<f64>) = (0..60).map(|_| (normal(&mut random), normal(&mut random))).unzip();
    let partial = |numbers: &[Vec<f64>]| {
        Runs::new(&places).partial(&Settings { numbers: numbers.to_vec(), kinds: Vec::new() }, &x, &y)
    };
    assert!(partial(&numbers).is_none() && partial(&numbers[..1]).is_some());
}

/// Where nearly every run has a seed of its own, runs are compared across seeds, not the one pair that shares one.
#[test]
fn seeds_that_are_nearly_all_distinct_are_no_blocks() {
    let mut random = stream(10, Purpose::Data, 0);
    let places: Vec<Place> = (0..40).map(|run| Place { seed: run.max(1), configuration: run }).collect();
    let (x, y): (Vec<f64>, Vec<f64>) = (0..40).map(|_| (normal(&mut random), normal(&mut random))).unzip();
    let found = Runs::new(&places).tau(&x, &y).expect("there is an order");
    assert!((found.value - tau(&x, &y)).abs() < 1e-12 && found.interval.is_some(), "{found:?}");
}

/// Settings without numbers: in two kinds of runs everything is shifted.
#[test]
fn kinds_are_settings_too() {
    let mut random = stream(6, Purpose::Data, 0);
    let (places, rates) = designed(Design::Continuous, &mut random);
    let kinds: Vec<usize> = (0..rates.len()).map(|run| run % 2).collect();
    let mut shifted = || kinds.iter().map(|&kind| 5.0 * kind as f64 + normal(&mut random)).collect::<Vec<f64>>();
    let (x, y) = (shifted(), shifted());
    let runs = Runs::new(&places);
    assert!(runs.tau(&x, &y).expect("there is an order").value > 0.4);
    let partial = runs.partial(&Settings { numbers: vec![rates], kinds }, &x, &y).expect("noise is left");
    assert!(partial.value.abs() < 0.08, "{partial:?}");
}

/// Initial networks that decide all: within a seed there is no relation, between seeds a perfect one, which is none.
#[test]
fn a_relation_between_seeds_alone_is_none() {
    let places = crossed(6, 12);
    let mut random = stream(2, Purpose::Data, 0);
    let mut with_seed = |scale: f64| -> Vec<f64> {
        places.iter().map(|place| scale * place.seed as f64 + normal(&mut random)).collect()
    };
    let (x, y) = (with_seed(100.0), with_seed(100.0));
    assert!(tau(&x, &y) > 0.7, "{}", tau(&x, &y));
    assert!(Runs::new(&places).tau(&x, &y).expect("there is an order").value.abs() < 0.15);
}

#[test]
fn few_seeds_or_configurations_have_no_interval() {
    let enough = |places: &[Place]| Runs::new(places).suffice();
    assert!(enough(&crossed(5, 5)) && !enough(&crossed(4, 50)) && !enough(&crossed(50, 4)) && !enough(&crossed(1, 50)));
    // A seed for each run: as many as there are runs.
    assert!(enough(&crossed(10, 1)) && !enough(&crossed(9, 1)));
    // Seeds that say nothing do not count: two of five have no order.
    let places = crossed(5, 8);
    let x: Vec<f64> = places.iter().map(|place| place.configuration as f64).collect();
    let y: Vec<f64> = places.iter().zip(&x).map(|(place, x)| if place.seed < 2 { f64::NAN } else { -x }).collect();
    let found = Runs::new(&places).tau(&x, &y).expect("three seeds have an order");
    assert_eq!((found.value, found.interval), (-1.0, None));
}

/// Perfect order in every seed is no certainty about others.
#[test]
fn an_interval_of_perfect_order_has_a_width() {
    let places = crossed(5, 10);
    let x: Vec<f64> = places.iter().map(|place| place.configuration as f64).collect();
    let [low, high] = Runs::new(&places).tau(&x, &x).expect("an order").interval.expect("enough");
    assert!(low > 0.5 && low < 0.97 && high == 1.0, "{low} {high}");
}

/// By hand: two seeds with two groups of two configurations.
#[test]
fn granulated_means_are_those_of_the_groups() {
    let places = crossed(2, 4);
    let groups: Vec<usize> = places.iter().map(|place| place.configuration / 2).collect();
    // Seed 0: up, up. Seed 1: down, tied in y.
    let x = [1.0, 2.0, 1.0, 2.0, 1.0, 2.0, 1.0, 2.0];
    let y = [1.0, 2.0, 3.0, 4.0, 2.0, 1.0, 3.0, 3.0];
    let runs = Runs::new(&places);
    let (values, mean) = runs.granulated(std::slice::from_ref(&groups), &x, &y);
    assert_eq!(values, [f64::midpoint(1.0, -0.5)]);
    assert_eq!(mean.expect("it varies").value, values[0]);
    let constant: Vec<f64> = groups.iter().map(|&group| group as f64).collect();
    let (values, mean) = runs.granulated(&[groups], &constant, &y);
    assert!(values[0].is_nan() && mean.is_none(), "it does not vary within a group");
}
