//! The central flow (Cohen, Damian, Talwalkar, Kolter & Lee 2025): the path of a method averaged over its oscillation
//! at the edge of stability.
//!
//! The method's parameters are `w + x` with an oscillation x of mean zero and covariance Σ, so that the mean gradient
//! is `∇L + ½ ∇⟨Σ, H⟩`. With P = I for gradient descent,
//!
//! `dw/dt = −ε P⁻¹ [∇L(w) + ½ ∇_w ⟨Σ, H(w)⟩]`, `dν/dt = (1 − γ)/γ (g² + diag(H Σ H) − ν)`,
//!
//! (with ‖g‖² and `tr HΣH` for scalar RMSProp), and Σ is what keeps the curvature at the edge: `Σ ⪰ 0`, `2P/ε − H ⪰ 0`,
//! `⟨Σ, 2P/ε − H⟩ = 0` at all times (Cohen et al. 2025, companion site, parts 1 to 3; their equations without numbers,
//! the paper's own text was not at hand).
//!
//! # How it is followed
//!
//! As the authors' program does: steps of a quarter of the method's; the largest eigenvalues of `ε P^{−½} H P^{−½}` are
//! looked for once a step and rotated within their space in between; those above 1.95 count as at the edge, which is at
//! 2. There, with `U` their directions, `Uᵀ P U = ε I`, and `Σ = U X Uᵀ`, X makes the curvature no larger than the edge
//! at the end of the quarter, to first order: a complementarity problem (`complementarity`) with
//!
//! `A = diag(2 − λ) + h (2Ṗ − Ḣ)` at X = 0, and B the change of it with X.
//!
//! Departures: a flow with nothing near the edge follows the [stable flow](crate::stable), with its error control;
//! third derivatives are differences of exact gradients; `H U` is taken as `2 P U/ε`, as at the edge.
//!
//! It predicts a mean loss of `L(w) + tr X` and the oscillation `tr Σ`.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_analysis::hessian::preconditioned;
use losscape_krylov::{Congruence, Eigensolver, Shifted, Space, SymmetricOperator, inner};
use losscape_model::Network;
use losscape_model::random::{Purpose, stream};

use crate::complementarity::solve;
use crate::error::FlowError;
use crate::flow::{Flow, Prediction};
use crate::stable::{Phase, follow};
use crate::state::State;
use crate::symmetric::{Symmetric, places, weight};
use crate::third::{contracted, derivatives};
use crate::update::{Start, Update};

/// Steps of the flow for one of the method (Cohen et al. 2025, their program).
const PARTS: usize = 4;

/// From here on an eigenvalue counts as at the edge (likewise).
const CRITICAL: f64 = 1.95;

/// As long as the smallest eigenvalue followed is above this, one more is (likewise).
const FOLLOWED: f64 = 1.5;

/// The first index of the streams of its probes, one for each step.
const CENTRAL: u64 = 1 << 40;

/// The most eigenvalues that are followed: with as many at the edge the flow ends.
const MOST: usize = 12;

/// The central flow of gradient descent, RMSProp or scalar RMSProp, at a moment.
#[derive(Debug, Clone)]
pub struct Central {
    update: Update,
    phase: Phase,
    /// Directions of the largest eigenvalues, orthonormal eigenvectors of `P^{−½} H P^{−½}`.
    vectors: Option<Tensor<2>>,
    seed: u64,
    /// Length of the stable flow's steps.
    size: f64,
}

impl Central {
    /// The flow of a method without momentum from there.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite there.
    pub(crate) fn begin<N: Network>(
        update: Update,
        objective: &Objective<N>,
        start: &Start,
        seed: u64,
    ) -> Result<Self, FlowError> {
        let phase = Phase::begin(&update, objective, start)?;
        Ok(Self { update, phase, vectors: None, seed, size: 0.25 })
    }

