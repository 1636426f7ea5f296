//! Stochastic gradient descent where every sample can be met: which steps converge, and how fast.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_krylov::dense;
use losscape_model::{Loss, Mlp, MlpConfig, Parameterization};
use rand::RngExt;
use rayon::prelude::*;

use super::false_statement::{around, faster, swapped};
use super::problem::{draws, gradient_descent, inner, largest};
use super::{
    Check, Claim, Effect, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench,
    descent::descend,
};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "interpolating-sgd",
    family: Family::PolyakLojasiewicz,
    printed: concat!(
        r"PL* implies convergence of (S)GD: with learning rate $\eta\le\frac2\beta$, $\beta=\lambda_{\max}(H)$, it ",
        r"will recover $w^*$ such that $F(w^*)=y$",
    ),
    exact: concat!(
        r"with batches of $B$ it is the smoothness $\beta_1$ of single samples, up to $n\beta$, that bounds $\eta$: ",
        r"linear least squares that can be met has $E\|w_t-w^*\|^2\le(1-\eta\mu(2-\eta\beta_B))^t\|w_0-w^*\|^2$ for ",
        r"$\eta<\frac2{\beta_B}$, $\beta_B=\frac{\beta_1}B+\left(1-\frac1B\right)\beta$; any loss that is ",
        r"$\beta$-smooth and PL*, with each $\ell_i$ $\beta_1$-smooth, everywhere (of a network this is looked at ",
        r"along paths only) has $E\,L_t\le\left(1-\frac{\mu^2}{\beta\beta_1}\right)^tL_0$ with batches of one and ",
        r"$\eta=\frac\mu{\beta\beta_1}$",
    ),
    source: "lecture notes, PL condition and In Summary; Ma, Bassily & Belkin 2018; Bassily, Belkin & Ma 2018, \
             Theorem 1; Liu, Zhu & Belkin 2020",
    expected: Expectation::HoldsAsCorrected,
    false_statements: &[
        FalseStatement::pairs("the distance falls like (1 − ημ(2 − ηβ_B))^1.1t", "E‖w_t − w*‖²/‖w₀ − w*‖² ≤", faster),
        FalseStatement::samples("steps of SGD do not do as calculated", "over its expectation", |samples| {
            around(samples, 1.3)
        }),
        FalseStatement::pairs("steps above 1/β_B already diverge", "converges for every η < 2/β_B", |pair| Pair {
            right: 0.5 * pair.left,
            ..pair
        }),
        FalseStatement::pairs("a batch of B has the smoothness β₁/B: the limit is 2B", "attained", |pair| Pair {
            left: 2.0 * size(pair.right),
            ..pair
        }),
        FalseStatement::pairs("a batch of B has the smoothness β₁/√B: the limit is 2√B", "attained", |pair| {
            Pair { left: 2.0 * size(pair.right).sqrt(), ..pair }
        }),
        FalseStatement::pairs("the distance falls with the square of its factor", "⁴⁰⁰, μ = β", |pair| Pair {
            right: pair.right * pair.right,
            ..pair
        }),
        FalseStatement::pairs("the loss falls like (1 − μ²/(ββ₁))^1.1t", "E L_t/L₀ =", faster),
        FalseStatement::pairs("below 2/β_B the expectation grows", "η = 0.99 · 2/β_B", swapped),
        FalseStatement::pairs("above 2/β_B the expectation shrinks", "η = 1.01 · 2/β_B", swapped),
        FalseStatement::pairs("the loss stays where it is", "the loss vanishes", |pair| Pair { left: 1.0, ..pair }),
        FalseStatement::pairs("2/β of the mean loss is short enough for batches of one", "does not vanish", |pair| {
            Pair { right: 0.0, ..pair }
        }),
        FalseStatement::pairs("the mean loss falls like (1 − μ²/(ββ₁))^1.1t", "E L_t/L₀ ≤", faster),
        FalseStatement::pairs("curvatures of 0.9 of those at the start are enough", "along the paths", |pair| Pair {
            right: 0.6 * pair.right,
            ..pair
        }),
    ],
    measure,
};

/// Rows of least squares that can be met, `½(x_i·w − y_i)²`, with targets zero: w is the distance to the solution.
struct Samples {
    rows: Vec<Vec<f64>>,
}

