//! Optimizers by name: the `[optimizer]` table of a training configuration.

use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig as BurnMomentumConfig;
use burn::optim::{
    AdaGradConfig, AdafactorConfig, AdamConfig as BurnAdamConfig, AdamWConfig, AdanConfig, LBFGSConfig, LambConfig,
    LineSearchFn, LionConfig, ModuleOptimizer, Optimizer, RmsPropConfig as BurnRmsPropConfig, SgdConfig,
};
use burn::tensor::DType;
use serde::{Deserialize, Serialize};

use crate::adam::{AdamConfig, beta_1, beta_2};
use crate::edge::Reveal;
use crate::gradient_descent::GradientDescentConfig;
use crate::method::{Method, Rule, Surrogate};
use crate::momentum::MomentumConfig;
use crate::muon::MuonConfig;
use crate::nesterov::{Form, NesterovConfig};
use crate::penalty::SharpnessPenaltyConfig;
use crate::rmsprop::{RmsPropConfig, epsilon};
use crate::sam::SamConfig;
use crate::schedule::ScheduleConfig;
use crate::weight_decay::WithWeightDecay;
use crate::{OptimError, check_factor, check_not_negative, check_positive};

/// An update rule and its settings.
///
/// The rules up to [`Adam`](Self::Adam) are ours; the others are Burn's, with Burn's defaults unless a setting says
/// otherwise. Where Burn's AdaGrad, RMSProp, SGD and Adam and ours take a weight decay, it is coupled (`g + λw`); the
/// others decouple it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RuleConfig {
    /// Gradient descent; also under the name `sgd`.
    #[serde(alias = "sgd")]
    Gd(GradientDescentConfig),
    /// Heavy ball.
    Momentum(MomentumConfig),
    /// Nesterov's accelerated gradient.
    Nesterov(NesterovConfig),
    /// RMSProp.
    Rmsprop(RmsPropConfig),
    /// Adam.
    Adam(AdamConfig),
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019).
    Adamw(Betas),
    /// Muon for matrices, AdamW for the rest.
    Muon(MuonConfig),
    /// Lion (Chen et al. 2023).
    Lion(LionSettings),
    /// AdaGrad (Duchi et al. 2011).
    Adagrad(Epsilon),
    /// Adafactor (Shazeer & Stern 2018), at the configured rate instead of its relative one.
    Adafactor(NoSettings),
    /// Adan (Xie et al. 2022).
    Adan(NoSettings),
    /// LAMB (You et al. 2020).
    Lamb(Betas),
    /// L-BFGS (Liu & Nocedal 1989); one step runs up to `iterations` inner iterations on one batch, so use it
    /// full-batch.
    Lbfgs(LbfgsSettings),
    /// Burn's SGD with its momentum (dampening 0.1).
    BurnSgd(MomentumConfig),
    /// Burn's RMSProp (α = 0.99, momentum 0.9, ϵ = 1e-5).
    BurnRmsprop(NoSettings),
    /// Burn's Adam (ϵ = 1e-5).
    BurnAdam(NoSettings),
}

/// A rule without settings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NoSettings {}

/// Settings of [`RuleConfig::Adamw`] and [`RuleConfig::Lamb`]; defaults as for [`AdamConfig`]. Burn rounds them to f32.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Betas {
    /// The factor of the first moment. Default: 0.9.
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// The factor of the second moment. Default: 0.999.
    #[serde(default = "beta_2")]
    pub beta_2: f64,
    /// ϵ. Default: 1e-8.
    #[serde(default = "epsilon")]
    pub epsilon: f64,
}

/// Settings of [`RuleConfig::Lion`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LionSettings {
    /// Interpolation of the step. Default: 0.9 (Chen et al. 2023, Algorithm 2).
    #[serde(default = "beta_1")]
    pub beta_1: f64,
    /// Interpolation of the momentum. Default: 0.99 (likewise).
    #[serde(default = "lion_beta_2")]
    pub beta_2: f64,
}

/// Settings of [`RuleConfig::Adagrad`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Epsilon {
    /// ϵ. Default: 1e-10 (PyTorch).
    #[serde(default = "adagrad_epsilon")]
    pub epsilon: f64,
}

/// Settings of [`RuleConfig::Lbfgs`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LbfgsSettings {
    /// Inner iterations a step, at most. Default: 20 (Burn, PyTorch).
    #[serde(default = "iterations")]
    pub iterations: usize,
    /// Pairs kept. Default: 100 (Burn, PyTorch).
    #[serde(default = "history")]
    pub history: usize,
    /// Whether to search for a step that meets the strong Wolfe conditions. Default: true (Nocedal & Wright 2006,
    /// §7.2: without it the curvature condition can fail); Burn's and PyTorch's is false.
    #[serde(default = "yes")]
    pub line_search: bool,
}

fn lion_beta_2() -> f64 {
    0.99
}
fn adagrad_epsilon() -> f64 {
    1e-10
}
fn iterations() -> usize {
    20
}
fn history() -> usize {
    100
}
fn yes() -> bool {
    true
}

