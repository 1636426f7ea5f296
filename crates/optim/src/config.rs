//! Optimizers by name: the `[optimizer]` table of a training configuration.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{DType, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::adam::AdamConfig;
use crate::amsgrad::AmsGradConfig;
use crate::entropy_sgd::EntropySgdConfig;
use crate::error::{OptimError, check_not_negative, check_positive, rounded};
use crate::gradient_descent::GradientDescentConfig;
use crate::lbfgs::LbfgsConfig;
use crate::method::{Method, Surrogate};
use crate::momentum::MomentumConfig;
use crate::muon::MuonConfig;
use crate::nesterov::NesterovConfig;
use crate::of_burn::adafactor::AdafactorConfig;
use crate::of_burn::adagrad::AdaGradConfig;
use crate::of_burn::adam::BurnAdamConfig;
use crate::of_burn::adamw::AdamWConfig;
use crate::of_burn::adan::AdanConfig;
use crate::of_burn::lamb::LambConfig;
use crate::of_burn::lion::LionConfig;
use crate::of_burn::rmsprop::BurnRmsPropConfig;
use crate::of_burn::sgd::BurnSgdConfig;
use crate::penalty::SharpnessPenaltyConfig;
use crate::rmsprop::RmsPropConfig;
use crate::rule::{Rule, Settings};
use crate::sam::SamConfig;
use crate::scalar_rmsprop::ScalarRmsPropConfig;
use crate::schedule::ScheduleConfig;
use crate::schedule_free::ScheduleFreeConfig;
use crate::shared::visit_once;
use crate::soap::SoapConfig;

/// The table of rules: a variant with its settings, its names in a configuration, and what it is. The settings say all
/// the rest, in the rule's own file.
macro_rules! rules {
    ($($variant:ident($settings:ty) = $name:literal $(or $alias:literal)?: $words:literal;)+) => {
        /// An update rule and its settings.
        ///
        /// Where Burn's AdaGrad, RMSProp, SGD and Adam and ours take a weight decay, it is coupled (`g + λw`); the
        /// others decouple it.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum RuleConfig {
            $(
                #[doc = $words]
                #[serde(rename = $name $(, alias = $alias)?)]
                $(#[schemars(extend("alias" = $alias))])?
                $variant($settings),
            )+
        }

        impl RuleConfig {
            /// Every name accepted in a configuration, with one line on what it is.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];

            pub(crate) fn settings(&self) -> &dyn Settings {
                match self {
                    $(Self::$variant(settings) => settings,)+
                }
            }
        }

        $(impl From<$settings> for RuleConfig {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })+
    };
}

rules! {
    Gd(GradientDescentConfig) = "gd" or "sgd": "gradient descent, w − ε g (also: sgd)";
    Momentum(MomentumConfig) = "momentum": "heavy ball, v = b v − ε g, w + v";
    Nesterov(NesterovConfig) =
        "nesterov": "Nesterov's gradient; form = \"reparameterised\" (default) or \"look-ahead\"";
    Rmsprop(RmsPropConfig) = "rmsprop": "step over the root of the mean squared derivative";
    ScalarRmsprop(ScalarRmsPropConfig) =
        "scalar-rmsprop": "the whole gradient over the root of its mean squared length";
    Adam(AdamConfig) = "adam": "Adam; epsilon_inside = true for the notes' form";
    Amsgrad(AmsGradConfig) = "amsgrad": "Adam divided by the largest second moment so far";
    EntropySgd(EntropySgdConfig) = "entropy-sgd": "Entropy-SGD: inner steps drawn back to a point, which follows them";
    ScheduleFree(ScheduleFreeConfig) =
        "schedule-free": "Schedule-Free: the gradient between a fast sequence and its average; adaptive = true: AdamW";
    Adamw(AdamWConfig) = "adamw": "Burn's AdamW: decoupled weight decay";
    Muon(MuonConfig) = "muon": "Burn's Muon for matrices, AdamW for the rest";
    Soap(SoapConfig) = "soap": "SOAP: Adam in the eigenbasis of Shampoo's preconditioner";
    Lion(LionConfig) = "lion": "Burn's Lion";
    Adagrad(AdaGradConfig) = "adagrad": "Burn's AdaGrad";
    Adafactor(AdafactorConfig) = "adafactor": "Burn's Adafactor, at the configured rate";
    Adan(AdanConfig) = "adan": "Burn's Adan";
    Lamb(LambConfig) = "lamb": "Burn's LAMB";
    Lbfgs(LbfgsConfig) = "lbfgs": "Burn's L-BFGS; up to 20 iterations a step, for full batches";
    BurnSgd(BurnSgdConfig) = "burn-sgd": "Burn's SGD with its momentum, dampening 0.1";
    BurnRmsprop(BurnRmsPropConfig) = "burn-rmsprop": "Burn's RMSProp with its defaults: momentum 0.9, ϵ = 1e-5";
    BurnAdam(BurnAdamConfig) = "burn-adam": "Burn's Adam with its defaults: ϵ = 1e-5";
}