impl Samples {
    fn dim(&self) -> usize {
        self.rows[0].len()
    }

    /// `H = (1/n) Σ x_i x_iᵀ`, smallest and largest eigenvalue.
    fn ends(&self, bench: &Workbench) -> Result<[f64; 2], LabError> {
        let values = dense::eigenvalues(self.hessian(bench)).map_err(losscape_analysis::AnalysisError::from)?;
        Ok([values[0], values[values.len() - 1]])
    }

    fn matrix(&self, bench: &Workbench) -> Tensor<2> {
        bench.vector(&self.rows.concat()).reshape([self.rows.len(), self.dim()])
    }

    fn hessian(&self, bench: &Workbench) -> Tensor<2> {
        let x = self.matrix(bench);
        x.clone().transpose().matmul(x) / self.rows.len() as f64
    }

    /// The largest smoothness of a single sample, `max ‖x_i‖²`.
    fn single(&self) -> f64 {
        self.rows.iter().map(|row| row.iter().map(|x| x * x).sum()).fold(0.0, f64::max)
    }

    /// `E u uᵀ` one step later, from `E u uᵀ = M`: `M − η(HM + MH) + η²(E[x xᵀM x xᵀ]/B + (1 − 1/B) HMH)`, batches
    /// drawn with replacement.
    fn step(&self, bench: &Workbench, m: &Tensor<2>, rate: f64, batch: usize) -> Tensor<2> {
        let (h, x) = (self.hessian(bench), self.matrix(bench));
        let hm = h.clone().matmul(m.clone());
        let along: Tensor<2> = (x.clone().matmul(m.clone()) * x.clone()).sum_dim(1);
        let single = x.clone().transpose().matmul(x * along) / self.rows.len() as f64;
        let share = 1.0 / batch as f64;
        m.clone() - (hm.clone() + m.clone().matmul(h.clone())) * rate
            + (single * share + hm.matmul(h) * (1.0 - share)) * (rate * rate)
    }

    /// The rate up to which the expected squared distance shrinks in the end, from every start.
    fn limit(&self, bench: &Workbench, batch: usize, guess: f64) -> f64 {
        let shrinks = |rate: f64| {
            let mut m = self.hessian(bench);
            let mut last = 1.0;
            for _ in 0..200 {
                m = self.step(bench, &m, rate, batch);
                last = m.clone().abs().sum().into_scalar::<f64>();
                m = m / last;
            }
            last < 1.0
        };
        let (mut low, mut high) = (0.5 * guess, 8.0 * guess);
        for _ in 0..20 {
            let middle = f64::midpoint(low, high);
            if shrinks(middle) { low = middle } else { high = middle }
        }
        low
    }

    /// A path of stochastic gradient descent: `‖u‖²` at every step.
    fn path(&self, bench: &Workbench, rate: f64, batch: usize, steps: usize, seed: u64) -> Result<Vec<f64>, LabError> {
        let (x, random) = (self.matrix(bench), std::cell::RefCell::new(draws(seed, 28)));
        let mut squares = Vec::new();
        descend(
            &gradient_descent(rate),
            bench.vector(&vec![1.0; self.dim()]),
            steps,
            |w| {
                let mut gradient = w.zeros_like();
                for _ in 0..batch {
                    let row = random.borrow_mut().random_range(0..self.rows.len());
                    let row: Tensor<1> = x.clone().narrow(0, row, 1).squeeze_dim(0);
                    gradient = gradient + row.clone() * (inner(&row, w) / batch as f64);
                }
                Ok((0.0, gradient))
            },
            |at| {
                squares.push(inner(&at.w, &at.w));
                Ok(true)
            },
        )?;
        Ok(squares)
    }
}

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let mut bounded = linear(bench, &mut evidence)?;
    let attained = orthonormal(bench, &mut evidence)?;
    bounded.extend(attained.distances);
    let name = "linear and orthonormal, B = 1, 2, 4: E‖w_t − w*‖²/‖w₀ − w*‖² ≤ (1 − ημ(2 − ηβ_B))ᵗ";
    evidence.check(Check::at_most(name, 1e-9, bounded));
    let mut bounded = network(bench, &mut evidence)?;
    bounded.extend(attained.losses);
    let name = "network and orthonormal, B = 1, η = μ/(ββ₁): E L_t/L₀ ≤ (1 − μ²/(ββ₁))ᵗ";
    evidence.check(Check::at_most(name, 1e-9, bounded));
    Ok(evidence)
}

