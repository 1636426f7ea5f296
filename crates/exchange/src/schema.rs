//! `models/model.json` of an archive: PyTorch's schema of an exported program, as far as it is looked at.
//!
//! The schema is `torch/_export/serde/schema.py` of PyTorch. Its unions are objects of one key, as serde's enums are. A
//! kind of argument that is not named here is read, and refused where an operation looks at it.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

/// A program as `torch.export.save` writes it.
#[derive(Debug, Deserialize)]
pub struct Program {
    pub graph_module: GraphModule,
    /// Lengths that a program leaves open, by their symbols.
    pub range_constraints: HashMap<String, Range>,
    /// What the graph was checked to be: `TRAINING` as `torch.export` makes it, `ATEN` decomposed.
    #[serde(default)]
    pub verifiers: Vec<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Range {
    pub min_val: Option<i64>,
    pub max_val: Option<i64>,
}

#[derive(Debug, Deserialize)]
pub struct Version {
    pub major: u64,
    pub minor: u64,
}

#[derive(Debug, Deserialize)]
pub struct GraphModule {
    pub graph: Graph,
    pub signature: Signature,
}

#[derive(Debug, Deserialize)]
pub struct Graph {
    pub nodes: Vec<Node>,
    pub tensor_values: HashMap<String, TensorMeta>,
}

#[derive(Debug, Deserialize)]
pub struct Signature {
    pub input_specs: Vec<InputSpec>,
    pub output_specs: Vec<OutputSpec>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum InputSpec {
    Parameter { arg: Name, parameter_name: String },
    Buffer { arg: Name, buffer_name: String, persistent: bool },
    TensorConstant { arg: Name, tensor_constant_name: String },
    UserInput { arg: Argument },
    ConstantInput {},
    CustomObj { custom_obj_name: String },
    Token {},
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutputSpec {
    UserOutput { arg: Argument },
    BufferMutation { arg: Name, buffer_name: String },
    LossOutput {},
    GradientToParameter {},
    GradientToUserInput {},
    UserInputMutation {},
    ParameterMutation {},
    Token {},
}

#[derive(Debug, Clone, Deserialize)]
pub struct Name {
    pub name: String,
}

#[derive(Debug, Deserialize)]
pub struct Node {
    pub target: String,
    pub inputs: Vec<NamedArgument>,
    pub outputs: Vec<Argument>,
    #[serde(default)]
    pub metadata: HashMap<String, String>,
    #[serde(default)]
    pub name: Option<String>,
}

#[derive(Debug, Deserialize)]
pub struct NamedArgument {
    pub name: String,
    pub arg: Argument,
}

/// An argument or a result: an object of one key, which says its kind.
#[derive(Debug, Clone)]
pub enum Argument {
    None,
    Tensor(String),
    Tensors(Vec<String>),
    OptionalTensors(Vec<Option<String>>),
    Int(i64),
    Ints(Vec<i64>),
    Float(f64),
    Floats(Vec<f64>),
    String(String),
    SymInt(Size),
    SymInts(Vec<Size>),
    SymBool(SymBool),
    SymFloat(SymFloat),
    ScalarType(u64),
    Bool(bool),
    /// Where numbers lie in memory, which no result depends on: a memory format, a layout, a device.
    Place,
    /// Of another kind.
    Other,
}

/// A size: a number, or the name of one.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Size {
    AsName(String),
    AsInt(i64),
}

/// A condition on sizes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SymBool {
    AsName(String),
    AsBool(bool),
}

/// A number made of sizes.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SymFloat {
    AsName(String),
    AsFloat(f64),
}

impl<'de> Deserialize<'de> for Argument {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Union;
        impl<'de> Visitor<'de> for Union {
            type Value = Argument;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an argument, as {\"as_int\": 1}")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Argument, A::Error> {
                let mut found = None;
                while let Some(key) = map.next_key::<String>()? {
                    let argument = argument(&key, &mut map)?;
                    if found.is_none() {
                        found = argument;
                    }
                }
                found.ok_or_else(|| serde::de::Error::custom("an argument of no kind"))
            }
        }
        deserializer.deserialize_map(Union)
    }
}

