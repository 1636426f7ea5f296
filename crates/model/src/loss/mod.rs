//! Losses as functions of the outputs, with gradient and Hessian product in them.
//!
//! With outputs `F ∈ R^{n×C}`, targets `Y ∈ R^{n×C}` (labels one-hot) and `c = 1` ([`Reduction::Sum`]) or `c = 1/n`
//! ([`Reduction::Mean`]):
//!
//! | loss | value | gradient ∂L/∂F | Hessian product `∂²L/∂F² · V` |
//! |---|---|---|---|
//! | squared error | `(c/2) ‖F − Y‖²` | `c (F − Y)` | `c V` |
//! | cross-entropy | `−c Σ Y ∘ log p` | `c (s ∘ p − Y)` | `c s ∘ p ∘ (V − (p·V))` |
//! | binary cross-entropy | `−c Σ log σ(m)` | `−c t σ(−m)` | `c σ(m) σ(−m) V` |
//! | exponential | `c Σ e^{−m}` | `−c t e^{−m}` | `c e^{−m} V` |
//! | Huber | `c Σ h(F − Y)` | `c clamp(F − Y, −δ, δ)` | `c V` where `|F − Y| ≤ δ`, otherwise 0 |
//!
//! where `p = softmax(F)` by rows, `s_i = Σ_k Y_ik` (1 for labels), `(p·V)_i = Σ_k p_ik V_ik`; for two classes with one
//! output `Y ∈ {0, 1}`, `t = 2Y − 1`, `m = tF` is the margin and `σ(x) = 1/(1 + e^{−x})`; `h(r) = r²/2` up to δ and
//! `δ(|r| − δ/2)` beyond. The mean is over samples and **never** over outputs (Burn's `MseLoss` divides by `n·C`). The
//! notes use squared error with `c = 1`.
//!
//! Where samples have a label at each of L positions, as sequences do, every row of F is L rows of C/L outputs, and the
//! mean is over samples and positions, `c = 1/(nL)`.

mod binary_cross_entropy;
mod cross_entropy;
mod exponential;
mod function;
mod huber;
mod squared_error;

use burn::tensor::{DType, Device, Int, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::data::{Dataset, Target, Targets};
use crate::error::ModelError;
use crate::sample::Outputs;
use function::{Function, Settings};

/// The table of losses: a variant, its name in a configuration, its file, and its formula.
macro_rules! losses {
    ($($variant:ident = $name:literal in $file:ident: $words:literal;)+) => {
        /// Which function of outputs and targets; the formulas are in the [module](self).
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        #[non_exhaustive]
        pub enum LossKind {
            $(#[doc = $words] $variant,)+
        }

        impl LossKind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];

            /// The kind with this name in a configuration.
            #[must_use]
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($name => Some(Self::$variant),)+
                    _ => None,
                }
            }

            fn function(self) -> &'static dyn Function {
                match self {
                    $(Self::$variant => &$file::$variant,)+
                }
            }
        }

        impl Loss {
            /// Every name accepted in a configuration, with its formula.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];
        }
    };
}

losses! {
    SquaredError = "squared-error" in squared_error: "c/2 · ‖F − Y‖², c = 1/n (mean, default) or 1 (sum)";
    CrossEntropy = "cross-entropy" in cross_entropy:
        "−c · Σ Y log softmax(F), labels only, c = 1/n (mean, default) or 1 (sum); label_smoothing = 0";
    BinaryCrossEntropy = "binary-cross-entropy" in binary_cross_entropy:
        "c · Σ log(1 + exp(−m)), the logistic loss of the margin m = (2Y − 1) F; two classes, one output";
    Exponential = "exponential" in exponential:
        "c · Σ exp(−m) of the margin m = (2Y − 1) F; two classes, one output";
    Huber = "huber" in huber: "c · Σ h(F − Y), h(r) = r²/2 up to delta = 1, then δ (|r| − δ/2)";
}

/// The factor `c` in front of the sum over samples.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Reduction {
    /// `c = 1/n`.
    #[default]
    Mean,
    /// `c = 1`: the notes' form.
    Sum,
}

/// A loss; the `[loss]` table of a training configuration.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loss {
    /// Which function.
    #[serde(rename = "name")]
    pub kind: LossKind,
    /// Mean or sum over samples. Default: mean.
    #[serde(default)]
    pub reduction: Reduction,
    /// Cross-entropy: the share s of every target that is spread over all classes, `(1 − s) Y + s/C` (Szegedy et al.
    /// 2016, §7). Default: 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label_smoothing: Option<f64>,
    /// Huber: δ, where a parabola becomes a line (Huber 1964). Default: 1, as in PyTorch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delta: Option<f64>,
    /// L, the positions of a sample that have a target each; of the data, not of a configuration.
    #[serde(skip, default = "one")]
    positions: usize,
}

fn one() -> usize {
    1
}

impl Loss {
    /// The mean of this over samples.
    #[must_use]
    pub const fn new(kind: LossKind) -> Self {
        Self { kind, reduction: Reduction::Mean, label_smoothing: None, delta: None, positions: 1 }
    }

    /// Squared error, mean over samples.
    #[must_use]
    pub const fn squared_error() -> Self {
        Self::new(LossKind::SquaredError)
    }

    /// Cross-entropy, mean over samples.
    #[must_use]
    pub const fn cross_entropy() -> Self {
        Self::new(LossKind::CrossEntropy)
    }

