//! A module's trainable parameters as one flat vector `w ∈ R^P`, and back.
//!
//! The order is the module's own: float parameters in the order in which Burn visits them, each flattened row by row.
//! Left out are frozen parameters (`require_grad` off), running statistics, integers and booleans. A parameter that
//! stands in two places (a clone of one `Param`, which keeps its `ParamId`) counts once, where it is visited first.
//!
//! A module on a device without autodiff is treated as `Module::train` would leave it: parameters that were trainable
//! still are.
//!
//! To see which parameters are trainable, a module without autodiff is put on it for a moment. Burn's autodiff forgets
//! a leaf only at a backward pass, so a backward pass of a single number is made for every thousand leaves; without it
//! a process that only measures would grow with every call.

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Flag, Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::optim::GradientsParams;
use burn::tensor::{Device, Tensor};

use crate::TangentError;
use crate::array::Array;
use crate::program::Parameter;

/// A float parameter as it is visited.
pub(crate) struct Visited {
    pub id: ParamId,
    /// The name of the type that holds it, as `Linear`.
    pub container: String,
    pub parameter: Parameter,
    pub array: Array,
    /// Whether the module that holds it has a training flag, which is on.
    pub in_training: bool,
}

/// All float parameters in the module's order, repeated ones repeated. Running statistics are those that inference
/// would use.
pub(crate) fn visit<M: Module>(module: &M) -> Vec<Visited> {
    #[derive(Default)]
    struct Visitor {
        path: Vec<String>,
        containers: Vec<String>,
        device: Option<Device>,
        autodiff: bool,
        /// Paths of the modules whose training flag is on.
        in_training: HashSet<Vec<String>>,
        found: Vec<Visited>,
    }
    impl Visitor {
        /// The path of the module whose field is visited.
        fn holder(&self) -> Vec<String> {
            self.path[..self.path.len().saturating_sub(1)].to_vec()
        }
    }
    impl ModuleVisitor for Visitor {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            let value = param.val();
            self.autodiff |= value.is_autodiff();
            self.device = Some(value.device());
            let array = Array::from_float(value);
            let parameter = Parameter {
                path: self.path.join("."),
                shape: array.shape(),
                dtype: array.dtype(),
                trainable: param.is_require_grad(),
            };
            let container = self.containers.last().cloned().unwrap_or_default();
            let in_training = self.in_training.contains(&self.holder());
            self.found.push(Visited { id: param.id, container, parameter, array, in_training });
        }
        fn visit_flag(&mut self, flag: &Param<Flag>) {
            if flag.is_enabled() {
                self.in_training.insert(self.holder());
            }
        }
        fn enter_module(&mut self, name: &str, container: &str) {
            self.path.push(name.to_owned());
            // Burn writes `Struct:Linear`.
            self.containers.push(container.rsplit(':').next().unwrap_or_default().to_owned());
        }
        fn exit_module(&mut self, _: &str, _: &str) {
            self.path.pop();
            self.containers.pop();
        }
    }
    let visited = |module: &M| {
        let mut visitor = Visitor::default();
        module.visit(&mut visitor);
        visitor
    };
    // The module first: it may have parameters that are drawn when they are first read.
    let mut own = visited(module);
    if !own.autodiff {
        own = visited(&module.clone().train());
        if let Some(device) = &own.device {
            forget_leaves(own.found.len(), device);
        }
    }
    // Burn holds updates of running statistics back until a module is put into evaluation mode.
    let mut found = visited(&module.valid()).found;
    for (valid, own) in found.iter_mut().zip(own.found) {
        valid.parameter.trainable = own.parameter.trainable;
        valid.in_training = own.in_training;
    }
    found
}

/// Burn's autodiff keeps an entry of about a kilobyte for every leaf until the next backward pass, whichever it is.
/// This is one of a single number, when a thousand leaves more have been made.
fn forget_leaves(made: usize, device: &Device) {
    static LEAVES: AtomicUsize = AtomicUsize::new(0);
    if LEAVES.fetch_add(made, Ordering::Relaxed) + made >= 1000 {
        LEAVES.store(0, Ordering::Relaxed);
        Tensor::<1>::zeros([1], device).require_grad().backward();
    }
}

/// Where each trainable parameter lies in the flat vector; the second value is P.
fn layout<M: Module>(module: &M) -> (HashMap<ParamId, std::ops::Range<usize>>, usize) {
    let mut end = 0;
    let mut ranges = HashMap::new();
    for Visited { id, parameter, .. } in visit(module) {
        if parameter.trainable && !ranges.contains_key(&id) {
            let length: usize = parameter.shape.iter().product();
            ranges.insert(id, end..end + length);
            end += length;
        }
    }
    (ranges, end)
}

