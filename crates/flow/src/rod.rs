//! The rod flow (Regis & Chewi 2026, for gradient descent and for momentum and Adam): two successive states of a method
//! as the ends of a rod, whose middle and extent move smoothly.
//!
//! With x the state of a method (parameters and, with momentum, the average of gradients), f(x) what a step adds to it,
//! J its derivative, and `x̄ ± δ` the ends of the rod,
//!
//! `dx̄/dt = F − ½ J F`, `dΣ/dt = ½ D Dᵀ − 2 Σ`,
//! `F = ½ (f(x̄ + δ) + f(x̄ − δ))`, `D = ½ (f(x̄ + δ) − f(x̄ − δ))`, `Σ = δ δᵀ`.
//!
//! `−½ J F` makes the flow that of the steps to second order (backward error analysis). An extent grows where a step
//! turns it over and lengthens it, which is where the curvature is above the method's edge. For gradient descent these
//! are the equations of the paper as a secondary text gives them, the paper's own being out of reach, and derived anew;
//! for the other methods they are our derivation in the same way, with ν as in the [stable flow](crate::stable) and the
//! mean of the squares at both ends.
//!
//! # Departures
//!
//! - The paper's `dΣ/dt` has `½ F Fᵀ` more: the drift of the middle, whose extent `F Fᵀ/4` is known and hides that of
//!   the oscillation in a Σ of low rank. Here Σ is the oscillation alone.
//! - Σ has rank r, `Σ = Σᵢ δᵢ δᵢᵀ` with δᵢ orthogonal, and sums over i stand for what the ends add: `F = f(x̄) + Σᵢ
//!   (½ f(x̄ + δᵢ) + ½ f(x̄ − δᵢ) − f(x̄))`, `D Dᵀ = Σᵢ Dᵢ Dᵢᵀ`. With r = 1 it is the equation above.
//! - Axes are made orthogonal after every part, in the product of P, and each is kept as one: what two of them have in
//!   common counts once. A fourth direction at the edge is not seen.
//! - An extent below `ϵ ‖w‖` is rounding, which a method never loses: it is kept there. One that is too short for
//!   differences is moved by Hessian products.
//! - J is taken at the middle.
//!
//! It is followed in quarters of a step, Σ exactly for a D that is constant over the quarter (an explicit step of Euler
//! would lose `Σ ⪰ 0`): a gradient and a Hessian product each for the middle, and for each of its three axes two
//! gradients, or a Hessian product while it is short. With averages of more than 0.96 the middle's steps would be
//! unstable. The oscillation that it predicts is `Σᵢ ‖Dᵢ‖²/4`, which is `tr Σ` at rest.

use burn::tensor::Tensor;
use losscape_analysis::hessian::preconditioned;
use losscape_analysis::{Objective, Point};
use losscape_krylov::{Eigensolver, Space, SymmetricOperator, inner, norm};
use losscape_model::Network;
use losscape_model::random::{Purpose, stream};

use crate::error::FlowError;
use crate::flow::{Flow, Prediction, gradient};
use crate::stable::Phase;
use crate::state::State;
use crate::symmetric::Symmetric;
use crate::update::{Start, Update};

/// Steps of the flow for one of the method.
const PARTS: usize = 4;

/// Directions that the extent has.
const RANK: usize = 3;

/// The index of the stream of the probes at the start.
const ROD: u64 = 2 << 40;

/// The rod flow of a method, at a moment.
#[derive(Debug, Clone)]
pub struct Rod {
    update: Update,
    phase: Phase,
    /// The half-axes δᵢ of the extent.
    axes: Vec<Axis>,
}

/// A half-axis: along w and, with momentum, along m.
#[derive(Debug, Clone)]
struct Axis {
    w: Tensor<1>,
    m: Option<Tensor<1>>,
}

/// What the two ends of an axis add.
struct Ends {
    /// `½ g₊ + ½ g₋ − g`.
    bend: Tensor<1>,
    /// `½ g₊ − ½ g₋`.
    half: Tensor<1>,
    /// `½ g₊² + ½ g₋² − g²`, entry by entry.
    squares: Tensor<1>,
    /// `½ L₊ + ½ L₋ − L`.
    rise: f64,
}

