//! From a module and its forward to a [`Program`].
//!
//! Burn can run a forward on a device that records operations instead of executing them. The module's copy on that
//! device tells which recorded tensor is which parameter; everything else that has a value is a constant.

use std::any::Any;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor};
use burn_dispatch::{BackendTensor, DispatchDevice, DispatchTensor, DispatchTensorKind};
use burn_ir::{FloatOperationIr, NumericOperationIr, OperationIr, TensorId};

use crate::array::Array;
use crate::inputs::{self, Inputs};
use crate::lowering::Lowering;
use crate::operation::{Linear, Operation};
use crate::parameters::Visited;
use crate::program::{Program, Statistic};
use crate::{TangentError, registry};

thread_local! {
    /// One recorder a thread: Burn allows 65,536 in a process, each for any number of recordings one after the other.
    static RECORDER: Device = Device::capture();
}

/// Records `forward` of `module`, whose float parameters are `visited`, for inputs like `inputs` (of `samples` samples,
/// if given), with batch norm by its running statistics or those of the batch.
pub fn capture<M: Module, I: Inputs, const D: usize>(
    module: &M,
    visited: &[Visited],
    inputs: &I,
    samples: Option<usize>,
    of_batch: bool,
    device: &DispatchDevice,
    forward: &impl Fn(&M, I) -> Tensor<D>,
) -> Result<Program, TangentError> {
    // `valid` gives a copy of running statistics too; moving a plain clone would move the caller's.
    let twin = module.valid();
    let recorder = RECORDER.with(Clone::clone);
    let (mut parameter_ids, mut input_ids, mut panic) = (Vec::new(), Vec::new(), None);
    let captured = recorder.capture_scope(|scope| {
        let twin = twin.map(&mut Blank(&recorder)).to_device(&recorder);
        parameter_ids = ids(&twin);
        let (blanks, handles) = inputs::blanks(inputs, samples, &recorder);
        input_ids = handles.into_iter().filter_map(id).collect();
        // A panic ends the recording where it happened; what was recorded until then tells where that was.
        let output = catch_unwind(AssertUnwindSafe(|| forward(&twin, blanks)))
            .map_err(|payload| panic = Some(message(payload.as_ref())))
            .ok();
        let output_id = output.clone().and_then(|output| id(output.into_dispatch()));
        let token = scope.complete([], output_id);
        drop(output);
        token
    });
    let captured = captured.map_err(|error| TangentError::Capture(error.to_string()))?;

    let mut lowering = Lowering::new(device.clone());
    let mut first = HashMap::new();
    let mut parameters = Vec::new();
    for (visited, &id) in visited.iter().zip(&parameter_ids) {
        // A parameter that stands in several places is one leaf.
        let node = *first.entry(visited.id).or_insert_with(|| {
            let parameter = &visited.parameter;
            parameters.push(parameter.clone());
            let leaf = Operation::Parameter(parameters.len() - 1);
            lowering.builder.push(leaf, Vec::new(), parameter.shape.clone(), parameter.dtype)
        });
        lowering.bind(id, node);
        if of_batch && visited.in_training {
            lowering.of_batch.insert(node);
        }
    }
    for (index, (&id, array)) in input_ids.iter().zip(inputs::arrays(inputs)).enumerate() {
        let mut shape = array.shape();
        if let Some(samples) = samples {
            shape[0] = samples;
        }
        let node = lowering.builder.push(Operation::Input(index), Vec::new(), shape, array.dtype());
        lowering.bind(id, node);
    }
    let mut entries = BTreeSet::new();
    for operation in &captured.graph.operations {
        match operation {
            // A value that is neither parameter nor input is a constant.
            OperationIr::Init(init) => {
                if let (None, Some(data)) = (lowering.find(init.out.id), captured.values.get(&init.out.id)) {
                    let node = lowering.builder.constant(Array::from_data(data.clone(), device));
                    lowering.bind(init.out.id, node);
                }
                continue;
            }
            OperationIr::Drop(_) => continue,
            // The creation of a blank, which stands for a leaf.
            _ if operation.outputs().all(|output| lowering.find(output.id).is_some()) => continue,
            _ => {}
        }
        let entry = registry::lower(&mut lowering, operation).and_then(|entry| {
            if lowering.shapes_agree() { Ok(entry) } else { Err("Burn gives its result another shape than the rule") }
        });
        match entry {
            Ok(entry) => entries.insert(entry),
            Err(_) if panic.is_some() => break,
            Err(reason) => {
                let (name, near) = (registry::name(operation), near(&lowering, operation, &parameters));
                return Err(match operation {
                    OperationIr::Float(_, FloatOperationIr::Random(_))
                    | OperationIr::NumericInt(_, NumericOperationIr::IntRandom(_)) => {
                        TangentError::Random { operation: name, near }
                    }
                    _ => TangentError::Unsupported { operation: name, near, reason },
                });
            }
        };
    }
    if let Some(message) = panic {
        let last =
            captured.graph.operations.iter().rfind(|op| !matches!(op, OperationIr::Init(_) | OperationIr::Drop(_)));
        let last = last.map_or_else(
            || "nothing".to_owned(),
            |operation| format!("{}{}", registry::name(operation), near(&lowering, operation, &parameters)),
        );
        return Err(TangentError::Forward { message, last });
    }
    let output = captured.graph.outputs.first().and_then(|&id| lowering.find(id));
    let Some(output) = output else {
        return Err(TangentError::Capture("the output is not a result of recorded operations".to_owned()));
    };
    let statistics = lowering.statistics.iter().filter_map(|&[running, node]| match lowering.node(running).operation {
        Operation::Parameter(parameter) => Some(Statistic { parameter, node }),
        _ => None,
    });
    let statistics = statistics.collect();
    let program = Program { nodes: lowering.builder.nodes, parameters, output, statistics, entries };
    Ok(program.simplified())
}

