//! [`Call`]: a node that is calculated, with its arguments at hand.

use std::cell::RefCell;

use burn::module::RunningState;
use burn::tensor::{DType, Tensor, TensorData};
use burn_backend::ops::{FloatTensorOps, IntTensorOps};
use burn_backend::{FloatDType, TensorMetadata};
use burn_dispatch::{Dispatch, DispatchDevice};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;

use crate::argument::{Argument, Number};
use crate::array::{Array, Kind, Problem};

/// What a name of the graph stands for.
#[derive(Clone, Debug)]
pub enum Value {
    Array(Array),
    /// A size, or a number made of sizes.
    Int(i64),
    Float(f64),
    Bool(bool),
}

/// Where a graph is calculated.
#[allow(missing_debug_implementations)] // a function has none
pub struct Context<'a> {
    pub device: DispatchDevice,
    /// The type of all floats.
    pub dtype: FloatDType,
    /// The running statistics that stand in a place of the values, and whether they are moved.
    pub statistics: &'a dyn Fn(usize) -> Option<(RunningState<Tensor<1>>, bool)>,
    /// The parameter that stands in a place of the values, as the archive has it.
    pub stored: &'a dyn Fn(usize) -> Option<Array>,
    /// What masks of dropout are drawn from, in training.
    pub random: Option<RefCell<ChaCha12Rng>>,
}

/// A node that is calculated.
#[allow(missing_debug_implementations)] // a function has none
pub struct Call<'a> {
    pub arguments: &'a [(String, Argument)],
    pub values: &'a [Option<Value>],
    pub context: &'a Context<'a>,
}

/// A tensor or a number, as binary operations take them.
#[derive(Debug)]
pub enum Operand {
    Array(Array),
    Bool(bool),
    Int(i64),
    Float(f64),
}