impl Rod {
    /// The flow of a method from there, its extent along the sharpest directions as long as the method's first half
    /// step.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite there, or the sharpest directions cannot be found.
    pub(crate) fn begin<N: Network>(
        update: Update,
        objective: &Objective<N>,
        start: &Start,
        seed: u64,
    ) -> Result<Self, FlowError> {
        let phase = Phase::begin(&update, objective, start)?;
        let w = &start.w;
        let point = objective.at(w)?;
        let diagonal = phase.preconditioner(&update).unwrap_or_else(|| w.ones_like());
        let operator = preconditioned(point.hessian(), diagonal.clone(), None);
        let solver = Eigensolver::top(RANK.min(operator.space().dim)).with_tolerance(1e-3);
        let found = solver.solve(&operator, None, &mut stream(seed, Purpose::Probes, ROD))?;
        let (first, _) = update.change(point.gradient(), phase.m.as_ref(), phase.preconditioner(&update).as_ref());
        let rows = found.vectors.dims()[0];
        let axes = (0..rows).map(|at| {
            let vector = found.vectors.clone().narrow(0, at, 1).squeeze_dim::<1>(0) / diagonal.clone().sqrt();
            let unit = vector.clone() / norm(&vector);
            let w = unit.clone() * (0.5 * inner(&unit, &first)).abs();
            // What turns over at the edge.
            let m = phase.m.as_ref().map(|_| w.clone() * diagonal.clone() * -update.turning());
            Axis { w, m }
        });
        let axes = axes.collect();
        let mut rod = Self { update, phase, axes };
        rod.untangle(rod.phase.preconditioner(&rod.update).as_ref())?;
        Ok(rod)
    }

    /// What the ends of an axis add at the middle.
    fn ends<N: Network>(point: &Point<'_, N>, axis: &Axis) -> Result<Ends, FlowError> {
        let (objective, w, g) = (point.objective(), point.parameters(), point.gradient());
        let length = norm(&axis.w);
        // Differences lose ϵ‖w‖ of the length, what is linear in it misses its square.
        if length < Space::of(w).epsilon().cbrt() * norm(w) / (w.dims()[0] as f64).sqrt() {
            let half = point.hessian().apply(axis.w.clone());
            let rise = 0.5 * inner(&axis.w, &half);
            return Ok(Ends { bend: w.zeros_like(), squares: half.clone().powi_scalar(2), half, rise });
        }
        let (above, ahead) = gradient(objective, &(w.clone() + axis.w.clone()))?;
        let (below, behind) = gradient(objective, &(w.clone() - axis.w.clone()))?;
        let mean = (ahead.clone() + behind.clone()) * 0.5;
        let squares = (ahead.clone().powi_scalar(2) + behind.clone().powi_scalar(2)) * 0.5 - g.clone().powi_scalar(2);
        let half = (ahead - behind) * 0.5;
        Ok(Ends { bend: mean - g.clone(), half, squares, rise: 0.5 * (above + below) - point.loss() })
    }