/// Least squares of twelve samples in four dimensions that all can be met, batches of 1, 2 and 4: expected squared
/// distances with their bounds, of that at the start.
fn linear(bench: &Workbench, evidence: &mut Evidence) -> Result<Vec<(f64, f64)>, LabError> {
    const STEPS: usize = 200;
    // Later on the mean is that of a few paths that went far.
    const LOOK: usize = 3;
    let (_, data, _) = bench.least_squares(&[9.0, 6.0, 4.0, 2.0], [12, 4], 0.0, bench.seed)?;
    let samples = Samples { rows: (0..12).map(|row| data.inputs.row(row).to_vec()).collect() };
    let ([mu, beta], single) = (samples.ends(bench)?, samples.single());
    let (mut bounded, mut limits, mut series) = (Vec::new(), Vec::new(), Vec::new());
    for batch in [1usize, 2, 4] {
        let share = 1.0 / batch as f64;
        let smooth = single * share + beta * (1.0 - share);
        for factor in [0.5, 1.0, 1.8] {
            let rate = factor / smooth;
            let mut m = bench.vector(&[1.0; 16]).reshape([4, 4]);
            let mut expected = Vec::new();
            for t in 0..=STEPS {
                let trace = trace(&m);
                expected.push(trace);
                bounded.push((trace / 4.0, (1.0 - rate * mu * (2.0 - factor)).powi(t as i32)));
                m = samples.step(bench, &m, rate, batch);
            }
            if factor == 1.0 {
                // Groups of paths against the expectation: the method at work does as calculated.
                let groups = (0..8u64).into_par_iter().map(|group| -> Result<f64, LabError> {
                    let mut mean = 0.0;
                    let count = bench.effort.of(150, 1000);
                    for path in 0..count {
                        let seed = bench.seed_of(group * 1000 + path);
                        mean += samples.path(bench, rate, batch, LOOK, seed)?[LOOK] / count as f64;
                    }
                    Ok(mean / expected[LOOK])
                });
                let groups: Vec<f64> = groups.collect::<Result<_, _>>()?;
                let name = format!("B = {batch}: ‖w₃ − w*‖² of SGD over its expectation");
                evidence.effect(Effect::within(name, [0.85, 1.15], groups));
            }
            if batch == 1 {
                let points = |pick: &dyn Fn(usize) -> f64| (0..=STEPS).map(|t| (t as f64, pick(t))).collect::<Vec<_>>();
                series.push(Series::measured(format!("η = {factor}/β₁"), points(&|t| expected[t])));
                let shrinks = 1.0 - rate * mu * (2.0 - factor);
                let name = format!("bound at {factor}/β₁");
                series.push(Series::bound(name, points(&|t| 4.0 * shrinks.powi(t as i32))));
            }
        }
        limits.push((2.0 / smooth, samples.limit(bench, batch, 2.0 / smooth)));
    }
    evidence.figure("linear: β₁ over β", single / beta);
    evidence.figure("batches of one: largest convergent η over 2/β of the mean loss", limits[0].1 * beta / 2.0);
    evidence.check(Check::at_most("linear: SGD converges for every η < 2/β_B: 2/β_B ≤ the limit", 1e-6, limits));
    evidence.plot(Plot {
        title: "Batches of one on samples that can be met".to_owned(),
        reading: "The expected squared distance to the solution falls linearly at a constant step below 2/β₁."
            .to_owned(),
        x: "step".to_owned(),
        y: "E‖w − w*‖²".to_owned(),
        log_y: true,
        series,
        ..Plot::default()
    });
    Ok(bounded)
}

/// The trace of a 4 × 4 matrix.
fn trace(m: &Tensor<2>) -> f64 {
    (0..4).map(|at| m.clone().slice([at..at + 1, at..at + 1]).into_scalar::<f64>()).sum()
}

/// The batch size at which four orthonormal samples have this limit, `2/β_B = 8B/(B + 3)`.
fn size(limit: f64) -> f64 {
    3.0 * limit / (8.0 - limit)
}

