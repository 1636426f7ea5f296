//! Where the elements of an array lie.

use burn_dispatch::DispatchTensor;

/// A tensor of any rank and element type, outside any autodiff graph.
#[derive(Clone, Debug)]
pub struct Array(pub(super) DispatchTensor);