/// A trainable parameter's place in the flat vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// The path of its first occurrence in the module, with dots.
    pub path: String,
    /// The name of the type that holds it there, as `Linear`: what its axes mean depends on that.
    pub container: String,
    /// Its shape, as the module has it.
    pub shape: Vec<usize>,
    /// Its entries of the flat vector.
    pub range: std::ops::Range<usize>,
}

/// The trainable parameters in the order of the flat vector.
#[must_use]
pub fn segments<M: Module>(module: &M) -> Vec<Segment> {
    let (mut left, _) = layout(module);
    let visited = visit(module).into_iter();
    let segment = |visited: Visited| {
        let range = left.remove(&visited.id)?;
        let Visited { container, parameter, .. } = visited;
        Some(Segment { path: parameter.path, container, shape: parameter.shape, range })
    };
    visited.filter_map(segment).collect()
}

/// Number of trainable parameters P.
#[must_use]
pub fn count<M: Module>(module: &M) -> usize {
    layout(module).1
}

/// The trainable parameters as one vector `[P]` outside the autodiff graph; `None` for a module without any.
///
/// # Panics
///
/// When parameters differ in float type or device, as Burn does on joining such tensors.
#[must_use]
pub fn ravel<M: Module>(module: &M) -> Option<Tensor<1>> {
    let (mut left, _) = layout(module);
    let parts: Vec<Array> = visit(module)
        .into_iter()
        .filter_map(|visited| {
            let length = left.remove(&visited.id)?.len();
            Some(visited.array.reshape(&[length]))
        })
        .collect();
    (!parts.is_empty()).then(|| Array::cat(parts, 0).into_float())
}

/// The gradient as one vector in the order of [`ravel`]; a parameter without a gradient contributes zeros.
///
/// # Panics
///
/// As [`ravel`].
#[must_use]
pub fn ravel_gradient<M: Module>(module: &M, gradients: &GradientsParams) -> Option<Tensor<1>> {
    struct Ravel<'a> {
        gradients: &'a GradientsParams,
        left: HashMap<ParamId, std::ops::Range<usize>>,
        parts: Vec<Tensor<1>>,
    }
    impl ModuleVisitor for Ravel<'_> {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.left.remove(&param.id).is_some() {
                let gradient = self.gradients.get::<D>(param.id);
                let gradient = gradient.unwrap_or_else(|| param.val().inner().zeros_like());
                self.parts.push(gradient.flatten(0, D - 1));
            }
        }
    }
    let mut visitor = Ravel { gradients, left: layout(module).0, parts: Vec::new() };
    module.visit(&mut visitor);
    (!visitor.parts.is_empty()).then(|| Tensor::cat(visitor.parts, 0))
}

/// The module with its trainable parameters replaced by the entries of `vector` `[P]`, in the order of [`ravel`].
///
/// # Errors
///
/// [`TangentError::ParameterCount`] when the length of `vector` is not P.
pub fn unravel<M: Module>(module: M, vector: &Tensor<1>) -> Result<M, TangentError> {
    struct Unravel<'a> {
        vector: &'a Tensor<1>,
        ranges: HashMap<ParamId, std::ops::Range<usize>>,
        /// What stands at a parameter's first place: one tensor for all of them, so that autodiff sees one leaf.
        placed: HashMap<ParamId, Box<dyn Any>>,
    }
    impl ModuleMapper for Unravel<'_> {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let Some(range) = self.ranges.get(&param.id) else { return param };
            let (id, tensor, mapper) = param.consume();
            let placed = self.placed.get(&id).and_then(|placed| placed.downcast_ref::<Tensor<D>>());
            if let Some(placed) = placed {
                return Param::from_mapped_value(id, placed.clone(), mapper);
            }
            let values = self.vector.clone().slice([range.clone()]).reshape(tensor.shape()).cast(tensor.dtype());
            let values = if tensor.is_autodiff() { Tensor::from_inner(values) } else { values };
            let param = Param::from_mapped_value(id, values, mapper).set_require_grad(true);
            self.placed.insert(id, Box::new(param.base()));
            param
        }
    }
    let (ranges, expected) = layout(&module);
    let given = vector.dims()[0];
    if expected != given {
        return Err(TangentError::ParameterCount { expected, given });
    }
    Ok(module.map(&mut Unravel { vector, ranges, placed: HashMap::new() }))
}
