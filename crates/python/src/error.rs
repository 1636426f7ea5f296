//! Exceptions.

use pyo3::create_exception;
use pyo3::exceptions::{PyException, PyRuntimeError};

create_exception!(losscape, Error, PyException, "What losscape cannot do with what it was given, and what to do.");
create_exception!(losscape, InternalError, PyRuntimeError, "A fault of losscape itself.");
