//! Third derivatives of the loss along two directions, by differences of gradients.

use burn::tensor::Tensor;
use losscape_analysis::Objective;
use losscape_krylov::{Space, norm};
use losscape_model::Network;

use crate::error::FlowError;
use crate::flow::gradient;
use crate::symmetric::{places, weight};

/// A third derivative so many times the rounding of a gradient over h² is seen.
const ROUNDING: f64 = 32.0;

/// `∇(u_aᵀ H(w) u_b)` for all pairs of directions, in the order of [`places`], where the gradient is `g`.
///
/// Second differences of the gradient, `D[u] = (g(w + hu) − 2g(w) + g(w − hu))/h²` along each direction as a unit
/// vector, and `½ (D[u_a + u_b] − D[u_a] − D[u_b])` for two of them. `h = ϵ^¼ max(1, ‖w‖/√P)` balances their
/// truncation, of order h², with the rounding of gradients, of order ϵ/h². Two gradients a pair.
pub fn derivatives<N: Network>(
    objective: &Objective<N>,
    w: &Tensor<1>,
    g: &Tensor<1>,
    directions: &[Tensor<1>],
) -> Result<Vec<Tensor<1>>, FlowError> {
    let size = (norm(w) / (w.dims()[0] as f64).sqrt()).max(1.0);
    let h = Space::of(w).epsilon().powf(0.25) * size;
    let lengths: Vec<f64> = directions.iter().map(norm).collect();
    let units: Vec<Tensor<1>> =
        directions.iter().zip(&lengths).map(|(direction, length)| direction.clone() / *length).collect();
    let second = |u: Tensor<1>| -> Result<Tensor<1>, FlowError> {
        let u = u * h;
        let (_, ahead) = gradient(objective, &(w.clone() + u.clone()))?;
        let (_, behind) = gradient(objective, &(w.clone() - u))?;
        Ok((ahead - g.clone() * 2.0 + behind) / (h * h))
    };
    let rounding = ROUNDING * Space::of(w).epsilon() * norm(g) / (h * h);
    let seen = |derivative: Tensor<1>| if norm(&derivative) > rounding { derivative } else { derivative.zeros_like() };
    let own: Vec<Tensor<1>> = units.iter().cloned().map(second).collect::<Result<_, _>>()?;
    let of_pair = |(a, b): (usize, usize)| -> Result<Tensor<1>, FlowError> {
        let unit = match a == b {
            true => own[a].clone(),
            false => (second(units[a].clone() + units[b].clone())? - own[a].clone() - own[b].clone()) * 0.5,
        };
        Ok(seen(unit) * (lengths[a] * lengths[b]))
    };
    places(directions.len()).map(of_pair).collect()
}

/// `Σ_ab X_ab ∇(u_aᵀ H u_b)`, from the entries of X as [`Symmetric`](crate::symmetric::Symmetric) has them.
pub fn contracted(derivatives: &[Tensor<1>], size: usize, entries: &[f64]) -> Option<Tensor<1>> {
    let parts = derivatives.iter().zip(places(size)).zip(entries);
    parts.map(|((derivative, at), entry)| derivative.clone() * (entry * weight(at))).reduce(|a, b| a + b)
}
