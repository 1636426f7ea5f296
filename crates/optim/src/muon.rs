//! Muon (Jordan et al. 2024) for a whole module: Burn's Muon takes matrices only, so the other parameters go to AdamW.
//!
//! The step of a matrix is scaled to the root-mean-square of an AdamW step (Moonshot AI 2025, §2.2: `0.2·√max(rows,
//! columns)`), so that one learning rate serves both. Jordan et al. also give first and last layer to AdamW; here every
//! matrix goes to Muon.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{
    AdamW, AdamWConfig, AdamWState, AdjustLrFn, LearningRate, Muon, MuonConfig as BurnMuonConfig, MuonState, Optimizer,
    RecordState,
};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_factor};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};

/// Configuration of [`MuonWithAdamW`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MuonConfig {
    /// Nesterov momentum of the orthogonalized gradient. Default: 0.95 (Jordan et al. 2024).
    #[serde(default = "momentum")]
    pub momentum: f64,
}

fn momentum() -> f64 {
    0.95
}

impl MuonConfig {
    /// The rule, with decoupled weight decay.
    ///
    /// # Errors
    ///
    /// When the momentum is not in [0, 1).
    pub fn build(&self, weight_decay: f64) -> Result<MuonWithAdamW, OptimError> {
        check_factor("momentum", f64::from(self.momentum as f32))?;
        let momentum = MomentumConfig { momentum: self.momentum, dampening: 0.0, nesterov: true };
        let mut matrices = BurnMuonConfig::new().with_momentum(momentum).with_adjust_lr_fn(AdjustLrFn::MatchRmsAdamW);
        if weight_decay > 0.0 {
            matrices = matrices.with_weight_decay(Some(WeightDecayConfig { penalty: weight_decay as f32 }));
        }
        let others = AdamWConfig::new().with_epsilon(1e-8).with_weight_decay(weight_decay as f32);
        Ok(MuonWithAdamW { matrices: matrices.build(), others: others.build() })
    }
}

impl Settings for MuonConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        Ok(Rule::Module(self.build(decay.unwrap_or(0.0))?.into()))
    }

    fn facts(&self) -> Facts {
        Facts { elementwise: false, restores: false, states: 2, squares: None }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// Muon for matrices, AdamW (β₁ = 0.9, β₂ = 0.999, ϵ = 1e-8) for everything else.
#[derive(Clone)]
pub struct MuonWithAdamW {
    matrices: Muon,
    others: AdamW,
}

impl std::fmt::Debug for MuonWithAdamW {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MuonWithAdamW").finish_non_exhaustive()
    }
}

/// State of [`MuonWithAdamW`]: that of the rule which has the parameter.
#[derive(RecordState, Clone)]
pub struct MuonWithAdamWState<const D: usize> {
    matrix: Option<MuonState<D>>,
    other: Option<AdamWState<D>>,
}

impl<const D: usize> std::fmt::Debug for MuonWithAdamWState<D> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MuonWithAdamWState")
            .field("matrix", &self.matrix.is_some())
            .field("other", &self.other.is_some())
            .finish_non_exhaustive()
    }
}

impl Optimizer for MuonWithAdamW {
    type State<const D: usize> = MuonWithAdamWState<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let (matrix, other) = state.map_or((None, None), |state| (state.matrix, state.other));
        if D == 2 {
            let (w, matrix) = self.matrices.step(lr, w, g, matrix);
            (w, Some(MuonWithAdamWState { matrix, other: None }))
        } else {
            let (w, other) = self.others.step(lr, w, g, other);
            (w, Some(MuonWithAdamWState { matrix: None, other }))
        }
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        MuonWithAdamWState {
            matrix: state.matrix.map(|state| Muon::to_device(state, device)),
            other: state.other.map(|state| AdamW::to_device(state, device)),
        }
    }
}
