//! What lies between two solutions: a barrier, unless they share the first part of training.

use burn::tensor::DType;
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_lab::connectivity::ConnectionSettings;
use losscape_lab::{Connection, LabError, Subject, Trainer};
use losscape_model::data::Prepared;
use losscape_model::{Loss, Model};
use rayon::prelude::*;

use super::false_statement::{negated, none};
use super::networks::Architecture;
use super::problem::gradient_descent;
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};

pub const CLAIM: Claim = Claim {
    id: "linear-mode-connectivity",
    family: Family::Flatness,
    printed: r"not in the notes; they speak of basins of global minima",
    exact: concat!(
        r"on the line between two solutions from different starts is a barrier; it is lower once the units of one are ",
        r"in the order of the other's, lower between solutions that share their first epochs, and lower on a curve ",
        r"that is trained for it",
    ),
    source: "Frankle et al. 2020; Garipov et al. 2018; Entezari et al. 2022; Ainsworth, Hayase & Srinivasa 2023",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("there is no barrier", "barrier of the line over", none),
        FalseStatement::samples("the ends are the highest", "barrier of the line over", negated),
        FalseStatement::samples("matching does nothing", "−log of the barrier, units matched", none),
        FalseStatement::samples("matching raises it", "−log of the barrier, units matched", negated),
        FalseStatement::samples("a common start does nothing", "−log of the barrier, common start", none),
        FalseStatement::samples("a common start raises it", "−log of the barrier, common start", negated),
        FalseStatement::samples("a curve is no way around", "−log of the barrier, Bézier", none),
        FalseStatement::samples("a curve is higher", "−log of the barrier, Bézier", negated),
        FalseStatement::pairs("the ends are not trained", "losses of the ends", |pair| Pair { left: 2.0, ..pair }),
    ],
    measure,
};

/// The loss at which solutions are.
const TARGET: f64 = 0.02;

/// Epochs that two of them share.
const SHARED: usize = 5;

/// Added to barriers whose ratio is taken: a tenth of the loss at the ends.
const FLOOR: f64 = 0.002;

/// Tanh 64-64-10 on 300 digits, cross-entropy, SGD with batches of 32.
fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let seeds = bench.effort.of(4, 10);
    let runs = (0..seeds).into_par_iter().map(|seed| -> Result<Option<[Connection; 2]>, LabError> {
        let own = bench.seed_of(seed);
        let data = bench.digits_split(300, own)?;
        bench.note(
            "trained in f32 with cross-entropy, mean over samples, batches of 32 in an order shuffled each epoch",
            [],
        );
        let start = |seed: u64| {
            let network = Architecture::mlp([64]);
            bench.initial(&network, &data.train, seed, &bench.device.clone().autodiff(), DType::F32)
        };
        let (first, second) = (start(own)?, start(own.wrapping_add(1 << 41))?);
        let parent = trained(first, &data, &TrainingConfig::epochs(SHARED, BatchSize::Samples(32)), own)?;
        let to_target = || TrainingConfig {
            target_loss: Some(TARGET),
            evaluate_every: Some(5),
            ..TrainingConfig::steps(40_000, BatchSize::Samples(32))
        };
        let end = |network: Model, order: u64| trained(network, &data, &to_target(), own.wrapping_add(order << 42));
        let [one, sibling] = [end(parent.clone(), 1)?, end(parent, 2)?];
        let other = end(second, 3)?;
        let subject = |network: Model| Subject::new(network, data.train.clone(), Loss::cross_entropy());
        let [one, sibling, other] = [one, sibling, other].map(subject);
        let apart = Connection::between(&one, &other, &ConnectionSettings { seed: own, ..Default::default() })?;
        let near = Connection::between(&one, &sibling, &ConnectionSettings { curve: 0, ..Default::default() })?;
        Ok(Some([apart, near]))
    });
    let runs: Vec<Option<[Connection; 2]>> = runs.collect::<Result<_, _>>()?;
    let height = |of: &dyn Fn(&[Connection; 2]) -> Option<f64>| -> Vec<f64> {
        runs.iter().map(|run| run.as_ref().and_then(of).unwrap_or(f64::NAN)).collect()
    };
    let line = height(&|[apart, _]| apart.line.height);
    let matched = height(&|[apart, _]| apart.matched.as_ref()?.height);
    let curve = height(&|[apart, _]| apart.curve.as_ref()?.height);
    let common = height(&|[_, near]| near.line.height);
    for (name, heights) in
        [("line", &line), ("line, units matched", &matched), ("Bézier curve", &curve), ("line, common start", &common)]
    {
        evidence.figure(format!("mean barrier: {name}"), heights.iter().sum::<f64>() / heights.len() as f64);
    }
    let ends = runs.iter().flatten().flatten().flat_map(|found| {
        let ways = [Some(&found.line), found.matched.as_ref(), found.curve.as_ref()];
        let ends = ways.into_iter().flatten().flat_map(|way| [way.losses[0], way.losses[way.losses.len() - 1]]);
        ends.map(|loss| (loss.unwrap_or(f64::NAN), TARGET)).collect::<Vec<_>>()
    });
    evidence.check(Check::at_most("losses of the ends ≤ 0.02", 1e-3, ends.collect::<Vec<_>>()).condition());
    let over: Vec<f64> = line.iter().map(|height| height / TARGET).collect();
    evidence.effect(Effect::above("barrier of the line over the loss of its ends", 1.0, over));
    let lower = |heights: &[f64]| -> Vec<f64> {
        heights.iter().zip(&line).map(|(height, line)| ((line + FLOOR) / (height + FLOOR)).ln()).collect()
    };
    for (name, heights) in [("units matched", &matched), ("common start", &common), ("Bézier curve", &curve)] {
        let name = format!("−log of the barrier, {name}, over that of the line");
        evidence.effect(Effect::above(name, 0.0, lower(heights)));
    }
    if let Some(Some([apart, near])) = runs.first() {
        let series = |name: &str, way: Option<&losscape_lab::connectivity::Barrier>| {
            let way = way?;
            let points = way.steps.iter().zip(&way.losses).map(|(s, loss)| (*s, loss.unwrap_or(f64::NAN)));
            Some(Series::measured(name, points.collect::<Vec<_>>()))
        };
        let all = [
            series("line", Some(&apart.line)),
            series("units matched", apart.matched.as_ref()),
            series("Bézier curve", apart.curve.as_ref()),
            series("common start", Some(&near.line)),
        ];
        evidence.plot(Plot {
            title: "Loss between two solutions".to_owned(),
            reading: "Tanh 64-64-10 on 300 digits, trained to 0.02; the first seed.".to_owned(),
            x: "share of the way".to_owned(),
            y: "training loss".to_owned(),
            series: all.into_iter().flatten().collect(),
            ..Plot::default()
        });
    }
    Ok(evidence)
}

/// The network after training with SGD at a rate of 0.1, in the order of a seed.
fn trained(network: Model, data: &Prepared, training: &TrainingConfig, seed: u64) -> Result<Model, LabError> {
    let optimizer = gradient_descent(0.1);
    let mut trainer = Trainer::new(network, data, Loss::cross_entropy(), &optimizer, training, seed)?;
    trainer.run();
    Ok(trainer.network().clone())
}