/// What becomes of a setting in Burn's own rules, which keep theirs in f32.
fn rounded(value: f64) -> f64 {
    f64::from(value as f32)
}

impl Betas {
    fn check(&self) -> Result<(), OptimError> {
        check_factor("beta_1", rounded(self.beta_1))?;
        check_factor("beta_2", rounded(self.beta_2))?;
        check_not_negative("epsilon", rounded(self.epsilon))
    }
}

impl RuleConfig {
    /// Every name accepted in a configuration, with one line on what it is.
    pub const ALL: &'static [(&'static str, &'static str)] = &[
        ("gd", "gradient descent, w − ε g (also: sgd)"),
        ("momentum", "heavy ball, v = b v − ε g, w + v"),
        ("nesterov", "Nesterov's gradient; form = \"reparameterised\" (default) or \"look-ahead\""),
        ("rmsprop", "step over the root of the mean squared derivative"),
        ("adam", "Adam; epsilon_inside = true for the notes' form"),
        ("adamw", "Burn's AdamW: decoupled weight decay"),
        ("muon", "Burn's Muon for matrices, AdamW for the rest"),
        ("lion", "Burn's Lion"),
        ("adagrad", "Burn's AdaGrad"),
        ("adafactor", "Burn's Adafactor, at the configured rate"),
        ("adan", "Burn's Adan"),
        ("lamb", "Burn's LAMB"),
        ("lbfgs", "Burn's L-BFGS; up to 20 iterations a step, for full batches"),
        ("burn-sgd", "Burn's SGD with its momentum, dampening 0.1"),
        ("burn-rmsprop", "Burn's RMSProp with its defaults: momentum 0.9, ϵ = 1e-5"),
        ("burn-adam", "Burn's Adam with its defaults: ϵ = 1e-5"),
    ];

    /// Whether a saved state comes back as it was in this type.
    ///
    /// True for all rules of this crate, and for every rule in f32. Burn reads the states of its own rules in the
    /// device's default type: in f64 they would come back rounded.
    #[must_use]
    pub fn restores(&self, dtype: DType) -> bool {
        let ours =
            matches!(self, Self::Gd(_) | Self::Momentum(_) | Self::Nesterov(_) | Self::Rmsprop(_) | Self::Adam(_));
        ours || dtype == DType::F32
    }

    /// Whether every number is stepped on its own, whatever tensor it stands in: parameters may then be joined into one
    /// [`Vector`](crate::Vector).
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        match self {
            Self::Gd(_) | Self::Momentum(_) | Self::Nesterov(_) | Self::Rmsprop(_) | Self::Adam(_) => true,
            Self::Adamw(_) | Self::Lion(_) | Self::Adagrad(_) => true,
            Self::BurnSgd(_) | Self::BurnRmsprop(_) | Self::BurnAdam(_) => true,
            Self::Muon(_) | Self::Adafactor(_) | Self::Adan(_) | Self::Lamb(_) | Self::Lbfgs(_) => false,
        }
    }

    fn build(&self, weight_decay: Option<f64>) -> Result<Rule, OptimError> {
        fn coupled<R: Optimizer>(rule: R, decay: f64) -> Rule {
            Rule::Module(match decay {
                0.0 => rule.into(),
                decay => WithWeightDecay::new(rule, decay).into(),
            })
        }
        fn plain(rule: impl Into<ModuleOptimizer>) -> Rule {
            Rule::Module(rule.into())
        }
        let decay = weight_decay.unwrap_or(0.0);
        let penalty = (decay > 0.0).then_some(WeightDecayConfig { penalty: decay as f32 });
        Ok(match self {
            Self::Gd(config) => coupled(config.build(), decay),
            Self::Momentum(config) => coupled(config.build()?, decay),
            Self::Nesterov(config) => match config.form {
                Form::Reparameterised => coupled(config.build()?, decay),
                Form::LookAhead if decay > 0.0 => {
                    return Err(OptimError::Combination(
                        "look-ahead takes no weight decay; use the re-parameterised form of nesterov",
                    ));
                }
                Form::LookAhead => Rule::LookAhead(config.look_ahead()?),
            },
            Self::Rmsprop(config) => coupled(config.build()?, decay),
            Self::Adam(config) => coupled(config.build()?, decay),
            Self::Adamw(betas) => {
                betas.check()?;
                plain(
                    AdamWConfig::new()
                        .with_beta_1(betas.beta_1 as f32)
                        .with_beta_2(betas.beta_2 as f32)
                        .with_epsilon(betas.epsilon as f32)
                        .with_weight_decay(weight_decay.unwrap_or(0.01) as f32)
                        .build(),
                )
            }
            Self::Muon(config) => plain(config.build(decay)?),
            Self::Lion(settings) => {
                check_factor("beta_1", rounded(settings.beta_1))?;
                check_factor("beta_2", rounded(settings.beta_2))?;
                plain(
                    LionConfig::new()
                        .with_beta_1(settings.beta_1 as f32)
                        .with_beta_2(settings.beta_2 as f32)
                        .with_weight_decay(decay as f32)
                        .build(),
                )
            }
            Self::Adagrad(settings) => {
                check_not_negative("epsilon", rounded(settings.epsilon))?;
                coupled(AdaGradConfig::new().with_epsilon(settings.epsilon as f32).build(), decay)
            }
            Self::Adafactor(_) => plain(
                AdafactorConfig::new()
                    .with_relative_step(false)
                    .with_scale_parameter(false)
                    .with_weight_decay(decay as f32)
                    .build(),
            ),
            Self::Adan(_) => plain(AdanConfig::new().with_weight_decay(decay as f32).build()),
            Self::Lamb(betas) => {
                betas.check()?;
                plain(
                    LambConfig::new()
                        .with_beta_1(betas.beta_1 as f32)
                        .with_beta_2(betas.beta_2 as f32)
                        .with_epsilon(betas.epsilon as f32)
                        .with_weight_decay(decay as f32)
                        .build(),
                )
            }
            Self::Lbfgs(_) if decay > 0.0 => {
                return Err(OptimError::Combination("lbfgs takes no weight decay"));
            }
            Self::Lbfgs(settings) => {
                check_positive("iterations", settings.iterations as f64)?;
                check_positive("history", settings.history as f64)?;
                let line_search = if settings.line_search { LineSearchFn::StrongWolfe } else { LineSearchFn::None };
                let lbfgs = LBFGSConfig::new()
                    .with_max_iter(settings.iterations)
                    .with_history_size(settings.history)
                    .with_line_search_fn(line_search);
                Rule::Lbfgs(Box::new(lbfgs.init()))
            }
            Self::BurnSgd(config) => {
                check_factor("momentum", rounded(config.momentum))?;
                let momentum = BurnMomentumConfig::new().with_momentum(config.momentum);
                plain(SgdConfig::new().with_momentum(Some(momentum)).with_weight_decay(penalty).build())
            }
            Self::BurnRmsprop(_) => plain(BurnRmsPropConfig::new().with_weight_decay(penalty).build()),
            Self::BurnAdam(_) => plain(BurnAdamConfig::new().with_weight_decay(penalty).build()),
        })
    }
}