impl Call<'_> {
    pub fn dtype(&self) -> FloatDType {
        self.context.dtype
    }

    pub fn device(&self) -> &DispatchDevice {
        &self.context.device
    }

    /// An argument that is there and not None.
    pub fn argument(&self, name: &str) -> Option<&Argument> {
        let found = self.arguments.iter().find(|(known, _)| known == name).map(|(_, argument)| argument);
        found.filter(|argument| !matches!(argument, Argument::None))
    }

    fn value(&self, slot: usize) -> Result<&Value, Problem> {
        self.values.get(slot).and_then(Option::as_ref).ok_or_else(|| "an argument has no value".to_owned())
    }

    fn array_in(&self, slot: usize) -> Result<Array, Problem> {
        match self.value(slot)? {
            Value::Array(array) => Ok(array.clone()),
            Value::Int(_) | Value::Float(_) | Value::Bool(_) => Err("a number stands for a tensor".to_owned()),
        }
    }

    /// The place of a tensor among the values.
    pub fn slot(&self, name: &str) -> Option<usize> {
        match self.argument(name)? {
            Argument::Value(slot) => Some(*slot),
            _ => None,
        }
    }

    /// A tensor of any kind, if it is given.
    pub fn optional(&self, name: &str) -> Result<Option<Array>, Problem> {
        match self.argument(name) {
            None => Ok(None),
            Some(Argument::Value(slot)) => self.array_in(*slot).map(Some),
            Some(other) => Err(format!("`{name}` is no tensor but {other:?}")),
        }
    }

    /// A tensor of any kind.
    pub fn array(&self, name: &str) -> Result<Array, Problem> {
        self.optional(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    /// A tensor as floats.
    pub fn float(&self, name: &str) -> Result<Array, Problem> {
        Ok(self.array(name)?.float(self.dtype()))
    }

    /// A tensor as floats, if it is given.
    pub fn optional_float(&self, name: &str) -> Result<Option<Array>, Problem> {
        Ok(self.optional(name)?.map(|array| array.float(self.dtype())))
    }

    /// A list of tensors, some of which may be missing.
    pub fn arrays(&self, name: &str) -> Result<Vec<Option<Array>>, Problem> {
        match self.argument(name) {
            Some(Argument::Values(slots)) => {
                slots.iter().map(|slot| slot.map(|slot| self.array_in(slot)).transpose()).collect()
            }
            Some(Argument::Value(slot)) => Ok(vec![Some(self.array_in(*slot)?)]),
            _ => Err(format!("`{name}` is no list of tensors")),
        }
    }

    /// A list of tensors, all of them there.
    pub fn all(&self, name: &str) -> Result<Vec<Array>, Problem> {
        let arrays = self.arrays(name)?.into_iter();
        arrays.map(|array| array.ok_or_else(|| format!("a tensor of `{name}` is missing"))).collect()
    }

    /// A tensor or a number.
    pub fn operand(&self, name: &str) -> Result<Operand, Problem> {
        match self.argument(name) {
            Some(Argument::Value(slot)) => Ok(match self.value(*slot)? {
                Value::Array(array) => Operand::Array(array.clone()),
                Value::Int(number) => Operand::Int(*number),
                Value::Float(number) => Operand::Float(*number),
                Value::Bool(flag) => Operand::Bool(*flag),
            }),
            Some(Argument::Int(number)) => Ok(Operand::Int(self.number_of(number)?)),
            Some(Argument::Float(number)) => Ok(Operand::Float(*number)),
            Some(Argument::Bool(flag)) => Ok(Operand::Bool(*flag)),
            _ => Err(format!("`{name}` is neither a tensor nor a number")),
        }
    }

    pub fn number_of(&self, number: &Number) -> Result<i64, Problem> {
        match number {
            Number::Known(number) => Ok(*number),
            Number::Value(slot) => match self.value(*slot)? {
                Value::Int(number) => Ok(*number),
                other => Err(format!("a whole number is {other:?}")),
            },
        }
    }

    /// A whole number, if it is given.
    pub fn optional_int(&self, name: &str) -> Result<Option<i64>, Problem> {
        match self.argument(name) {
            None => Ok(None),
            Some(Argument::Int(number)) => self.number_of(number).map(Some),
            Some(Argument::Value(slot)) => self.number_of(&Number::Value(*slot)).map(Some),
            Some(other) => Err(format!("`{name}` is no whole number but {other:?}")),
        }
    }

    pub fn int(&self, name: &str, default: i64) -> Result<i64, Problem> {
        Ok(self.optional_int(name)?.unwrap_or(default))
    }

    /// A number that must not be negative.
    pub fn length(&self, name: &str, default: usize) -> Result<usize, Problem> {
        let Some(number) = self.optional_int(name)? else { return Ok(default) };
        usize::try_from(number).map_err(|_| format!("`{name}` is {number}"))
    }

    /// Whole numbers, if they are given; one alone is a list of one.
    pub fn ints(&self, name: &str) -> Result<Option<Vec<i64>>, Problem> {
        match self.argument(name) {
            None => Ok(None),
            Some(Argument::Ints(numbers)) => {
                numbers.iter().map(|number| self.number_of(number)).collect::<Result<_, _>>().map(Some)
            }
            Some(_) => Ok(self.optional_int(name)?.map(|number| vec![number])),
        }
    }

    /// Whole numbers that must be there.
    pub fn sizes(&self, name: &str) -> Result<Vec<i64>, Problem> {
        self.ints(name)?.ok_or_else(|| format!("`{name}` is missing"))
    }

    /// Lengths that must be there, none of them negative.
    pub fn shape(&self, name: &str) -> Result<Vec<usize>, Problem> {
        lengths(name, &self.sizes(name)?)
    }

    /// `N` lengths, one number standing for all.
    pub fn lengths<const N: usize>(&self, name: &str, default: [usize; N]) -> Result<[usize; N], Problem> {
        let given = self.ints(name)?.unwrap_or_default();
        match lengths(name, &given)?.as_slice() {
            [] => Ok(default),
            [one] => Ok([*one; N]),
            many => many.try_into().map_err(|_| format!("`{name}` has {} numbers, not {N}", many.len())),
        }
    }

    /// The axes of an array, negative ones counted from the last; all if none is given.
    pub fn axes(&self, name: &str, array: &Array) -> Result<Vec<usize>, Problem> {
        let given = self.ints(name)?.unwrap_or_default();
        if given.is_empty() {
            return Ok((0..array.rank()).collect());
        }
        let mut axes = given.iter().map(|&axis| array.axis(axis)).collect::<Result<Vec<_>, _>>()?;
        axes.sort_unstable();
        axes.dedup();
        if array.rank() == 0 {
            axes.clear();
        }
        Ok(axes)
    }

    /// A number, if it is given.
    pub fn optional_number(&self, name: &str) -> Result<Option<f64>, Problem> {
        match self.argument(name) {
            None => Ok(None),
            Some(_) => match self.operand(name)? {
                Operand::Bool(flag) => Ok(Some(f64::from(u8::from(flag)))),
                Operand::Int(number) => Ok(Some(number as f64)),
                Operand::Float(number) => Ok(Some(number)),
                Operand::Array(_) => Err(format!("`{name}` is a tensor, not a number")),
            },
        }
    }

    pub fn number(&self, name: &str, default: f64) -> Result<f64, Problem> {
        Ok(self.optional_number(name)?.unwrap_or(default))
    }

    pub fn flag(&self, name: &str, default: bool) -> Result<bool, Problem> {
        match self.argument(name) {
            None => Ok(default),
            Some(Argument::Bool(flag)) => Ok(*flag),
            Some(other) => Err(format!("`{name}` is no condition but {other:?}")),
        }
    }

    pub fn word(&self, name: &str) -> Option<&str> {
        match self.argument(name)? {
            Argument::Word(word) => Some(word),
            _ => None,
        }
    }

    /// The kind of element that is asked for, if it is.
    pub fn kind(&self, name: &str) -> Result<Option<Kind>, Problem> {
        match self.argument(name) {
            None => Ok(None),
            Some(Argument::Type(kind)) => Ok(Some(*kind)),
            Some(other) => Err(format!("`{name}` is no type but {other:?}")),
        }
    }

    /// In training the numbers times a mask of this shape, whose entries are 0 with probability p and 1/(1 − p) else;
    /// at inference as they are.
    pub fn dropped(&self, x: Array, p: f64, mask: &[usize]) -> Result<Array, Problem> {
        if !(0.0..=1.0).contains(&p) {
            return Err(format!("it drops numbers with probability {p}"));
        }
        let Some(random) = self.context.random.as_ref().filter(|_| p > 0.0) else { return Ok(x) };
        let mut random = random.borrow_mut();
        let kept = if p < 1.0 { (1.0 - p).recip() } else { 0.0 };
        let numbers = crate::array::elements(mask)?;
        let values: Vec<f64> = (0..numbers).map(|_| if random.random_bool(p) { 0.0 } else { kept }).collect();
        let of_burn = if mask.is_empty() { vec![1] } else { mask.to_vec() };
        let data = TensorData::new(values, of_burn).convert_dtype(DType::from(self.dtype()));
        let mask = Array::with_shape(Dispatch::float_from_data(data, self.device()), mask);
        x.float(self.dtype()).zip(mask, Dispatch::float_mul)
    }

    /// A tensor, or a number as a tensor without axes.
    pub fn filled(&self, operand: Operand) -> Result<Array, Problem> {
        match operand {
            Operand::Array(array) => Ok(array),
            Operand::Bool(flag) => self.full(&[], f64::from(u8::from(flag)), Kind::Bool),
            Operand::Int(number) => self.full(&[], number as f64, Kind::Int),
            Operand::Float(number) => self.full(&[], number, Kind::Float),
        }
    }

    /// The axes that are listed, negative ones counted from the last; none for an empty list.
    pub fn listed(&self, name: &str, array: &Array) -> Result<Vec<usize>, Problem> {
        let given = self.ints(name)?.unwrap_or_default();
        given.iter().map(|&axis| array.axis(axis)).collect()
    }

    /// A float type in which whole numbers are exact, too.
    pub fn exact(&self, whole: bool) -> FloatDType {
        if whole { FloatDType::F64 } else { self.dtype() }
    }

    /// An array as this kind.
    pub fn cast(&self, array: Array, kind: Kind) -> Array {
        use burn_backend::{BoolDType, Scalar};
        match kind {
            Kind::Float => array.float(self.dtype()),
            Kind::Int => array.int(),
            Kind::Bool => match array.kind() {
                Kind::Bool => array,
                Kind::Int => array.map(|x| Dispatch::int_not_equal_elem(x, Scalar::Int(0), BoolDType::Native)),
                Kind::Float => array.map(|x| Dispatch::float_not_equal_elem(x, Scalar::Float(0.0), BoolDType::Native)),
            },
        }
    }

    /// An array full of one number, of this kind.
    pub fn full(&self, shape: &[usize], number: f64, kind: Kind) -> Result<Array, Problem> {
        use burn_backend::{IntDType, Scalar, Shape};
        crate::array::elements(shape)?;
        let of_burn = Shape::from(if shape.is_empty() { vec![1] } else { shape.to_vec() });
        let tensor = match kind {
            Kind::Float => Dispatch::float_full(of_burn, Scalar::Float(number), self.device(), self.dtype()),
            Kind::Int => Dispatch::int_full(of_burn, Scalar::Int(number as i64), self.device(), IntDType::I64),
            Kind::Bool => {
                let number = i64::from(number != 0.0);
                Dispatch::int_full(of_burn, Scalar::Int(number), self.device(), IntDType::I64)
            }
        };
        debug_assert_eq!(tensor.shape().num_elements(), shape.iter().product::<usize>());
        Ok(self.cast(Array::with_shape(tensor, shape), kind))
    }
}

/// Numbers as lengths.
fn lengths(name: &str, numbers: &[i64]) -> Result<Vec<usize>, Problem> {
    let length = |&number: &i64| usize::try_from(number).map_err(|_| format!("`{name}` is {numbers:?}"));
    numbers.iter().map(length).collect()
}
