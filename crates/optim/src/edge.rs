//! The edge of stability of a method: the sharpness above which its steps on a quadratic grow.
//!
//! | method | stable while | source |
//! |---|---|---|
//! | gradient descent | `λ_max(H) < 2/ε` | Cohen et al. 2021, §2 |
//! | heavy ball, factor b | `λ_max(H) < (2 + 2b)/ε` | Cohen et al. 2021, eq. 1 |
//! | Nesterov, factor b | `λ_max(H) < (2 + 2b)/(ε (1 + 2b))` | Cohen et al. 2021, eq. 1 |
//! | RMSProp, `P = diag(√s + ϵ)` | `λ_max(P⁻¹H) < 2/ε` | Cohen et al. 2022, Appendix C |
//! | Adam, `P = (1 − β₁ᵏ) diag(√v̂ + ϵ)` after k steps | `λ_max(P⁻¹H) < (2 + 2β₁)/((1 − β₁) ε)` | Cohen et al. 2022, eq. 2 |
//! | gradient descent with SAM, radius ρ | `λ_max(H) < ‖g‖/(2ρ) · (√(1 + 8ρ/(ε‖g‖)) − 1)` | Long & Bartlett 2024, eq. 1 |
//!
//! The preconditioner of a method at work is [`Method::preconditioner`](crate::Method::preconditioner). Coupled weight
//! decay δ adds δ to every eigenvalue of H: it is taken off the right side of the first three, and off `2/ε` in SAM's
//! condition `λ + ρλ²/‖g‖ < 2/ε`; with a preconditioner H stands for `H + δI`. Steps are full batches, and are not
//! clipped.

use burn::module::Module;
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer, Optimizer, RecordState, StateSink, StateSource};
use burn::tensor::{Device, Tensor};

use crate::rmsprop::root;
use crate::shared::{self, visit_once};
use crate::state::{put, take};
use crate::{OptimizerConfig, RuleConfig};

/// Which sharpness an edge is to be compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Curvature {
    /// `λ_max(H)`.
    Hessian,
    /// `λ_max(P⁻¹(H + δI))` with the method's preconditioner and weight decay.
    Preconditioned,
}

/// The edge of a method.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Edge {
    /// The sharpness at the edge.
    pub value: f64,
    /// Which sharpness.
    pub of: Curvature,
}

/// Which sharpness decides about the steps of a configured method.
#[must_use]
pub fn seen_by(config: &OptimizerConfig) -> Curvature {
    if Reveal::of(&config.rule).is_some() { Curvature::Preconditioned } else { Curvature::Hessian }
}

/// The edge of a configured method at learning rate ε, where the gradient has this norm. None for a rate of zero, at
/// which every sharpness is stable, for a weight decay so large that none is, for methods without a known edge (the
/// sharpness penalty among them), and for SAM around anything but gradient descent.
#[must_use]
pub fn edge(config: &OptimizerConfig, learning_rate: f64, gradient_norm: f64) -> Option<Edge> {
    let (rate, decay) = (learning_rate, config.weight_decay.unwrap_or(0.0));
    if rate <= 0.0 || config.sharpness_penalty.is_some_and(|penalty| penalty.weight > 0.0) {
        return None;
    }
    let value = match (&config.rule, config.sam.filter(|sam| sam.rho > 0.0)) {
        (RuleConfig::Gd(_), Some(sam)) if !sam.adaptive && gradient_norm > 0.0 => {
            // The root of λ + ρλ²/‖g‖ = a, written so that nothing cancels where ρ is small.
            let (a, slope) = (2.0 / rate - decay, gradient_norm / sam.rho);
            2.0 * a / (1.0 + (1.0 + 4.0 * a.max(0.0) / slope).sqrt())
        }
        (_, Some(_)) => return None,
        (RuleConfig::Gd(_), None) => 2.0 / rate - decay,
        (RuleConfig::Momentum(rule), None) => (2.0 + 2.0 * rule.momentum) / rate - decay,
        (RuleConfig::Nesterov(rule), None) => {
            (2.0 + 2.0 * rule.momentum) / (rate * (1.0 + 2.0 * rule.momentum)) - decay
        }
        (RuleConfig::Rmsprop(_), None) => 2.0 / rate,
        (RuleConfig::Adam(rule), None) => (2.0 + 2.0 * rule.beta_1) / ((1.0 - rule.beta_1) * rate),
        _ => return None,
    };
    (value > 0.0).then(|| Edge { value, of: seen_by(config) })
}