    /// Sets the reduction.
    #[must_use]
    pub const fn with_reduction(mut self, reduction: Reduction) -> Self {
        self.reduction = reduction;
        self
    }

    /// Spreads this share of every target over all classes.
    #[must_use]
    pub const fn with_label_smoothing(mut self, share: f64) -> Self {
        self.label_smoothing = Some(share);
        self
    }

    /// Sets where a parabola becomes a line.
    #[must_use]
    pub const fn with_delta(mut self, delta: f64) -> Self {
        self.delta = Some(delta);
        self
    }

    /// The loss for data with a target at each of so many positions of a sample.
    ///
    /// # Panics
    ///
    /// For none.
    #[must_use]
    pub const fn at_positions(mut self, positions: usize) -> Self {
        assert!(positions > 0, "a sample has at least one position");
        self.positions = positions;
        self
    }

    /// The loss on such targets, and how many outputs a network must have for it.
    ///
    /// # Errors
    ///
    /// [`ModelError::Loss`] when it cannot be taken on such targets, or one of its numbers is not possible.
    pub fn on(self, target: Target) -> Result<(Self, Outputs), ModelError> {
        self.check()?;
        let each = self.kind.function().columns(target);
        let each = each.map_err(|problem| ModelError::Loss { key: "name", problem })?;
        let positions = target.positions();
        Ok((self.at_positions(positions), Outputs { positions, each }))
    }

    /// Whether its numbers are possible, and of its kind.
    fn check(&self) -> Result<(), ModelError> {
        let own = self.kind.function().keys();
        for (key, value) in [("label_smoothing", self.label_smoothing), ("delta", self.delta)] {
            let Some(value) = value else { continue };
            let wrong = |must: &str| {
                let problem = format!("{key} = {value} is not possible: {must}");
                Err(ModelError::Loss { key, problem })
            };
            match key {
                _ if !own.contains(&key) => return wrong("this loss has no such setting"),
                "label_smoothing" if !(0.0..1.0).contains(&value) => return wrong("it must be from 0 to below 1"),
                "delta" if !(value > 0.0 && value.is_finite()) => return wrong("it must be positive and finite"),
                _ => {}
            }
        }
        Ok(())
    }

    /// The factor `c` for `samples` samples.
    #[must_use]
    pub fn scale(&self, samples: usize) -> f64 {
        match self.reduction {
            Reduction::Sum => 1.0,
            Reduction::Mean => 1.0 / (samples * self.positions) as f64,
        }
    }

    /// The targets of a data set as a tensor `[n, C]`: labels one-hot, or 0 and 1 for two classes with one output.
    #[must_use]
    pub fn targets(&self, data: &Dataset, device: &Device, dtype: DType) -> Tensor<2> {
        match &data.targets {
            Targets::Labels { labels, classes: 2, .. } if self.kind.function().columns(data.target()) == Ok(1) => {
                data.column_of_labels(labels, device, dtype)
            }
            _ => data.target_tensor(device, dtype),
        }
    }

    /// `L(F)`, one element, for outputs and targets `[n, C]`.
    #[must_use]
    pub fn value(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1> {
        let c = self.scale(outputs.dims()[0]);
        let by_rows = self.kind.function().value(self.settings(), self.rows(outputs), self.rows(targets));
        by_rows.sum().mul_scalar(c)
    }

    /// `∂L/∂F`, `[n, C]`.
    #[must_use]
    pub fn gradient(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<2> {
        let dims = outputs.dims();
        let gradient = self.kind.function().gradient(self.settings(), self.rows(outputs), self.rows(targets));
        gradient.mul_scalar(self.scale(dims[0])).reshape(dims)
    }

    /// `∂²L/∂F² · V` for a direction `V` `[n, C]` in the outputs.
    #[must_use]
    pub fn hessian_product(&self, outputs: Tensor<2>, targets: Tensor<2>, direction: Tensor<2>) -> Tensor<2> {
        let dims = outputs.dims();
        let (outputs, targets, direction) = (self.rows(outputs), self.rows(targets), self.rows(direction));
        let product = self.kind.function().hessian_product(self.settings(), outputs, targets, direction);
        product.mul_scalar(self.scale(dims[0])).reshape(dims)
    }

    /// 1 for each label that is the largest output of its position, or whose side of zero the one output is on, `[nL]`.
    #[must_use]
    pub fn hits(&self, outputs: Tensor<2>, targets: Tensor<2>) -> Tensor<1, Int> {
        let (outputs, targets) = (self.rows(outputs), self.rows(targets));
        let [rows, each] = outputs.dims();
        let hits = if each == 1 {
            outputs.greater_elem(0.0).equal(targets.greater_elem(0.5))
        } else {
            outputs.argmax(1).equal(targets.argmax(1))
        };
        hits.int().reshape([rows])
    }

    fn settings(&self) -> Settings {
        Settings { label_smoothing: self.label_smoothing.unwrap_or(0.0), delta: self.delta.unwrap_or(1.0) }
    }

    /// A row for each position.
    fn rows(&self, x: Tensor<2>) -> Tensor<2> {
        if self.positions == 1 {
            return x;
        }
        let [samples, columns] = x.dims();
        x.reshape([samples * self.positions, columns / self.positions])
    }
}
