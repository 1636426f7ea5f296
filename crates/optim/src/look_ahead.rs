//! Rules whose gradient is taken at another point than the parameters, and which so take a closure.
//!
//! **Nesterov's accelerated gradient** at the extended point: `v ← b v − ε ∇f(w + b v)`, `w ← w + v`. The notes:
//! "extend the previous step, then calculate the gradient" (Nesterov 1983, in the words of Sutskever et al. 2013, eq.
//! 3–4). The other form is [`nesterov`](crate::nesterov).
//!
//! [**Schedule-Free**](crate::schedule_free), between a fast sequence and its average.

use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer};
use burn::tensor::Tensor;

use crate::shared::{self, visit_once};

/// A rule with the gradient taken elsewhere: heavy ball where the previous step, repeated, would lead; Schedule-Free
/// between its two sequences.
#[derive(Clone)]
pub struct LookAhead {
    /// The rule. Its step at rate 0 is exactly the point where the gradient is taken.
    pub(crate) rule: ModuleOptimizer,
    /// Whether nothing moves at rate 0; otherwise the step at rate 0 is made.
    pub(crate) rests: bool,
}

impl std::fmt::Debug for LookAhead {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LookAhead").finish_non_exhaustive()
    }
}

impl LookAhead {
    /// Look-ahead around a [heavy ball](crate::momentum::Momentum), and nothing else:
    /// [`NesterovConfig::look_ahead`](crate::nesterov::NesterovConfig::look_ahead) builds it.
    pub(crate) fn new(momentum: impl Into<ModuleOptimizer>) -> Self {
        Self { rule: momentum.into(), rests: false }
    }

    /// A rule that does not move at rate 0.
    pub(crate) fn resting(rule: impl Into<ModuleOptimizer>) -> Self {
        Self { rule: rule.into(), rests: true }
    }

    /// The point where the gradient is taken: of heavy ball `w + b v`.
    #[must_use]
    pub fn extend<M: Module>(&self, module: &M) -> M {
        shared::step(&mut self.rule.clone(), 0.0, module.clone(), zero_gradients(module))
    }

    /// One step; `closure` gives loss and gradients at the module it is handed. The loss returned is that of the
    /// point where the gradient is taken.
    pub fn step<M: Module>(
        &mut self,
        lr: LearningRate,
        module: M,
        mut closure: impl FnMut(&M) -> (f64, GradientsParams),
    ) -> (M, f64) {
        let (loss, gradients) = closure(&self.extend(&module));
        if self.rests && lr == 0.0 {
            return (module, loss);
        }
        (shared::step(&mut self.rule, lr, module, gradients), loss)
    }
}

fn zero_gradients<M: Module>(module: &M) -> GradientsParams {
    struct Zeros(GradientsParams);
    impl ModuleVisitor for Zeros {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.register(param.id, param.val().inner().zeros_like());
        }
    }
    let mut visitor = Zeros(GradientsParams::new());
    visit_once(module, &mut visitor);
    visitor.0
}