/// The second moments in a state of RMSProp or Adam, which both keep them as `mean_square`.
#[derive(Clone)]
pub(crate) struct Moments<const D: usize> {
    steps: Option<usize>,
    mean_square: Tensor<D>,
}

impl<const D: usize> RecordState for Moments<D> {
    fn state_flatten(&self, prefix: &str, out: &mut StateSink) {
        put(&self.mean_square, prefix, "mean_square", out);
    }

    fn state_unflatten(prefix: &str, source: &mut StateSource, device: &Device) -> Option<Self> {
        let steps = source.take_scalar(prefix, "steps").and_then(|steps| steps.try_into().ok());
        Some(Self { steps, mean_square: take(prefix, "mean_square", source, device)? })
    }
}

/// A rule that puts the preconditioner's diagonal in the place of every parameter: the way Burn offers to states and
/// parameters at once.
#[derive(Clone)]
pub(crate) struct Reveal {
    /// β₁ and β₂, for Adam's corrections.
    betas: [f64; 2],
    epsilon: f64,
    epsilon_inside: bool,
}

impl Optimizer for Reveal {
    type State<const D: usize> = Moments<D>;

    fn step<const D: usize>(
        &self,
        _: LearningRate,
        w: Tensor<D>,
        _: Tensor<D>,
        state: Option<Self::State<D>>,
    ) -> (Tensor<D>, Option<Self::State<D>>) {
        let Some(state) = state else { return (w.ones_like(), None) };
        // What is missing of the weight of an average that began with zero.
        let [first, second] = self.betas.map(|beta| state.steps.map_or(1.0, |steps| 1.0 - beta.powf(steps as f64)));
        let diagonal = root(state.mean_square.clone() / second, self.epsilon, self.epsilon_inside) * first;
        (diagonal, Some(state))
    }

    fn to_device<const D: usize>(state: Self::State<D>, device: &Device) -> Self::State<D> {
        Moments { steps: state.steps, mean_square: state.mean_square.to_device(device) }
    }
}

impl Reveal {
    /// For methods that have a preconditioner.
    pub(crate) fn of(rule: &RuleConfig) -> Option<Self> {
        match rule {
            RuleConfig::Adam(rule) => Some(Self {
                betas: [rule.beta_1, rule.beta_2],
                epsilon: rule.epsilon,
                epsilon_inside: rule.epsilon_inside,
            }),
            RuleConfig::Rmsprop(rule) => {
                Some(Self { betas: [0.0; 2], epsilon: rule.epsilon, epsilon_inside: rule.epsilon_inside })
            }
            _ => None,
        }
    }

    /// The module with the preconditioner's diagonal, as the optimizer's state has it, in the place of its parameters.
    pub(crate) fn preconditioner<M: Module>(&self, optimizer: &ModuleOptimizer, module: M) -> M {
        // A parameter is only stepped when it has a gradient: the parameters themselves serve.
        let gradients = own(&module);
        let mut reveal = ModuleOptimizer::from(self.clone()).load_record(optimizer.to_record());
        shared::step(&mut reveal, 0.0, module, gradients)
    }
}

/// Every float parameter as its own gradient.
fn own<M: Module>(module: &M) -> GradientsParams {
    struct Own(GradientsParams);
    impl burn::module::ModuleVisitor for Own {
        fn visit_float<const D: usize>(&mut self, param: &burn::module::Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner());
        }
    }
    let mut own = Own(GradientsParams::new());
    visit_once(module, &mut own);
    own.0
}
