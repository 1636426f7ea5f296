//! Vectors of Python and of Rust: one-dimensional NumPy arrays and tensors, in f64 or f32.

use burn::tensor::{DType, Tensor, TensorData};
use losscape_krylov::Space;
use numpy::{PyArray1, PyArrayMethods, PyReadonlyArray1, PyReadonlyArray2};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;

/// Entries of a vector.
#[derive(Debug, Clone)]
pub enum Numbers {
    F64(Vec<f64>),
    F32(Vec<f32>),
}

/// The float type of this name.
///
/// # Errors
///
/// For another name.
pub fn dtype(name: &str) -> PyResult<DType> {
    match name {
        "float64" => Ok(DType::F64),
        "float32" => Ok(DType::F32),
        _ => Err(PyTypeError::new_err(format!("vectors are of float64 or float32, not {name}"))),
    }
}

/// The name of a float type.
pub fn name(dtype: DType) -> &'static str {
    if dtype == DType::F32 { "float32" } else { "float64" }
}

impl Numbers {
    /// Of a tensor; its memory is taken where nobody else has it.
    pub fn of(tensor: Tensor<1>) -> Self {
        Self::of_data(tensor.into_data())
    }

    fn of_data(data: TensorData) -> Self {
        if data.dtype() == DType::F32 {
            Self::F32(data.try_into_vec().expect("they are f32"))
        } else {
            Self::F64(data.convert_dtype(DType::F64).try_into_vec().expect("they are f64"))
        }
    }

    /// Reads an array of a type.
    ///
    /// # Errors
    ///
    /// When it is no such array.
    pub fn extract(array: &Bound<'_, PyAny>, dtype: DType) -> PyResult<Self> {
        Ok(if dtype == DType::F32 {
            Self::F32(array.extract::<PyReadonlyArray1<'_, f32>>()?.to_vec()?)
        } else {
            Self::F64(array.extract::<PyReadonlyArray1<'_, f64>>()?.to_vec()?)
        })
    }

    /// Its float type.
    pub fn dtype(&self) -> DType {
        match self {
            Self::F64(_) => DType::F64,
            Self::F32(_) => DType::F32,
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Self::F64(values) => values.len(),
            Self::F32(values) => values.len(),
        }
    }

    /// An array that owns them.
    pub fn into_array(self, py: Python<'_>) -> Bound<'_, PyAny> {
        match self {
            Self::F64(values) => PyArray1::from_vec(py, values).into_any(),
            Self::F32(values) => PyArray1::from_vec(py, values).into_any(),
        }
    }

    fn into_data(self, shape: impl Into<burn::tensor::Shape>) -> TensorData {
        match self {
            Self::F64(values) => TensorData::new(values, shape),
            Self::F32(values) => TensorData::new(values, shape),
        }
    }

    /// A tensor of a space.
    pub fn into_tensor(self, space: &Space) -> Tensor<1> {
        let length = self.len();
        Tensor::from_data(self.into_data([length]).convert_dtype(space.dtype), (&space.device, space.dtype))
    }
}

/// Rows of a matrix as a tensor.
///
/// # Errors
///
/// When it is no array `[k, n]` of the space's type.
pub fn block(array: &Bound<'_, PyAny>, space: &Space) -> PyResult<Tensor<2>> {
    let (numbers, shape) = if space.dtype == DType::F32 {
        let array = array.extract::<PyReadonlyArray2<'_, f32>>()?;
        (Numbers::F32(array.to_vec()?), array.as_array().dim())
    } else {
        let array = array.extract::<PyReadonlyArray2<'_, f64>>()?;
        (Numbers::F64(array.to_vec()?), array.as_array().dim())
    };
    Ok(Tensor::from_data(numbers.into_data([shape.0, shape.1]), (&space.device, space.dtype)))
}

/// An array of a matrix.
///
/// # Errors
///
/// When Python has no memory for it.
pub fn matrix(py: Python<'_>, tensor: Tensor<2>) -> PyResult<Bound<'_, PyAny>> {
    let [rows, columns] = tensor.dims();
    let flat = Numbers::of_data(tensor.into_data());
    flat.into_array(py).call_method1("reshape", (rows, columns))
}
