//! What is shared inside a module, and between its clones.
//!
//! **Tied weights.** A `Param` that is cloned into two places of a module keeps its `ParamId` there: it is one
//! parameter, whose gradient is the sum of what comes from its places. Burn goes from place to place: its optimizers
//! take the gradient away at the first one, and `train`, `load_record` and every mapper make two tensors of one.
//! Everything in this crate goes by identity: a parameter counts once in a norm, is stepped once, and has the value of
//! its first place in all of them ([`tied`], [`gradients`]).
//!
//! **Running statistics** (those of batch norm) are shared between all clones of a module, and every forward in
//! training mode moves them. A step moves them once, with the batch's statistics at the point where its first gradient
//! is taken (Foret et al. 2021 do so in SAM); the other forwards of a step are made on a copy [`apart`]. What only
//! measures works [`at_inference`].

use std::any::Any;
use std::collections::{HashMap, HashSet};

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer};
use burn::tensor::{Gradients, Tensor};

/// The module with every parameter's first value in all places of that parameter: one tensor, so that autodiff sees one
/// leaf.
#[must_use]
pub fn tied<M: Module>(module: M) -> M {
    module.map(&mut Tensors::default())
}

/// A copy with the same parameters and running statistics of its own: its forwards leave those of `module` as they are.
#[must_use]
pub fn apart<M: Module>(module: &M) -> M {
    // Burn holds updates of running statistics back until `valid` is called.
    let copy = module.valid().train();
    let mut own = Tensors::default();
    module.visit(&mut own);
    copy.map(&mut own)
}

/// A copy to differentiate at another point than `module`, whose gradients are these: [`apart`] where the module holds
/// statistics.
pub(crate) fn elsewhere<M: Module>(module: &M, gradients: &GradientsParams) -> M {
    struct Other<'a>(&'a GradientsParams, bool);
    impl ModuleVisitor for Other<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.1 |= self.0.get::<D>(param.id).is_none();
        }
    }
    // Statistics have no gradient. A vector of weights has nothing else, and a step of it takes microseconds.
    let mut visitor = Other(gradients, false);
    module.visit(&mut visitor);
    if visitor.1 { apart(module) } else { module.clone() }
}

/// A copy that works as at inference (statistics fixed, no dropout) where gradients can still be taken, for layers that
/// go by Burn's training flags as all of Burn's do; running statistics are its own.
#[must_use]
pub fn at_inference<M: Module>(module: &M) -> M {
    struct Off;
    impl ModuleMapper for Off {
        fn map_flag(&mut self, flag: Param<Flag>) -> Param<Flag> {
            flag.map(|flag| flag.with(false))
        }
    }
    apart(module).map(&mut Off)
}

/// The layers that work otherwise in training than at inference, by Burn's training flags: their types.
#[must_use]
pub fn in_training<M: Module>(module: &M) -> Vec<String> {
    #[derive(Default)]
    struct Enabled {
        types: Vec<String>,
        found: Vec<String>,
    }
    impl ModuleVisitor for Enabled {
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            if flag.is_enabled() {
                self.found.extend(self.types.last().cloned());
            }
        }
        fn enter_module(&mut self, _: &str, container: &str) {
            // Burn writes `Struct:BatchNorm`.
            self.types.push(container.rsplit(':').next().unwrap_or_default().to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.types.pop();
        }
    }
    let mut visitor = Enabled::default();
    module.visit(&mut visitor);
    visitor.found
}

/// The gradients of the module's parameters, each the sum over the parameter's places.
#[must_use]
pub fn gradients<M: Module>(gradients: Gradients, module: &M) -> GradientsParams {
    struct Sum {
        left: Gradients,
        found: GradientsParams,
    }
    impl ModuleVisitor for Sum {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if !param.is_require_grad() {
                return;
            }
            // Places that hold one tensor have one gradient between them: it is gone after the first.
            let Some(part) = param.val().grad_remove(&mut self.left) else { return };
            let sum = match self.found.remove::<D>(param.id) {
                Some(sum) => sum + part,
                None => part,
            };
            self.found.register(param.id, sum);
        }
    }
    let mut visitor = Sum { left: gradients, found: GradientsParams::new() };
    module.visit(&mut visitor);
    visitor.found
}

/// A step of one of Burn's optimizers, in all places of every parameter.
#[must_use]
pub fn step<M: Module>(rule: &mut ModuleOptimizer, lr: LearningRate, module: M, gradients: GradientsParams) -> M {
    tied(rule.step(lr, module, gradients))
}

/// Shows every float parameter to `visitor` at its first place alone.
pub(crate) fn visit_once<M: Module>(module: &M, visitor: &mut impl ModuleVisitor) {
    struct Once<'a, V> {
        visitor: &'a mut V,
        seen: HashSet<ParamId>,
    }
    impl<V: ModuleVisitor> ModuleVisitor for Once<'_, V> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.seen.insert(param.id) {
                self.visitor.visit_float(param);
            }
        }
    }
    module.visit(&mut Once { visitor, seen: HashSet::new() });
}

/// `Σ c_i g_i` over the parameters that every one has.
pub(crate) fn combined<M: Module, const N: usize>(module: &M, parts: [(&GradientsParams, f64); N]) -> GradientsParams {
    struct Combine<'a> {
        parts: &'a [(&'a GradientsParams, f64)],
        sum: GradientsParams,
    }
    impl ModuleVisitor for Combine<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let scaled = self.parts.iter().map(|(g, c)| Some(g.get::<D>(param.id)?.mul_scalar(*c)));
            if let Some(sum) = scaled.reduce(|sum, next| Some(sum? + next?)).flatten() {
                self.sum.register(param.id, sum);
            }
        }
    }
    let mut visitor = Combine { parts: &parts, sum: GradientsParams::new() };
    visit_once(module, &mut visitor);
    visitor.sum
}

/// Every float parameter as its own gradient.
pub(crate) fn own<M: Module>(module: &M) -> GradientsParams {
    struct Own(GradientsParams);
    impl ModuleVisitor for Own {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner());
        }
    }
    let mut own = Own(GradientsParams::new());
    visit_once(module, &mut own);
    own.0
}

/// Tensors of parameters: those first seen, which a mapper puts wherever it meets the parameter again.
#[derive(Default)]
struct Tensors(HashMap<ParamId, Box<dyn Any>>);

impl ModuleVisitor for Tensors {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        self.0.entry(param.id).or_insert_with(|| Box::new(param.base()));
    }
}

impl ModuleMapper for Tensors {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        match self.0.get(&param.id).and_then(|tensor| tensor.downcast_ref::<Tensor<D>>()) {
            Some(tensor) => param.map(|_| tensor.clone()),
            None => {
                self.visit_float(&param);
                param
            }
        }
    }
}