/// A rule, its learning rate, and what goes around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OptimizerConfig {
    /// The update rule.
    pub rule: RuleConfig,
    /// The learning rate ε, positive.
    pub learning_rate: f64,
    /// Weight decay λ, not negative. Default: 0; 0.01 for `adamw` (Loshchilov & Hutter 2019; PyTorch).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// Largest norm of the whole gradient; by default it is not clipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// Sharpness-aware minimization around the rule; by default not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sam: Option<SamConfig>,
    /// The largest eigenvalue of the Hessian added to the loss; by default not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness_penalty: Option<SharpnessPenaltyConfig>,
    /// How the learning rate changes. Default: constant.
    #[serde(default)]
    pub schedule: ScheduleConfig,
}

impl OptimizerConfig {
    /// A rule at a constant rate, with nothing around it.
    #[must_use]
    pub fn new(rule: RuleConfig, learning_rate: f64) -> Self {
        let schedule = ScheduleConfig::default();
        Self { rule, learning_rate, weight_decay: None, clip_norm: None, sam: None, sharpness_penalty: None, schedule }
    }

    /// Puts SAM around the rule.
    #[must_use]
    pub fn with_sam(mut self, sam: SamConfig) -> Self {
        self.sam = Some(sam);
        self
    }

    /// Adds the largest eigenvalue of the Hessian to the loss.
    #[must_use]
    pub fn with_sharpness_penalty(mut self, penalty: SharpnessPenaltyConfig) -> Self {
        self.sharpness_penalty = Some(penalty);
        self
    }

    /// The method, without state yet.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range, or settings do not go together.
    pub fn init(&self) -> Result<Method, OptimError> {
        check_positive("learning_rate", self.learning_rate)?;
        if let Some(decay) = self.weight_decay {
            check_not_negative("weight_decay", rounded(decay))?;
        }
        if let Some(limit) = self.clip_norm {
            check_positive("clip_norm", limit)?;
        }
        let rule = self.rule.build(self.weight_decay)?;
        let surrogate = match (&self.sam, &self.sharpness_penalty) {
            (None, None) => None,
            (Some(sam), None) => Some(Surrogate::Sam(sam.build()?)),
            (None, Some(penalty)) => Some(Surrogate::Penalty(penalty.build()?)),
            (Some(_), Some(_)) => {
                return Err(OptimError::Combination("sam and sharpness_penalty do not go together: leave one out"));
            }
        };
        if surrogate.is_some() && !matches!(rule, Rule::Module(_)) {
            return Err(OptimError::Combination(
                "sam and sharpness_penalty go around rules that take one gradient a step, not around lbfgs or the \
                 look-ahead form of nesterov",
            ));
        }
        if self.clip_norm.is_some() && matches!(rule, Rule::Lbfgs(_)) {
            return Err(OptimError::Combination(
                "lbfgs takes no clip_norm: its line search needs the gradient as it is",
            ));
        }
        Ok(Method::new(rule, surrogate, self.clip_norm, Reveal::of(&self.rule)))
    }
}
