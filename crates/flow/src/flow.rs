//! What all flows have in common.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_model::Network;

use crate::error::FlowError;
use crate::state::State;

/// What a flow says of the method at a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// The loss at the flow's parameters.
    pub center: f64,
    /// The method's loss, averaged over its oscillation.
    pub loss: f64,
    /// `E‖x‖²` of the method's oscillation x around the flow; zero for a flow that knows of none.
    pub oscillation: f64,
}

/// A differential equation for the path of a method, at a moment. Time is counted in steps of the method.
pub trait Flow<N: Network>: Send {
    /// Goes on by a step of the method, and says what the flow predicts of the moment before.
    ///
    /// # Errors
    ///
    /// When the equation cannot be followed any further.
    fn advance(&mut self, objective: &Objective<N>) -> Result<Prediction, FlowError>;

    /// Where it is: the path without its oscillation.
    fn parameters(&self) -> &Tensor<1>;

    /// The diagonal of the preconditioner that it expects, for methods that have one.
    fn preconditioner(&self) -> Option<Tensor<1>>;

    /// Everything that it goes on from.
    fn state(&self) -> State;

    /// Goes on from where another was; false where the state is none of such a flow.
    fn restore(&mut self, state: &State) -> bool;
}

/// Value and gradient, where the value is finite.
pub(crate) fn gradient<N: Network>(objective: &Objective<N>, w: &Tensor<1>) -> Result<(f64, Tensor<1>), FlowError> {
    let (value, gradient) = objective.gradient(w)?;
    if value.is_finite() { Ok((value, gradient)) } else { Err(FlowError::NotFinite) }
}
