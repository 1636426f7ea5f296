//! The edge flow (Marion 2026): a middle, the direction in which gradient descent oscillates around it, and how far.
//!
//! With the ends `c ± r u` of the oscillation, ‖u‖ = 1,
//!
//! `dc/dt = −(ε/2) [∇L(c + r u) + ∇L(c − r u)]`, `du/dt ∝ (I − u uᵀ) H u`, `dr/dt = r (ε uᵀ H u − 2)`:
//!
//! the middle follows the loss averaged over the ends, the direction climbs to the sharpest one, and the extent grows
//! where the sharpness is above `2/ε`. The paper's words say this; its equations were out of reach, so they are
//! derived from what gradient descent does to both ends, which it exchanges: `c′ = c − (ε/2)(g₊ + g₋)` and `r′ u′ =
//! (ε/2)(g₊ − g₋) − r u`.
//!
//! It is followed in steps of the method: then the first of these is exact. The direction moves at half the rate of
//! Rayleigh quotients, `u + ½ ε (H u − (uᵀ H u) u)`, at which curvatures between `−2/ε` and the edge cannot make it
//! unstable. Where the ends are far enough apart for differences, `H u = (g₊ − g₋)/2r`, the mean Hessian between them,
//! takes the place of that at the middle, which on a symmetric loss never feels the oscillation. Two gradients a step,
//! and a Hessian product where they are not apart.
//!
//! An extent below `ϵ ‖c‖` is rounding, which a method never loses: it is kept there.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_krylov::{Eigensolver, Space, SymmetricOperator, inner, norm};
use losscape_model::Network;
use losscape_model::random::{Purpose, stream};

use crate::error::FlowError;
use crate::flow::{Flow, Prediction, gradient};
use crate::state::State;
use crate::update::{Start, Update};

/// The index of the stream of the probes at the start.
const EDGE: u64 = 3 << 40;

/// The edge flow of gradient descent, at a moment.
#[derive(Debug, Clone)]
pub struct Edge {
    rate: f64,
    middle: Tensor<1>,
    direction: Tensor<1>,
    extent: f64,
}

impl Edge {
    /// The flow of gradient descent from there, its direction the sharpest there and its extent that of the first half
    /// step along it.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite there.
    pub(crate) fn begin<N: Network>(
        update: &Update,
        objective: &Objective<N>,
        Start { w, .. }: &Start,
        seed: u64,
    ) -> Result<Self, FlowError> {
        let point = objective.at(w)?;
        let found = Eigensolver::top(1).with_tolerance(1e-3).solve(
            &point.hessian(),
            None,
            &mut stream(seed, Purpose::Probes, EDGE),
        )?;
        let direction: Tensor<1> = found.vectors.squeeze_dim(0);
        let extent = (0.5 * update.rate * inner(&direction, point.gradient())).abs();
        let mut edge = Self { rate: update.rate, middle: w.clone(), direction, extent };
        edge.extent = extent.max(edge.rounding());
        Ok(edge)
    }

    fn rounding(&self) -> f64 {
        Space::of(&self.middle).epsilon() * norm(&self.middle)
    }
}

impl<N: Network> Flow<N> for Edge {
    fn advance(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError> {
        let (rate, r) = (self.rate, self.extent);
        let (c, u) = (self.middle.clone(), self.direction.clone());
        let apart = r > 0.0 && r >= Space::of(&c).epsilon().cbrt() * norm(&c) / (c.dims()[0] as f64).sqrt();
        let (center, loss, g, product) = if apart {
            let (above, ahead) = gradient(objective, &(c.clone() + u.clone() * r))?;
            let (below, behind) = gradient(objective, &(c.clone() - u.clone() * r))?;
            let loss = 0.5 * (above + below);
            let product = (ahead.clone() - behind.clone()) * (0.5 / r);
            (objective.value(&c)?, loss, (ahead + behind) * 0.5, product)
        } else {
            let point = objective.at(&c)?;
            let product = point.hessian().apply(u.clone());
            (point.loss(), point.loss(), point.gradient().clone(), product)
        };
        let sharpness = inner(&u, &product);
        let turned = u.clone() + (product - u * sharpness) * (0.5 * rate);
        self.middle = c - g * rate;
        self.direction = turned.clone() / norm(&turned);
        self.extent = (r * (rate * sharpness - 2.0).exp()).max(self.rounding());
        if !self.extent.is_finite() || !center.is_finite() {
            return Err(FlowError::NotFinite);
        }
        Ok(Prediction { center, loss, oscillation: r * r })
    }

    fn parameters(&self) -> &Tensor<1> {
        &self.middle
    }

    fn preconditioner(&self) -> Option<Tensor<1>> {
        None
    }

    fn state(&self) -> State {
        let mut state = State::default();
        state.put("middle", &self.middle);
        state.put("direction", &self.direction);
        state.put_scalars("extent", [self.extent]);
        state
    }

    fn restore(&mut self, state: &State) -> bool {
        let found = state.take("middle", &self.middle).zip(state.take("direction", &self.direction));
        let Some(((middle, direction), [extent])) = found.zip(state.take_scalars("extent")) else { return false };
        (self.middle, self.direction, self.extent) = (middle, direction, extent);
        true
    }
}
