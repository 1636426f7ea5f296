//! The stable flow: the path of a method as if its steps were small.
//!
//! With [`Update`]'s maps at momentary parameters,
//!
//! `dw/dt = f_w`, `dm/dt = f_m`, `dν/dt = (1 − β)/β (g² − ν)`
//!
//! (Cohen et al. 2025, companion site, parts 1 to 3, for gradient descent and RMSProp; for methods with momentum this
//! is the same in words, ours). Of gradient descent it is gradient flow, `dw/dt = −ε ∇L`. It knows nothing of an edge:
//! where the sharpness goes beyond, the method leaves it.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_model::Network;

use crate::error::FlowError;
use crate::flow::{Flow, Prediction, gradient};
use crate::runge_kutta::{Blocks, integrate};
use crate::state::State;
use crate::update::{Start, Update};

/// Error of a step of the integration, relative to the norm of what is integrated.
pub(crate) const TOLERANCE: f64 = 1e-7;

/// The stable flow of a method, at a moment.
#[derive(Debug, Clone)]
pub struct Stable {
    update: Update,
    pub(crate) phase: Phase,
    /// Length of the integration's steps.
    size: f64,
}

/// The state of a method at a time: w, m and ν.
#[derive(Debug, Clone)]
pub(crate) struct Phase {
    pub time: f64,
    pub w: Tensor<1>,
    pub m: Option<Tensor<1>>,
    pub nu: Option<Tensor<1>>,
}

impl Phase {
    /// Where a method is at w, its ν behind the gradient there, which the step from w is divided by. Where it comes
    /// from nowhere, ν was zero before, and m is.
    pub(crate) fn begin<N: Network>(
        update: &Update,
        objective: &Objective<N>,
        Start { w, nu }: &Start,
    ) -> Result<Self, FlowError> {
        let (_, g) = gradient(objective, w)?;
        let nu = update.square.as_ref().map(|square| {
            let fresh = square.of(g.powi_scalar(2)) * (1.0 - square.beta);
            nu.clone().map_or_else(|| fresh.clone(), |nu| nu * square.beta + fresh.clone())
        });
        Ok(Self { time: 0.0, w: w.clone(), m: update.momentum.map(|_| w.zeros_like()), nu })
    }

    fn blocks(&self) -> Blocks {
        [Some(&self.w), self.m.as_ref(), self.nu.as_ref()].into_iter().flatten().cloned().collect()
    }

    fn with(&self, time: f64, blocks: Blocks) -> Self {
        let mut blocks = blocks.into_iter();
        let w = blocks.next().unwrap_or_else(|| self.w.clone());
        let m = self.m.as_ref().and_then(|_| blocks.next());
        // An average of squares: errors of the integration may not take it below zero.
        let nu = self.nu.as_ref().and_then(|_| blocks.next()).map(|nu| nu.clamp_min(0.0));
        Self { time, w, m, nu }
    }

    /// The diagonal of the preconditioner.
    pub fn preconditioner(&self, update: &Update) -> Option<Tensor<1>> {
        update.preconditioner(self.nu.as_ref()?, self.time)
    }

    pub fn put(&self, state: &mut State) {
        state.put_scalars("time", [self.time]);
        state.put("w", &self.w);
        for (name, block) in [("m", &self.m), ("nu", &self.nu)] {
            if let Some(block) = block {
                state.put(name, block);
            }
        }
    }

    pub fn take(&self, state: &State) -> Option<Self> {
        let of = |name: &str, there: &Option<Tensor<1>>| match there {
            Some(like) => state.take(name, like).map(Some),
            None => Some(None),
        };
        let [time] = state.take_scalars("time")?;
        Some(Self { time, w: state.take("w", &self.w)?, m: of("m", &self.m)?, nu: of("nu", &self.nu)? })
    }
}

/// Follows the stable flow by `span`, from a point whose gradient is not known; its value there.
pub(crate) fn follow<N: Network>(
    update: &Update,
    objective: &Objective<N>,
    phase: &Phase,
    span: f64,
    size: &mut f64,
) -> Result<(Phase, f64), FlowError> {
    let mut value = None;
    let blocks = integrate(phase.blocks(), phase.time, span, size, TOLERANCE, |time, blocks| {
        let at = phase.with(time, blocks.clone());
        let (loss, g) = gradient(objective, &at.w)?;
        value.get_or_insert(loss);
        let (w, m) = update.change(&g, at.m.as_ref(), at.preconditioner(update).as_ref());
        let square = update.square.as_ref().zip(at.nu.as_ref());
        let nu = square.map(|(square, nu)| (square.of(g.powi_scalar(2)) - nu.clone()) * square.pull());
        Ok([Some(w), m, nu].into_iter().flatten().collect())
    })?;
    Ok((phase.with(phase.time + span, blocks), value.unwrap_or(f64::NAN)))
}

impl Stable {
    /// The flow of a method from there.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite there.
    pub(crate) fn begin<N: Network>(
        update: Update,
        objective: &Objective<N>,
        start: &Start,
    ) -> Result<Self, FlowError> {
        let phase = Phase::begin(&update, objective, start)?;
        Ok(Self { update, phase, size: 0.25 })
    }
}

impl<N: Network> Flow<N> for Stable {
    fn advance(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError> {
        let (phase, loss) = follow(&self.update, objective, &self.phase, 1.0, &mut self.size)?;
        self.phase = phase;
        Ok(Prediction { center: loss, loss, oscillation: 0.0 })
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
        state
    }

    fn restore(&mut self, state: &State) -> bool {
        let found = self.phase.take(state).zip(state.take_scalars("size"));
        let Some((phase, [size])) = found else { return false };
        (self.phase, self.size) = (phase, size);
        true
    }
}