impl RuleConfig {
    /// Whether a saved state comes back as it was in this type.
    ///
    /// True for all rules of this crate, and for every rule in f32. Burn reads the states of its own rules in the
    /// device's default type: in f64 they would come back rounded.
    #[must_use]
    pub fn restores(&self, dtype: DType) -> bool {
        dtype == DType::F32 || self.settings().facts().restores
    }

    /// Whether the step of a number does not depend on the tensor that it stands in: parameters may then be joined into
    /// one [`Vector`](crate::Vector).
    #[must_use]
    pub fn is_elementwise(&self) -> bool {
        self.settings().facts().elementwise
    }

    /// Numbers in the rule's state for each parameter, besides its [`squares`](Self::squares).
    #[must_use]
    pub fn states(&self) -> usize {
        self.settings().facts().states
    }

    /// Whether the size of the rule's state depends on the shapes of the parameters: [`squares`](Self::squares).
    #[must_use]
    pub fn sees_shapes(&self) -> bool {
        self.settings().facts().squares.is_some()
    }

    /// Numbers in the rule's state that depend on the shapes of a module's parameters.
    #[must_use]
    pub fn squares<M: Module>(&self, module: &M) -> usize {
        struct Squares(usize, usize);
        impl ModuleVisitor for Squares {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let dims = param.lazy_shape();
                let dims = dims.iter().filter(|&&dim| D > 1 && dim <= self.0);
                self.1 = dims.fold(self.1, |sum, dim| sum.saturating_add(dim.saturating_mul(2 * dim)));
            }
        }
        let mut squares = Squares(self.settings().facts().squares.unwrap_or(0), 0);
        visit_once(module, &mut squares);
        squares.1
    }
}

/// A rule, its learning rate, and what goes around it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
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
    pub fn new(rule: impl Into<RuleConfig>, learning_rate: f64) -> Self {
        let (rule, schedule) = (rule.into(), ScheduleConfig::default());
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
        let rule = self.rule.settings().rule(self.weight_decay)?;
        let surrogate = match (&self.sam, &self.sharpness_penalty) {
            (None, None) => None,
            (Some(sam), None) => Some(Surrogate::Sam(sam.build()?)),
            (None, Some(penalty)) => Some(Surrogate::Penalty(penalty.build()?)),
            (Some(_), Some(_)) => {
                return Err(OptimError::Combination("sam and sharpness_penalty do not go together: leave one out"));
            }
        };
        if surrogate.is_some() && !matches!(rule, Rule::Module(_) | Rule::Scalar(_)) {
            return Err(OptimError::Combination(
                "sam and sharpness_penalty go around rules that take one gradient a step, not around lbfgs, \
                 schedule-free or the look-ahead form of nesterov",
            ));
        }
        if self.clip_norm.is_some() && matches!(rule, Rule::Lbfgs(_)) {
            return Err(OptimError::Combination(
                "lbfgs takes no clip_norm: its line search needs the gradient as it is",
            ));
        }
        Ok(Method::new(rule, surrogate, self.clip_norm, self.rule.settings().preconditioner()))
    }
}
