//! One step of any configured method, and its state on disk.
//!
//! A [`Method`] is a rule with what goes around it: clipping, and a [`Surrogate`] loss, SAM's or the one with the
//! largest eigenvalue as a penalty, whose gradient the rule is given. A surrogate asks for gradients at other points;
//! Friendly SAM alone keeps a state, in a file beside that of the rule.

use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer};
use burn::store::RecordError;

use crate::clip::clip_global_norm;
use crate::lbfgs;
use crate::look_ahead::LookAhead;
use crate::penalty::SharpnessPenalty;
use crate::preconditioner::Reveal;
use crate::rule::Rule;
use crate::sam::Sam;
use crate::shared;

/// Another loss than the plain one, whose gradient a rule is given.
#[derive(Debug, Clone)]
pub enum Surrogate {
    /// That of SAM.
    Sam(Sam),
    /// With the largest eigenvalue as a penalty.
    Penalty(SharpnessPenalty),
}

impl Surrogate {
    /// The plain loss at `module`, and the gradients that the rule is to step with; `closure` gives loss and gradients
    /// of the plain one.
    pub fn gradients<M: Module>(
        &mut self,
        module: &M,
        closure: &mut impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (f64, GradientsParams) {
        match self {
            Self::Sam(sam) => sam.gradients(module, closure),
            Self::Penalty(penalty) => penalty.gradients(module, closure),
        }
    }

    /// What it remembers from step to step.
    fn mean(&mut self) -> Option<&mut ModuleOptimizer> {
        match self {
            Self::Sam(sam) => sam.mean.as_mut(),
            Self::Penalty(_) => None,
        }
    }
}

/// Where the state of a surrogate is, beside that of the rule: `optimizer.mean.bpk` beside `optimizer.bpk`.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    path.with_extension("mean.bpk")
}

/// A rule with a surrogate loss and clipping around it; built by
/// [`OptimizerConfig::init`](crate::OptimizerConfig::init).
#[derive(Clone)]
pub struct Method {
    rule: Rule,
    surrogate: Option<Surrogate>,
    clip_norm: Option<f64>,
    reveal: Option<Reveal>,
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Method")
            .field("surrogate", &self.surrogate)
            .field("clip_norm", &self.clip_norm)
            .finish_non_exhaustive()
    }
}

impl Method {
    pub(crate) fn new(
        rule: Rule,
        surrogate: Option<Surrogate>,
        clip_norm: Option<f64>,
        reveal: Option<Reveal>,
    ) -> Self {
        Self { rule, surrogate, clip_norm, reveal }
    }

    /// A module whose parameters are the diagonal of the preconditioner P by which RMSProp (`√s + ϵ`), its scalar form
    /// or Adam (`(1 − β₁ᵏ)(√v̂ + ϵ)`, k steps done) divides the steps of `module`'s parameters; ones before the first
    /// step. `None` for other rules.
    #[must_use]
    pub fn preconditioner<M: Module>(&self, module: &M) -> Option<M> {
        match (&self.reveal, &self.rule) {
            (Some(reveal), Rule::Module(rule)) => Some(reveal.preconditioner(rule, module)),
            (Some(reveal), Rule::Scalar(rule)) => Some(rule.preconditioner(reveal, module)),
            _ => None,
        }
    }

    /// One step at rate `lr`.
    ///
    /// `closure` gives loss and gradients at the module it is handed; it is called once by most rules, twice by SAM,
    /// more often by the penalty and L-BFGS. Its first call alone moves running statistics, and gives the loss
    /// returned beside the module after the step: that at the parameters before the step (at the extended point for
    /// look-ahead).
    pub fn step<M: Module>(
        &mut self,
        lr: LearningRate,
        module: M,
        mut closure: impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (M, f64) {
        let clip_norm = self.clip_norm;
        let clip = |module: &M, gradients| match clip_norm {
            Some(limit) => clip_global_norm(module, gradients, limit),
            None => gradients,
        };
        let surrogate = &mut self.surrogate;
        let mut gradients = |module: &M| {
            let (loss, gradients) = match surrogate {
                Some(surrogate) => surrogate.gradients(module, &mut closure),
                None => closure(module),
            };
            (loss, clip(module, gradients))
        };
        match &mut self.rule {
            Rule::Module(rule) => {
                let (loss, gradients) = gradients(&module);
                (shared::step(rule, lr, module, gradients), loss)
            }
            Rule::Scalar(rule) => {
                let (loss, gradients) = gradients(&module);
                (rule.step(lr, module, gradients), loss)
            }
            Rule::LookAhead(rule) => rule.step(lr, module, |at| {
                let (loss, gradients) = closure(at);
                (loss, clip(at, gradients))
            }),
            Rule::Lbfgs(rule) => lbfgs::step(rule, lr, module, &mut closure),
        }
    }

    /// The rule as a Burn optimizer, with the surrogate loss and the clipping norm that belong around it; `None` for
    /// scalar RMSProp, look-ahead and L-BFGS, which are none, and with Friendly SAM, whose state an optimizer of Burn
    /// would not keep.
    #[must_use]
    pub fn into_module_optimizer(mut self) -> Option<(ModuleOptimizer, Option<Surrogate>, Option<f64>)> {
        if self.surrogate.as_mut().and_then(Surrogate::mean).is_some() {
            return None;
        }
        match self.rule {
            Rule::Module(rule) => Some((rule, self.surrogate, self.clip_norm)),
            Rule::Scalar(_) | Rule::LookAhead(_) | Rule::Lbfgs(_) => None,
        }
    }

    /// Writes the state in Burn's burnpack format; that of Friendly SAM to a file [`beside`].
    ///
    /// # Errors
    ///
    /// When a file cannot be written.
    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        if let Some(Surrogate::Sam(Sam { mean: Some(mean), .. })) = &self.surrogate {
            mean.save(beside(path))?;
        }
        match &self.rule {
            Rule::Module(rule) => rule.save(path),
            Rule::Scalar(rule) => rule.save(path),
            Rule::LookAhead(rule) => rule.rule.save(path),
            Rule::Lbfgs(rule) => rule.save(path),
        }
    }

    /// Reads the state that [`save`](Self::save) wrote for the same configuration. States belong to parameters by their
    /// id: load the module's record first.
    ///
    /// # Errors
    ///
    /// When a file cannot be read.
    pub fn load(mut self, path: &Path) -> Result<Self, RecordError> {
        if let Some(mean) = self.surrogate.as_mut().and_then(Surrogate::mean) {
            *mean = mean.clone().load(beside(path))?;
        }
        let rule = match self.rule {
            Rule::Module(rule) => Rule::Module(rule.load(path)?),
            Rule::Scalar(rule) => Rule::Scalar(Box::new(rule.load(path)?)),
            Rule::LookAhead(rule) => Rule::LookAhead(LookAhead { rule: rule.rule.load(path)?, ..rule }),
            Rule::Lbfgs(rule) => Rule::Lbfgs(Box::new(rule.load(path)?)),
        };
        Ok(Self { rule, ..self })
    }
}
