//! Weight decay in front of any rule: the gradient of `L + (λ/2)‖w‖²`, `g + λ w`.
//!
//! This is L2 regularization, "coupled" to what the rule does with its gradient. The optimizers of Burn that bring a
//! decoupled decay of their own (AdamW, Lion, Lamb, Adan, Adafactor, Muon) use that instead; see
//! [`RuleConfig`](crate::RuleConfig).

use burn::optim::{LearningRate, Optimizer};
use burn::tensor::{Device, Tensor};

/// A rule that sees `g + λ w`.
#[derive(Debug, Clone, Copy)]
pub struct WithWeightDecay<R> {
    rule: R,
    decay: f64,
}

impl<R: Optimizer> WithWeightDecay<R> {
    /// Decay λ in front of `rule`.
    pub fn new(rule: R, decay: f64) -> Self {
        Self { rule, decay }
    }
}

impl<R: Optimizer> Optimizer for WithWeightDecay<R> {
    type State<const D: usize> = R::State<D>;

    fn step<const D: usize>(
        &self,
        lr: LearningRate,
        w: Tensor<D>,
        g: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let g = g + w.clone().mul_scalar(self.decay);
        self.rule.step(lr, w, g, state)
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        R::to_device(state, device)
    }
}