/// The value that stands under a key of the union; none where it is null.
fn argument<'de, A: MapAccess<'de>>(key: &str, map: &mut A) -> Result<Option<Argument>, A::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "snake_case")]
    enum OptionalTensor {
        AsTensor(Name),
        AsNone(IgnoredAny),
    }
    let names = |tensors: Vec<Name>| tensors.into_iter().map(|tensor| tensor.name).collect();
    Ok(match key {
        "as_none" => map.next_value::<Option<IgnoredAny>>()?.map(|_| Argument::None),
        "as_tensor" => map.next_value::<Option<Name>>()?.map(|tensor| Argument::Tensor(tensor.name)),
        "as_tensors" => map.next_value::<Option<Vec<Name>>>()?.map(|tensors| Argument::Tensors(names(tensors))),
        "as_optional_tensors" => map.next_value::<Option<Vec<OptionalTensor>>>()?.map(|tensors| {
            let name = |tensor| match tensor {
                OptionalTensor::AsTensor(tensor) => Some(tensor.name),
                OptionalTensor::AsNone(_) => None,
            };
            Argument::OptionalTensors(tensors.into_iter().map(name).collect())
        }),
        "as_optional_tensor" => map.next_value::<Option<OptionalTensor>>()?.map(|tensor| match tensor {
            OptionalTensor::AsTensor(tensor) => Argument::Tensor(tensor.name),
            OptionalTensor::AsNone(_) => Argument::None,
        }),
        "as_int" => map.next_value::<Option<i64>>()?.map(Argument::Int),
        "as_ints" => map.next_value::<Option<Vec<i64>>>()?.map(Argument::Ints),
        "as_float" => map.next_value::<Option<Number>>()?.map(|number| Argument::Float(number.0)),
        "as_floats" => map
            .next_value::<Option<Vec<Number>>>()?
            .map(|numbers| Argument::Floats(numbers.into_iter().map(|number| number.0).collect())),
        "as_string" => map.next_value::<Option<String>>()?.map(Argument::String),
        "as_sym_int" => map.next_value::<Option<Size>>()?.map(Argument::SymInt),
        "as_sym_ints" => map.next_value::<Option<Vec<Size>>>()?.map(Argument::SymInts),
        "as_sym_float" => map.next_value::<Option<SymFloat>>()?.map(Argument::SymFloat),
        "as_sym_bool" => map.next_value::<Option<SymBool>>()?.map(Argument::SymBool),
        "as_scalar_type" => map.next_value::<Option<u64>>()?.map(Argument::ScalarType),
        "as_bool" => map.next_value::<Option<bool>>()?.map(Argument::Bool),
        "as_memory_format" | "as_layout" | "as_device" => {
            map.next_value::<Option<IgnoredAny>>()?.map(|_| Argument::Place)
        }
        _ => map.next_value::<Option<IgnoredAny>>()?.map(|_| Argument::Other),
    })
}

/// A number, or what JSON has no number for.
struct Number(f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Either {
            Number(f64),
            Word(String),
        }
        match Either::deserialize(deserializer)? {
            Either::Number(number) => Ok(Self(number)),
            Either::Word(word) => match word.as_str() {
                "Infinity" => Ok(Self(f64::INFINITY)),
                "-Infinity" => Ok(Self(f64::NEG_INFINITY)),
                "NaN" => Ok(Self(f64::NAN)),
                _ => Err(serde::de::Error::custom(format!("`{word}` is no number"))),
            },
        }
    }
}

/// Shape and type of a tensor.
#[derive(Debug, Clone, Deserialize)]
pub struct TensorMeta {
    pub dtype: u64,
    pub sizes: Vec<Length>,
    pub requires_grad: bool,
    pub strides: Vec<Length>,
    pub storage_offset: Length,
}

/// A length: a number, or a formula for lengths that a program leaves open.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Length {
    AsInt(i64),
    AsExpr(Formula),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Formula {
    pub expr_str: String,
}

/// `model_weights_config.json`, `model_constants_config.json`: where the numbers of each tensor lie.
#[derive(Debug, Deserialize)]
pub struct Payloads {
    pub config: HashMap<String, Payload>,
}

#[derive(Debug, Deserialize)]
pub struct Payload {
    pub path_name: String,
    #[serde(default)]
    pub use_pickle: bool,
    #[serde(default)]
    pub tensor_meta: Option<TensorMeta>,
}
