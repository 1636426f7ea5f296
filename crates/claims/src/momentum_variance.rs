//! How much momentum smooths the noise of mini-batches.

use burn::tensor::{DType, Int, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_model::{Loss, MlpConfig};
use losscape_optim::OptimizerConfig;
use losscape_optim::momentum::MomentumConfig;
use rand::rngs::ChaCha12Rng;
use rand::seq::{SliceRandom, index::sample};
use rayon::prelude::*;

use super::false_statement::scaled;
use super::problem::{draws, gradient_descent, inner};
use super::{Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Workbench, descent::descend};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "momentum-variance",
    family: Family::Optimizers,
    printed: r"mini-batch gradients have a high variance; momentum smooths it out",
    exact: concat!(
        r"of gradients of independent mini-batches at one point the average $(1-b)\sum_k b^k g_{t-k}$ has ",
        r"$\frac{1-b}{1+b}$ of the variance of a single one",
    ),
    source: "lecture notes, Momentum",
    expected: Expectation::Supported,
    false_statements: &[
        FalseStatement::samples("the variance falls to (1−b)/2", "b = 0.5: variance over", |samples| {
            scaled(samples, 0.75)
        }),
        FalseStatement::samples("the variance falls to 1 − b", "over (1−b)/(1+b)", |samples| scaled(samples, 1.5)),
        FalseStatement::pairs("mini-batch gradients have no variance to speak of", "high variance", |pair| {
            super::Pair { right: 0.0, ..pair }
        }),
    ],
    measure,
};

const SAMPLES: usize = 200;
const BATCH: usize = 8;

/// How batches follow each other.
#[derive(Clone, Copy)]
enum Order {
    /// Each drawn from all samples.
    Independent,
    /// One after the other from an order that is shuffled when it is used up.
    Epochs,
}

/// Gradients of single samples less their mean, of a tanh network after 300 full-batch steps on digits, `[n, P]`, and
/// the norm of that mean.
fn deviations(bench: &Workbench, seed: u64) -> Result<(Tensor<2>, f64), LabError> {
    let objective = bench.digits(&MlpConfig::new([16]), SAMPLES, 0.0, seed)?;
    let start = objective.parameters();
    let (mut w, mut mean) = (start.clone(), start.clone());
    descend(
        &gradient_descent(0.1),
        start,
        300,
        |w| Ok(objective.gradient(w)?),
        |at| {
            (w, mean) = (at.w, at.gradient);
            Ok(true)
        },
    )?;
    let rows = (0..SAMPLES).map(|row| {
        let pick = |of: &Tensor<2>| of.clone().narrow(0, row, 1);
        let (x, y) = (pick(objective.inputs()), pick(objective.targets()));
        let one = Objective::new(objective.network().clone(), x, y, Loss::squared_error())?;
        Ok((one.gradient(&w)?.1 - mean.clone()).unsqueeze_dim(0))
    });
    let rows: Vec<Tensor<2>> = rows.collect::<Result<_, LabError>>()?;
    let length = inner(&mean, &mean).sqrt();
    Ok((Tensor::cat(rows, 0), length))
}

/// Of averages over the deviations of so many batches, the mean square; and that of single batches.
fn variances(
    bench: &Workbench,
    of: &Tensor<2>,
    momentum: f64,
    order: Order,
    random: &mut ChaCha12Rng,
) -> Result<[f64; 2], LabError> {
    let config = OptimizerConfig::new(MomentumConfig { momentum }, 1.0);
    // From here on what is left of the start is below a thousandth.
    let settled = (1e-3f64.ln() / momentum.ln()).ceil() as usize + 1;
    let steps = settled + bench.effort.of(2000, 20_000);
    let (mut averaged, mut single, mut before) = (0.0, 0.0, None);
    let mut epoch: Vec<usize> = Vec::new();
    let random = std::cell::RefCell::new((random, &mut epoch));
    let batch = || -> Tensor<1> {
        let (random, epoch) = &mut *random.borrow_mut();
        let rows: Vec<usize> = match order {
            Order::Independent => sample(random, SAMPLES, BATCH).into_iter().collect(),
            Order::Epochs => {
                if epoch.is_empty() {
                    epoch.extend(0..SAMPLES);
                    epoch.shuffle(random);
                }
                epoch.split_off(epoch.len() - BATCH)
            }
        };
        let rows: Vec<i64> = rows.into_iter().map(|row| row as i64).collect();
        let rows = Tensor::<1, Int>::from_data(TensorData::new(rows, [BATCH]), (&bench.device, DType::I64));
        of.clone().select(0, rows).mean_dim(0).squeeze_dim(0)
    };
    descend(
        &config,
        bench.vector(&vec![0.0; of.dims()[1]]),
        steps,
        |_| Ok((0.0, batch())),
        |at| {
            if at.step > settled {
                single += inner(&at.gradient, &at.gradient);
                if let Some(before) = before.take() {
                    let step = (at.w.clone() - before) * (1.0 - momentum);
                    averaged += inner(&step, &step);
                }
            }
            before = Some(at.w);
            Ok(true)
        },
    )?;
    let count = (steps - settled) as f64;
    Ok([averaged / count, single / count])
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    bench.note("gradients after 300 full-batch steps at 0.1, batches drawn without replacement, of samples", [BATCH]);
    let seeds = bench.effort.of(6, 12);
    let kinds =
        [(0.5, Order::Independent), (0.9, Order::Independent), (0.95, Order::Independent), (0.9, Order::Epochs)];
    let runs = (0..seeds).into_par_iter().map(|seed| -> Result<_, LabError> {
        let own = bench.seed_of(seed);
        let (of, mean) = deviations(bench, own)?;
        let random = &mut draws(own, 7);
        let found = kinds.iter().map(|&(momentum, order)| variances(bench, &of, momentum, order, random));
        Ok((found.collect::<Result<Vec<_>, _>>()?, mean))
    });
    let runs: Vec<(Vec<[f64; 2]>, f64)> = runs.collect::<Result<_, _>>()?;
    let mut worst = 0f64;
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    for (at, &(momentum, order)) in kinds.iter().enumerate() {
        let expected = (1.0 - momentum) / (1.0 + momentum);
        let ratios: Vec<f64> = runs.iter().map(|run| run.0[at][0] / run.0[at][1]).collect();
        let over: Vec<f64> = ratios.iter().map(|ratio| ratio / expected).collect();
        match order {
            Order::Independent => {
                worst = worst.max((mean(&over) - 1.0).abs());
                let name = format!("b = {momentum}: variance over (1−b)/(1+b)");
                // At full effort narrow enough that (1 − b)/2, which is (1 + b)/2 of it, is none of it.
                let reach = bench.effort.of(0.1, (0.4 * (1.0 - momentum)).min(0.1));
                evidence.effect(Effect::within(name, [1.0 - reach, 1.0 + reach], over));
            }
            // What is seen in an epoch does not come again in it: not independent, and smoother.
            Order::Epochs => evidence
                .figure(format!("b = {momentum}, batches of shuffled epochs: variance over (1−b)/(1+b)"), mean(&over)),
        }
    }
    let high = runs.iter().map(|run| (run.1 * run.1, run.0[0][1]));
    evidence.check(Check::at_most(
        "batches of 8, \"a high variance\": ‖g‖² ≤ E‖g_B − g‖²",
        0.0,
        high.collect::<Vec<_>>(),
    ));
    evidence.figures.insert(
        0,
        super::Figure { name: "largest deviation of the mean variance from (1−b)/(1+b)".to_owned(), value: worst },
    );
    Ok(evidence)
}