/// Replaces float parameters by tensors on the recorder that have no values, so that a forward cannot read them
/// unnoticed.
struct Blank<'a>(&'a Device);

impl ModuleMapper for Blank<'_> {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        let blank = Tensor::zeros(tensor.shape(), (self.0, tensor.dtype()));
        Param::from_mapped_value(id, blank, mapper)
    }
}

/// Identities of the float parameters of a module on the recorder, in the order of [`crate::parameters::visit`].
fn ids<M: Module>(module: &M) -> Vec<TensorId> {
    struct Ids(Vec<TensorId>);
    impl ModuleVisitor for Ids {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            self.0.extend(id(param.val().into_dispatch()));
        }
    }
    let mut ids = Ids(Vec::new());
    module.visit(&mut ids);
    ids.0
}

/// The identity of a recorded tensor; `None` for one that lives elsewhere.
fn id(tensor: DispatchTensor) -> Option<TensorId> {
    let DispatchTensorKind::Capture(tensor) = tensor.kind else { return None };
    Some(match tensor {
        BackendTensor::Float(tensor) => tensor.id(),
        BackendTensor::Int(tensor) => tensor.id(),
        BackendTensor::Bool(tensor) => tensor.id(),
        _ => return None,
    })
}

/// `", after the parameter a.b.weight"`: the last parameter used on the way to an operation.
fn near(lowering: &Lowering, operation: &OperationIr, parameters: &[crate::program::Parameter]) -> String {
    let mut ancestors: HashSet<usize> = operation.inputs().filter_map(|tensor| lowering.find(tensor.id)).collect();
    let latest = ancestors.iter().max().copied().unwrap_or(0);
    for index in (0..=latest).rev() {
        if !ancestors.contains(&index) {
            continue;
        }
        let node = lowering.node(index);
        if let Operation::Parameter(parameter) = node.operation {
            return format!(", after the parameter {}", parameters[parameter].path);
        }
        for &operand in &node.operands {
            // A parameter may be turned before it is used.
            let mut origin = operand;
            while let Operation::Linear(Linear::Reshape | Linear::Permute(_) | Linear::Expand) =
                lowering.node(origin).operation
            {
                origin = lowering.node(origin).operands[0];
            }
            if let Operation::Parameter(parameter) = lowering.node(origin).operation {
                return format!(", after the parameter {}", parameters[parameter].path);
            }
            ancestors.insert(operand);
        }
    }
    String::new()
}

fn message(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
    text.unwrap_or("it panicked").to_owned()
}