    fn part<N: Network>(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError> {
        let h = 1.0 / PARTS as f64;
        let Phase { time, w, m, nu } = self.phase.clone();
        let point = objective.at(&w)?;
        let diagonal = self.phase.preconditioner(&self.update);
        let change = |g: &Tensor<1>, m: Option<&Tensor<1>>| self.update.change(g, m, diagonal.as_ref());
        let ends: Vec<Ends> = self.axes.iter().map(|axis| Self::ends(&point, axis)).collect::<Result<_, _>>()?;
        let g = ends.iter().fold(point.gradient().clone(), |sum, ends| sum + ends.bend.clone());
        let (step, turn) = change(&g, m.as_ref());
        // ½ J F, with the Hessian at the middle.
        let (back, twist) = change(&point.hessian().apply(step.clone()), turn.as_ref());
        let loss = point.loss() + ends.iter().map(|ends| ends.rise).sum::<f64>();
        // Across the quarter, with D constant: Σ' = q Σ + (1 − q)/4 D Dᵀ.
        let kept = (-2.0 * h).exp();
        let mut oscillation = 0.0;
        let axes = self.axes.iter().zip(&ends).map(|(axis, ends)| {
            let (w, m) = change(&ends.half, axis.m.as_ref());
            oscillation += 0.25 * inner(&w, &w);
            let grown = Axis { w, m }.times((0.25 * (1.0 - kept)).sqrt());
            self.longer(&axis.times(kept.sqrt()), &grown, diagonal.as_ref())
        });
        let axes = axes.collect::<Result<Vec<_>, _>>()?;
        let squares = ends.iter().fold(point.gradient().clone().powi_scalar(2), |sum, ends| sum + ends.squares.clone());
        self.axes = axes;
        self.phase = Phase {
            time: time + h,
            w: w + (step - back * 0.5) * h,
            m: m.zip(turn.zip(twist)).map(|(m, (turn, twist))| m + (turn - twist * 0.5) * h),
            nu: nu.zip(self.update.square.as_ref()).map(|(nu, square)| {
                let kept = (-square.pull() * h).exp();
                (nu * kept + square.of(squares) * (1.0 - kept)).clamp_min(0.0)
            }),
        };
        self.untangle(diagonal.as_ref())?;
        if !loss.is_finite() {
            return Err(FlowError::NotFinite);
        }
        Ok(Prediction { center: point.loss(), loss, oscillation })
    }

    /// The product in which axes are orthogonal: that of P, in which the modes of `P⁻¹ H` are, m counted in units of w
    /// by what turns over at the edge.
    fn product(&self, a: &Axis, b: &Axis, diagonal: Option<&Tensor<1>>) -> f64 {
        let of_w = match diagonal {
            Some(diagonal) => inner(&(a.w.clone() * diagonal.clone()), &b.w),
            None => inner(&a.w, &b.w),
        };
        let of_m = a.m.as_ref().zip(b.m.as_ref()).map_or(0.0, |(a, b)| match diagonal {
            Some(diagonal) => inner(&(a.clone() / diagonal.clone()), b),
            None => inner(a, b),
        });
        of_w + of_m / self.update.turning().powi(2)
    }

    /// The longer axis of `a aᵀ + b bᵀ`.
    fn longer(&self, a: &Axis, b: &Axis, diagonal: Option<&Tensor<1>>) -> Result<Axis, FlowError> {
        let pair = [a, b];
        let gram = Symmetric::of(2, |row, column| self.product(pair[row], pair[column], diagonal));
        if !gram.norm().is_finite() {
            return Err(FlowError::NotFinite);
        }
        let (_, vectors) = gram.eigenpairs()?;
        Ok(a.times(vectors[1][0]).plus(vectors[1][1], b))
    }

    /// Makes the axes orthogonal, longest first, and none shorter than rounding.
    fn untangle(&mut self, diagonal: Option<&Tensor<1>>) -> Result<(), FlowError> {
        let length = |axis: &Axis| self.product(axis, axis, diagonal).sqrt();
        let mut axes: Vec<(f64, Axis)> = self.axes.iter().map(|axis| (length(axis), axis.clone())).collect();
        axes.sort_by(|a, b| b.0.total_cmp(&a.0));
        let least = Space::of(&self.phase.w).epsilon() * norm(&self.phase.w);
        let mut apart: Vec<Axis> = Vec::with_capacity(axes.len());
        for (_, axis) in axes {
            // Twice is enough (Parlett).
            let off = |axis: Axis| {
                apart.iter().fold(axis, |axis, longer| {
                    let part = self.product(&axis, longer, diagonal) / self.product(longer, longer, diagonal);
                    axis.plus(-part, longer)
                })
            };
            let axis = off(off(axis));
            let found = norm(&axis.w);
            if !found.is_finite() {
                return Err(FlowError::NotFinite);
            }
            // One without any length has no direction to be kept along.
            if found > 0.0 {
                apart.push(axis.times(least.max(found) / found));
            }
        }
        self.axes = apart;
        Ok(())
    }
}

impl Axis {
    fn times(&self, factor: f64) -> Self {
        Self { w: self.w.clone() * factor, m: self.m.clone().map(|m| m * factor) }
    }

    fn plus(&self, factor: f64, other: &Self) -> Self {
        let m = self.m.clone().zip(other.m.clone()).map(|(m, of)| m + of * factor);
        Self { w: self.w.clone() + other.w.clone() * factor, m }
    }
}

impl<N: Network> Flow<N> for Rod {
    fn advance(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError> {
        let start = self.phase.time;
        let mut first = None;
        for part in 1..=PARTS {
            let predicted = self.part(objective)?;
            self.phase.time = start + part as f64 / PARTS as f64;
            first.get_or_insert(predicted);
        }
        first.ok_or(FlowError::NotFinite)
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
        state.put_scalars("axes", [self.axes.len() as f64]);
        for (at, axis) in self.axes.iter().enumerate() {
            state.put(&format!("axis_{at}_w"), &axis.w);
            if let Some(m) = &axis.m {
                state.put(&format!("axis_{at}_m"), m);
            }
        }
        state
    }

    fn restore(&mut self, state: &State) -> bool {
        let found = || -> Option<(Phase, Vec<Axis>)> {
            let phase = self.phase.take(state)?;
            let [count] = state.take_scalars("axes")?;
            let axis = |at: usize| {
                let of_m = phase.m.as_ref();
                let m = match of_m {
                    Some(like) => Some(state.take(&format!("axis_{at}_m"), like)?),
                    None => None,
                };
                Some(Axis { w: state.take(&format!("axis_{at}_w"), &phase.w)?, m })
            };
            let axes = (0..count as usize).map(axis).collect::<Option<_>>()?;
            Some((phase, axes))
        };
        let Some((phase, axes)) = found() else { return false };
        (self.phase, self.axes) = (phase, axes);
        true
    }
}