    /// The largest eigenvalues of `ε P^{−½} H P^{−½}` in descending order, at least as many as are near the edge; their
    /// vectors are kept.
    fn look<N: Network>(&mut self, objective: &Objective<N>) -> Result<Vec<f64>, FlowError> {
        let point = objective.at(&self.phase.w)?;
        let operator = self.seen(point.hessian());
        let most = MOST.min(operator.space().dim);
        let mut known = self.vectors.as_ref().map_or(1, |vectors| vectors.dims()[0]);
        loop {
            let solver = Eigensolver { probes: 4, ..Eigensolver::top(known) }.with_tolerance(1e-4);
            // What is drawn depends on seed and time alone, so that a flow goes on as if it had never stopped.
            let random = &mut stream(self.seed, Purpose::Probes, CENTRAL + self.phase.time as u64);
            let found = solver.solve(&operator, self.vectors.as_ref(), random)?;
            let values: Vec<f64> = found.top.iter().map(|pair| self.update.rate * pair.value).collect();
            self.vectors = Some(found.vectors);
            let least = values.last().copied().unwrap_or(0.0);
            if least < FOLLOWED || known >= most {
                return if least > CRITICAL && known == MOST { Err(FlowError::TooMany { most }) } else { Ok(values) };
            }
            known += 1;
        }
    }

    /// `P^{−½} H P^{−½}`.
    fn seen<A: SymmetricOperator>(&self, hessian: A) -> Congruence<Shifted<A>> {
        let diagonal = self.phase.preconditioner(&self.update).unwrap_or_else(|| self.phase.w.ones_like());
        preconditioned(hessian, diagonal, None)
    }

    /// A part of a step at the edge: what it predicts at its start. None where nothing is at the edge, and nothing is
    /// done.
    fn part<N: Network>(&mut self, objective: &Objective<N>) -> Result<Option<Prediction>, FlowError> {
        let Some(vectors) = self.vectors.clone() else { return Ok(None) };
        let h = 1.0 / PARTS as f64;
        let (rate, time, w) = (self.update.rate, self.phase.time, self.phase.w.clone());
        let point = objective.at(&w)?;
        let (values, vectors) = rotated(&self.seen(point.hessian()), vectors)?;
        self.vectors = Some(vectors.clone());
        let values: Vec<f64> = values.into_iter().map(|value| rate * value).filter(|&value| value > CRITICAL).collect();
        let size = values.len();
        if size == 0 {
            return Ok(None);
        }
        let g = point.gradient().clone();
        let diagonal = self.phase.preconditioner(&self.update);
        let root = diagonal.clone().map_or_else(|| w.ones_like(), Tensor::sqrt);
        // Uᵀ P U = ε I.
        let row = |at: usize| vectors.clone().narrow(0, at, 1).squeeze_dim::<1>(0);
        let directions: Vec<Tensor<1>> = (0..size).map(|at| row(at) / root.clone() * rate.sqrt()).collect();
        let thirds = derivatives(objective, &w, &g, &directions)?;
        let over = |v: &Tensor<1>| match &diagonal {
            Some(diagonal) => v.clone() / diagonal.clone() * rate,
            None => v.clone() * rate,
        };
        // What the preconditioner adds to 2Ṗ: along ν's change without oscillation, and with that of each pair.
        let pairs: Vec<(usize, usize)> = places(size).collect();
        let square = self.update.square.as_ref().zip(self.phase.nu.as_ref());
        let bends = square.map(|(square, nu)| {
            let slope = self.update.preconditioner_slope(nu, time).unwrap_or_else(|| w.zeros_like());
            let pull = square.pull();
            // (H u)² at the edge is (2 P u/ε)².
            let oscillations: Vec<Tensor<1>> = pairs
                .iter()
                .map(|&(a, b)| {
                    let edge = root.clone().powi_scalar(2) * (2.0 / rate);
                    square.of(directions[a].clone() * directions[b].clone() * edge.powi_scalar(2)) * pull
                })
                .collect();
            let still = (square.of(g.clone().powi_scalar(2)) - nu.clone()) * pull;
            (slope, still, oscillations)
        });
        let along = |(a, b): (usize, usize), change: &Tensor<1>, slope: &Tensor<1>| {
            inner(&(directions[a].clone() * slope.clone()), &(directions[b].clone() * change.clone())) / rate
        };
        let still = over(&g) * -1.0;
        let mut constant = Symmetric::zeros(size);
        let mut map = Vec::with_capacity(pairs.len() * pairs.len());
        for (at, &pair) in pairs.iter().enumerate() {
            let apart = if pair.0 == pair.1 { 2.0 - values[pair.0] } else { 0.0 };
            let bend = bends.as_ref().map_or(0.0, |(slope, still, _)| 2.0 * along(pair, still, slope));
            let factor = weight(pair);
            constant.entries[at] = factor * (apart + h * (bend - inner(&thirds[at], &still)));
            for (of, &other) in pairs.iter().enumerate() {
                let bend = bends.as_ref().map_or(0.0, |(slope, _, changes)| 2.0 * along(pair, &changes[of], slope));
                let turn = 0.5 * inner(&thirds[at], &over(&thirds[of]));
                map.push(factor * weight(other) * h * (turn + bend));
            }
        }
        let x = solve(&constant, &map)?;
        let force = contracted(&thirds, size, &x.entries).map_or_else(|| g.clone(), |turn| g.clone() + turn * 0.5);
        self.phase.w = w - over(&force) * h;
        if let (Some((_, still, changes)), Some(nu)) = (bends, &self.phase.nu) {
            let change =
                contracted(&changes, size, &x.entries).map_or_else(|| still.clone(), |with| still.clone() + with);
            self.phase.nu = Some((nu.clone() + change * h).clamp_min(0.0));
        }
        self.phase.time = time + h;
        let lengths = Symmetric::of(size, |a, b| inner(&directions[a], &directions[b]));
        let center = point.loss();
        Ok(Some(Prediction { center, loss: center + x.trace(), oscillation: x.inner(&lengths) }))
    }
}