/// Expectations that attain their bounds, both as shares of the start.
struct Attained {
    distances: Vec<(f64, f64)>,
    losses: Vec<(f64, f64)>,
}

/// Four orthonormal samples: β₁ = 1 = 4β, μ = β, and the bounds are attained.
fn orthonormal(bench: &Workbench, evidence: &mut Evidence) -> Result<Attained, LabError> {
    bench.formula("four orthonormal samples, targets 0, from (1, 1, 1, 1)");
    let rows = (0..4).map(|at| (0..4).map(|column| if at == column { 1.0 } else { 0.0 }).collect()).collect();
    let samples = Samples { rows };
    let [_, beta] = samples.ends(bench)?;
    let run = |rate: f64| -> Result<(f64, f64), LabError> {
        let squares = samples.path(bench, rate, 1, 848, bench.seed)?;
        Ok((squares[848], squares[0]))
    };
    let (short, long) = (run(1.5)?, run(1.0 / beta)?);
    evidence.check(Check::at_most("orthonormal, η = 1.5/β₁: the loss vanishes", 0.0, [(short.0, 1e-6 * short.1)]));
    evidence.check(
        Check::at_most("orthonormal, η = 1/β, batches of one: the loss vanishes", 0.0, [(long.0, 1e-6 * long.1)])
            .printed(),
    );
    let (mut limits, mut attained, mut below, mut above) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for batch in [1usize, 2, 4] {
        let share = 1.0 / batch as f64;
        let bound = 2.0 / (share + (1.0 - share) * beta);
        limits.push((samples.limit(bench, batch, bound), bound));
        let after = |factor: f64| {
            let start = bench.vector(&[1.0; 16]).reshape([4, 4]);
            let m = (0..400).fold(start, |m, _| samples.step(bench, &m, factor * bound, batch));
            trace(&m)
        };
        for factor in [0.5, 0.9, 0.99] {
            let shrinks = 1.0 - factor * bound * beta * 2.0 * (1.0 - factor);
            attained.push((after(factor) / 4.0, shrinks.powi(400)));
        }
        below.push((after(0.99), 0.5 * 4.0));
        above.push((2.0 * 4.0, after(1.01)));
    }
    evidence.check(Check::equal("orthonormal, B = 1, 2, 4: 2/β_B is attained, the limit = 2/β_B", 1e-3, limits));
    let name = "orthonormal, B = 1, 2, 4: E‖w₄₀₀‖²/‖w₀‖² = (1 − ημ(2 − ηβ_B))⁴⁰⁰, μ = β";
    let distances = attained.clone();
    evidence.check(Check::equal(name, 1e-9, attained));
    // Its loss is a multiple of the squared distance, and μ/(ββ₁) a step of one.
    let mut m = bench.vector(&[1.0; 16]).reshape([4, 4]);
    let mut losses = Vec::new();
    for t in 0..=50 {
        losses.push((trace(&m) / 4.0, (1.0 - beta).powi(t)));
        m = samples.step(bench, &m, 1.0, 1);
    }
    let name = "orthonormal, B = 1, η = μ/(ββ₁): E L_t/L₀ = (1 − μ²/(ββ₁))ᵗ";
    evidence.check(Check::equal(name, 1e-9, losses.iter().copied()));
    let name = "orthonormal, B = 1, 2, 4, η = 0.99 · 2/β_B: E‖w₄₀₀‖² ≤ ½‖w₀‖²";
    evidence.check(Check::at_most(name, 0.0, below));
    let name = "orthonormal, B = 1, 2, 4, η = 1.01 · 2/β_B: 2‖w₀‖² ≤ E‖w₄₀₀‖²";
    evidence.check(Check::at_most(name, 0.0, above));
    evidence.figure("orthonormal, η = 1/β: log₁₀ of the distance after 848 batches of one", 0.5 * long.0.log10());
    Ok(Attained { distances, losses })
}

