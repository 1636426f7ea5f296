//! Rules that see the length of the whole gradient, and nothing else of it.

use std::path::Path;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::optim::{GradientsParams, LearningRate, ModuleOptimizer};
use burn::store::RecordError;
use burn::tensor::{DType, Device, Tensor};

use crate::clip::global_norm;
use crate::preconditioner::Reveal;
use crate::sam::Ascent;
use crate::shared::{self, combined, own, visit_once};
use crate::vector::Vector;

/// A rule of one number that moves by the gradient's length: all parameters go with it, along the gradient.
#[derive(Clone)]
pub(crate) struct Scalar {
    /// The rule of the number, whose state is that of all.
    line: ModuleOptimizer,
    /// Coupled weight decay.
    decay: f64,
}

impl Scalar {
    pub fn new(line: impl Into<ModuleOptimizer>, decay: f64) -> Self {
        Self { line: line.into(), decay }
    }

    /// One step.
    pub fn step<M: Module>(&mut self, lr: LearningRate, module: M, gradients: GradientsParams) -> M {
        let gradients = match self.decay {
            0.0 => gradients,
            decay => combined(&module, [(&gradients, 1.0), (&own(&module), decay)]),
        };
        let length = global_norm(&module, &gradients);
        let zero = Vector::new(one(&module, 0.0));
        let along = zero.gradients(one(&module, length));
        let moved = shared::step(&mut self.line, lr, zero, along).values().into_scalar::<f64>();
        // Without a gradient there is nowhere to go, but the state is a step older.
        let share = if length == 0.0 { 0.0 } else { moved / length };
        shared::step(&mut Ascent.into(), share, module, gradients)
    }

    pub fn save(&self, path: &Path) -> Result<(), RecordError> {
        self.line.save(path)
    }

    pub fn load(self, path: &Path) -> Result<Self, RecordError> {
        Ok(Self { line: self.line.load(path)?, ..self })
    }

    /// The module with the number's preconditioner in the place of every parameter.
    pub fn preconditioner<M: Module>(&self, reveal: &Reveal, module: &M) -> M {
        struct Fill(f64);
        impl ModuleMapper for Fill {
            fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
                param.map(|tensor| {
                    let trained = tensor.is_require_grad();
                    Tensor::from_inner(tensor.inner().full_like(self.0)).set_require_grad(trained)
                })
            }
        }
        let value = reveal.preconditioner(&self.line, &Vector::new(one(module, 0.0))).values().into_scalar();
        // What is written into statistics is written into those of every clone.
        shared::apart(module).map(&mut Fill(value))
    }
}

/// A number in the type and on the device of a module's parameters.
fn one<M: Module>(module: &M, value: f64) -> Tensor<1> {
    struct First(Option<(Device, DType)>);
    impl ModuleVisitor for First {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.get_or_insert_with(|| {
                let tensor = param.val().inner();
                (tensor.device(), tensor.dtype())
            });
        }
    }
    let mut first = First(None);
    visit_once(module, &mut first);
    let (device, dtype) = first.0.unwrap_or_else(|| (Device::default(), DType::F32));
    Tensor::full([1], value, (&device, dtype))
}
