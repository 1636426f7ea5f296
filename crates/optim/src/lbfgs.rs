//! Burn's L-BFGS over the parameters that have a gradient, each once.
//!
//! Over a module it would take every place of a parameter for one, and frozen parameters and running statistics for
//! variables. It is given the parameters as vectors instead (`Parts`).
//!
//! Its dot products run over all parameters at once. Beyond 4,194,304 of them, in f32, flex adds up in the order in
//! which its threads come: the same run then agrees with itself to rounding, not to the bit.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LBFGS, LBFGSConfig, LearningRate, LineSearchFn, Optimizer};
use burn::tensor::{Device, Tensor};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::{OptimError, check_positive};
use crate::preconditioner::Reveal;
use crate::rule::{Facts, Rule, Settings};
use crate::shared::{self, elsewhere, visit_once};

/// Settings of Burn's L-BFGS (Liu & Nocedal 1989); one step runs up to `iterations` inner iterations on one batch, so
/// use it full-batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LbfgsConfig {
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

fn iterations() -> usize {
    20
}

fn history() -> usize {
    100
}

fn yes() -> bool {
    true
}

impl Settings for LbfgsConfig {
    fn rule(&self, decay: Option<f64>) -> Result<Rule, OptimError> {
        if decay.is_some_and(|decay| decay > 0.0) {
            return Err(OptimError::Combination("lbfgs takes no weight decay"));
        }
        check_positive("iterations", self.iterations as f64)?;
        check_positive("history", self.history as f64)?;
        let line_search = if self.line_search { LineSearchFn::StrongWolfe } else { LineSearchFn::None };
        let lbfgs = LBFGSConfig::new()
            .with_max_iter(self.iterations)
            .with_history_size(self.history)
            .with_line_search_fn(line_search);
        Ok(Rule::Lbfgs(Box::new(lbfgs.init())))
    }

    fn facts(&self) -> Facts {
        // Pairs of steps and of differences of gradients.
        Facts {
            elementwise: false,
            restores: false,
            states: self.history.saturating_mul(2).saturating_add(4),
            squares: None,
        }
    }

    fn edge(&self, _: f64, _: f64) -> Option<f64> {
        None
    }

    fn preconditioner(&self) -> Option<Reveal> {
        None
    }
}

/// One step at rate `lr`, and the loss of the closure's first call, at the parameters before it. The closure is called
/// once for each inner iteration and more often by the line search.
pub(crate) fn step<M: Module>(
    rule: &mut LBFGS,
    lr: LearningRate,
    module: M,
    closure: &mut impl FnMut(&M) -> (f64, GradientsParams),
) -> (M, f64) {
    let (loss, gradients) = closure(&module);
    let copy = elsewhere(&module, &gradients);
    let (parts, gradients) = Parts::of(&module, &gradients);
    let mut first = Some(gradients);
    let (parts, _) = rule.step(lr, parts, |at: Parts| match first.take() {
        Some(gradients) => (loss, gradients),
        None => {
            let there = at.placed(copy.clone());
            let (loss, gradients) = closure(&there);
            (loss, at.completed(Parts::of(&there, &gradients).1))
        }
    });
    (parts.placed(module), loss)
}

/// Parameters as vectors, under their own identities.
#[derive(Module, Debug)]
struct Parts {
    vectors: Vec<Param<Tensor<1>>>,
}

impl Parts {
    /// The parameters that have a gradient, and their gradients, as vectors.
    fn of<M: Module>(module: &M, gradients: &GradientsParams) -> (Self, GradientsParams) {
        struct Flatten<'a> {
            gradients: &'a GradientsParams,
            vectors: Vec<Param<Tensor<1>>>,
            flat: GradientsParams,
        }
        impl ModuleVisitor for Flatten<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                let Some(gradient) = self.gradients.get::<D>(param.id) else { return };
                let length = gradient.shape().num_elements();
                self.flat.register(param.id, gradient.reshape([length]));
                let vector = Tensor::from_inner(param.val().inner().reshape([length]));
                self.vectors.push(Param::initialized(param.id, vector));
            }
        }
        let mut visitor = Flatten { gradients, vectors: Vec::new(), flat: GradientsParams::new() };
        visit_once(module, &mut visitor);
        (Self { vectors: visitor.vectors }, visitor.flat)
    }

    /// The gradients with zeros for vectors that have none.
    fn completed(&self, mut gradients: GradientsParams) -> GradientsParams {
        for vector in &self.vectors {
            if gradients.get::<1>(vector.id).is_none() {
                gradients.register(vector.id, vector.val().inner().zeros_like());
            }
        }
        gradients
    }

    /// The module with these values.
    fn placed<M: Module>(&self, module: M) -> M {
        struct Shape<'a> {
            vectors: &'a [Param<Tensor<1>>],
            values: GradientsParams,
        }
        impl ModuleVisitor for Shape<'_> {
            fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
                if let Some(vector) = self.vectors.iter().find(|vector| vector.id == param.id) {
                    self.values.register::<D>(param.id, vector.val().inner().reshape(param.shape()));
                }
            }
        }
        let mut visitor = Shape { vectors: &self.vectors, values: GradientsParams::new() };
        visit_once(&module, &mut visitor);
        shared::step(&mut Assign.into(), 0.0, module, visitor.values)
    }
}

/// `g` in the place of `w`: as a rule, so that Burn carries parameters and their flags over.
#[derive(Clone)]
struct Assign;

impl Optimizer for Assign {
    type State<const D: usize> = ();

    fn step<const D: usize>(
        &self,
        _: LearningRate,
        _: Tensor<D>,
        g: Tensor<D>,
        _: Option<()>,
    ) -> (Tensor<D>, Option<()>) {
        (g, None)
    }

    fn to_device<const D: usize>((): (), _: &Device) {}
}