/// A wide tanh network that meets its eight samples: mean losses with their bounds, of that at the start.
fn network(bench: &Workbench, evidence: &mut Evidence) -> Result<Vec<(f64, f64)>, LabError> {
    const SAMPLES: usize = 8;
    // Many inputs and no biases: samples hardly have anything in common, and β₁ is far above β.
    let config =
        MlpConfig::new([bench.effort.of(256, 1024)]).with_parameterization(Parameterization::Ntk).with_bias(false);
    let data = bench.teacher([SAMPLES, 64], 0.0, bench.seed)?;
    let objective = bench.on(bench.network(&config, 64, 1, bench.seed)?, &data, Loss::squared_error())?;
    let singles: Vec<Objective<Mlp>> = (0..SAMPLES).map(|row| single(&objective, row)).collect::<Result<_, _>>()?;
    let sharpest = |w: &Tensor<1>| -> Result<f64, LabError> {
        let each = singles.iter().map(|one| largest(&one.at(w)?.hessian(), bench.seed));
        Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().fold(0.0, f64::max))
    };
    let smallest = |w: &Tensor<1>| -> Result<f64, LabError> {
        Ok(KernelSpectrum::of(objective.kernel(w)?, objective.targets())?.trusted_min())
    };
    // Guessed from the start with a margin, and looked at along the paths.
    let start = objective.parameters();
    let initial = objective.value(&start)?;
    let beta = 1.5 * largest(&objective.at(&start)?.hessian(), bench.seed)?;
    let (beta_1, mu) = (1.5 * sharpest(&start)?, 0.5 * smallest(&start)?);
    let mut met = Vec::new();
    let mut run = |rate: f64, steps: usize, seed: u64, watched: bool| -> Result<Vec<f64>, LabError> {
        let random = std::cell::RefCell::new(draws(seed, 29));
        let mut losses = Vec::new();
        descend(
            &gradient_descent(rate),
            start.clone(),
            steps,
            |w| Ok(singles[random.borrow_mut().random_range(0..SAMPLES)].gradient(w)?),
            |at| {
                if at.step.is_multiple_of(steps / 50) {
                    losses.push(objective.value(&at.w)?);
                    if watched && at.step.is_multiple_of(steps / 5) {
                        met.push((sharpest(&at.w)?, beta_1));
                        met.push((largest(&objective.at(&at.w)?.hessian(), bench.seed)?, beta));
                        met.push((mu, smallest(&at.w)?));
                    }
                }
                Ok(at.value.is_finite())
            },
        )?;
        Ok(losses)
    };
    let (steps, seeds) = (bench.effort.of(2000, 6000), bench.effort.of(4, 8));
    let rate = mu / (beta * beta_1);
    let shrinks = 1.0 - mu * mu / (beta * beta_1);
    let mut mean = vec![0.0; 51];
    let (mut vanished, mut stayed) = (Vec::new(), Vec::new());
    for seed in 0..seeds {
        let own = bench.seed_of(seed);
        for (sum, loss) in mean.iter_mut().zip(run(rate, steps, own, true)?) {
            *sum += loss / seeds as f64;
        }
        let short = run(1.0 / beta_1, steps, own, true)?;
        vanished.push((short[50], 1e-6 * short[0]));
        let long = run(1.9 / beta, steps, own, false)?;
        stayed.push((1e-2 * long[0], long.last().copied().unwrap_or(f64::NAN)));
    }
    let bounded = mean.iter().enumerate().map(|(at, loss)| (loss / initial, shrinks.powi((at * (steps / 50)) as i32)));
    let bounded = bounded.collect();
    evidence.check(Check::at_most("network, η = 1/β₁: the loss vanishes", 0.0, vanished));
    let name = "network, η = 1.9/β, batches of one: the loss does not vanish, 0.01 L₀ ≤ the last";
    evidence.check(Check::at_most(name, 0.0, stayed));
    evidence.check(Check::at_most(
        "network, along the paths: λ_max of single samples, of H, 1/μ ≤ those assumed",
        0.0,
        met,
    ));
    evidence.figure("network: β₁ over β", beta_1 / beta);
    Ok(bounded)
}

/// The loss of one sample.
fn single(objective: &Objective<Mlp>, row: usize) -> Result<Objective<Mlp>, LabError> {
    let pick = |of: &Tensor<2>| of.clone().narrow(0, row, 1);
    let (x, y) = (pick(objective.inputs()), pick(objective.targets()));
    Ok(Objective::new(objective.network().clone(), x, y, Loss::squared_error())?)
}