/// The Ritz values of these orthonormal rows in descending order, with their vectors.
fn rotated(operator: &impl SymmetricOperator, rows: Tensor<2>) -> Result<(Vec<f64>, Tensor<2>), FlowError> {
    let size = rows.dims()[0];
    let products = operator.apply_block(rows.clone());
    let matrix: Vec<f64> = rows.clone().matmul(products.transpose()).into_data().iter().collect();
    let (values, vectors) =
        Symmetric::of(size, |a, b| 0.5 * (matrix[a * size + b] + matrix[b * size + a])).eigenpairs()?;
    let space = Space { dim: size, ..operator.space() };
    let turn = space.block(vectors.into_iter().rev().flatten().collect());
    Ok((values.into_iter().rev().collect(), turn.matmul(rows)))
}

impl<N: Network> Flow<N> for Central {
    fn advance(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError> {
        let values = self.look(objective)?;
        if values.first().is_none_or(|&largest| largest < FOLLOWED) {
            let (phase, loss) = follow(&self.update, objective, &self.phase, 1.0, &mut self.size)?;
            self.phase = phase;
            return Ok(Prediction { center: loss, loss, oscillation: 0.0 });
        }
        let start = self.phase.time;
        let mut first = None;
        for part in 1..=PARTS {
            let predicted = match self.part(objective)? {
                Some(predicted) => predicted,
                None => {
                    let span = 1.0 / PARTS as f64;
                    let (phase, loss) = follow(&self.update, objective, &self.phase, span, &mut self.size)?;
                    self.phase = phase;
                    Prediction { center: loss, loss, oscillation: 0.0 }
                }
            };
            self.phase.time = start + part as f64 / PARTS as f64;
            first.get_or_insert(predicted);
        }
        match first {
            Some(predicted) if predicted.loss.is_finite() => Ok(predicted),
            _ => Err(FlowError::NotFinite),
        }
    }

    fn parameters(&self) -> &Tensor<1> {
        &self.phase.w
    }

    fn preconditioner(&self) -> Option<Tensor<1>> {
        self.phase.preconditioner(&self.update)
    }

    fn state(&self) -> State {
        let mut state = State::default();
        self.phase.put(&mut state);
        state.put_scalars("size", [self.size]);
        if let Some(vectors) = &self.vectors {
            state.put_rows("vectors", vectors);
        }
        state
    }

    fn restore(&mut self, state: &State) -> bool {
        let found = self.phase.take(state).zip(state.take_scalars("size"));
        let Some((phase, [size])) = found else { return false };
        self.vectors = state.take_rows("vectors", &phase.w);
        (self.phase, self.size) = (phase, size);
        true
    }
}
