//! A step of a method as a map of its state.
//!
//! The state is the parameters w, with momentum an average m of gradients, and where steps are divided by a
//! preconditioner P an average ν of their squares. With the gradient g at w and `m⁺ = b m + (1 − b) g`, a step is
//!
//! | method | change of w | change of m | rate η |
//! |---|---|---|---|
//! | gradient descent | `−η g` | | ε |
//! | heavy ball, factor b | `−η m⁺` | `(1 − b)(g − m)` | `ε/(1 − b)` |
//! | Nesterov, re-parameterised | `−η (b m⁺ + (1 − b) g)` | `(1 − b)(g − m)` | `ε/(1 − b)` |
//! | RMSProp, scalar RMSProp | `−η P⁻¹ g` | | ε |
//! | Adam | `−η P⁻¹ m⁺` | `(1 − b)(g − m)` | ε |
//!
//! with [`optim`](losscape_optim::edge)'s P. Scalar RMSProp's ν is one number, that of all parameters. The velocity of
//! the heavy ball is `v = −η m`. All changes are linear in g and m.

use burn::tensor::Tensor;
use losscape_optim::nesterov::Form;
use losscape_optim::{OptimizerConfig, RuleConfig, ScheduleConfig};

use crate::error::FlowError;

/// Where a flow begins.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub w: Tensor<1>,
    /// The ν of a method that has been at work; none for one that begins.
    pub nu: Option<Tensor<1>>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub struct Update {
    /// η.
    pub(crate) rate: f64,
    /// b; none for methods without an average of gradients.
    pub(crate) momentum: Option<f64>,
    nesterov: bool,
    pub(crate) square: Option<Square>,
}

/// The average ν of squared gradients, and what is made of it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Square {
    /// γ, or β₂.
    pub beta: f64,
    epsilon: f64,
    epsilon_inside: bool,
    /// Whether averages are corrected for their start at zero.
    corrected: bool,
    /// Whether all parameters have one ν, of the squared length.
    scalar: bool,
}

impl Square {
    /// `(1 − β)/β`: with the ν that a step is divided by, which holds its own gradient, `ν_t − ν_{t−1} = (1 − β)/β
    /// (g_t² − ν_t)`.
    pub fn pull(&self) -> f64 {
        (1.0 - self.beta) / self.beta
    }

    /// What ν is an average of, from squares entry by entry: these, or their sum in the place of each.
    pub fn of(&self, squares: Tensor<1>) -> Tensor<1> {
        if self.scalar { squares.clone().sum().expand(squares.dims()) } else { squares }
    }
}

impl Update {
    /// That of a configured method.
    ///
    /// # Errors
    ///
    /// [`FlowError::Method`] for a method that flows do not model.
    pub fn of(config: &OptimizerConfig) -> Result<Self, FlowError> {
        let around = [
            (config.sam.is_some(), "SAM"),
            (config.sharpness_penalty.is_some(), "a sharpness penalty"),
            (config.clip_norm.is_some(), "clipping"),
            (config.weight_decay.is_some_and(|decay| decay > 0.0), "weight decay"),
            (config.schedule != ScheduleConfig::default(), "a schedule"),
        ];
        if let Some((_, what)) = around.into_iter().find(|(there, _)| *there) {
            return Err(FlowError::Method { what });
        }
        let rate = config.learning_rate;
        let plain = Self { rate, momentum: None, nesterov: false, square: None };
        let ball = |b: f64| Self { rate: rate / (1.0 - b), momentum: Some(b), ..plain.clone() };
        Ok(match &config.rule {
            RuleConfig::Gd(_) => plain,
            RuleConfig::Momentum(momentum) => ball(momentum.momentum),
            RuleConfig::Nesterov(nesterov) if nesterov.form == Form::Reparameterised => {
                Self { nesterov: true, ..ball(nesterov.momentum) }
            }
            RuleConfig::Rmsprop(rmsprop) if rmsprop.gamma > 0.0 => {
                let (beta, epsilon, epsilon_inside) = (rmsprop.gamma, rmsprop.epsilon, rmsprop.epsilon_inside);
                Self {
                    square: Some(Square { beta, epsilon, epsilon_inside, corrected: false, scalar: false }),
                    ..plain
                }
            }
            RuleConfig::ScalarRmsprop(rmsprop) if rmsprop.gamma > 0.0 => {
                let (beta, epsilon) = (rmsprop.gamma, rmsprop.epsilon);
                let square = Square { beta, epsilon, epsilon_inside: false, corrected: false, scalar: true };
                Self { square: Some(square), ..plain }
            }
            RuleConfig::Adam(adam) if adam.beta_2 > 0.0 => {
                let (beta, epsilon, epsilon_inside) = (adam.beta_2, adam.epsilon, adam.epsilon_inside);
                let square = Some(Square { beta, epsilon, epsilon_inside, corrected: true, scalar: false });
                Self { momentum: Some(adam.beta_1), square, ..plain }
            }
            _ => return Err(FlowError::Method { what: "this rule at these settings" }),
        })
    }

    /// Whether a step is divided by a preconditioner.
    #[must_use]
    pub fn is_preconditioned(&self) -> bool {
        self.square.is_some()
    }

    /// Whether flows can begin where a method has been at work: its state is then known from its preconditioner.
    #[must_use]
    pub fn can_be_joined(&self) -> bool {
        self.momentum.is_none()
    }

    /// The ν of an uncorrected average, from the preconditioner that was made of it.
    pub(crate) fn nu(&self, preconditioner: &Tensor<1>) -> Option<Tensor<1>> {
        let square = self.square.as_ref()?;
        Some(match square.epsilon_inside {
            true => preconditioner.clone().powi_scalar(2).sub_scalar(square.epsilon),
            false => preconditioner.clone().sub_scalar(square.epsilon).powi_scalar(2),
        })
    }

    /// The diagonal of P at time t, by which the step from t to t + 1 is divided.
    pub(crate) fn preconditioner(&self, nu: &Tensor<1>, t: f64) -> Option<Tensor<1>> {
        let square = self.square.as_ref()?;
        let [first, second] = self.corrections(t);
        let nu = nu.clone() / second;
        let root = match square.epsilon_inside {
            true => nu.add_scalar(square.epsilon).sqrt(),
            false => nu.sqrt().add_scalar(square.epsilon),
        };
        Some(root * first)
    }

    /// `dP/dν`, entry by entry.
    pub(crate) fn preconditioner_slope(&self, nu: &Tensor<1>, t: f64) -> Option<Tensor<1>> {
        let square = self.square.as_ref()?;
        let [first, second] = self.corrections(t);
        let nu = nu.clone() / second;
        let inside = if square.epsilon_inside { nu.add_scalar(square.epsilon) } else { nu };
        // A gradient that is always zero moves neither its ν nor its parameter.
        let never = inside.clone().equal_elem(0.0);
        Some((inside.sqrt().recip() * (0.5 * first / second)).mask_fill(never, 0.0))
    }

    /// What turns over at the edge, `(w, m) → (−w, −m)`, has `m = −f P w` with this f.
    pub(crate) fn turning(&self) -> f64 {
        match (self.nesterov, self.momentum) {
            (true, Some(b)) => 2.0 / (self.rate * (1.0 + 2.0 * b)),
            _ => 2.0 / self.rate,
        }
    }

    /// What is missing of the weight of m and of ν at the step from t.
    fn corrections(&self, t: f64) -> [f64; 2] {
        match &self.square {
            Some(Square { corrected: true, beta, .. }) => {
                [self.momentum.unwrap_or(0.0), *beta].map(|beta| 1.0 - beta.powf(t + 1.0))
            }
            _ => [1.0; 2],
        }
    }

    /// The changes of w and m by a step, given g and m; also what it makes of differences of them.
    pub(crate) fn change(
        &self,
        g: &Tensor<1>,
        m: Option<&Tensor<1>>,
        preconditioner: Option<&Tensor<1>>,
    ) -> (Tensor<1>, Option<Tensor<1>>) {
        let (step, change) = match (self.momentum, m) {
            (Some(b), Some(m)) => {
                let average = m.clone() * b + g.clone() * (1.0 - b);
                let step = if self.nesterov { average * b + g.clone() * (1.0 - b) } else { average };
                (step, Some((g.clone() - m.clone()) * (1.0 - b)))
            }
            _ => (g.clone(), None),
        };
        let step = match preconditioner {
            Some(diagonal) => step / diagonal.clone(),
            None => step,
        };
        (step * -self.rate, change)
    }
}
