//! Eigenvalues with their errors.

use burn::tensor::Tensor;

use super::unseen::Unseen;
use crate::ended::Ended;

/// An approximate eigenvalue, and how far off it can be.
#[derive(Debug, Clone, Copy, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Eigenvalue {
    /// The Ritz value θ, `xᵀAx` of its unit Ritz vector x.
    pub value: f64,
    /// `‖A x − θ x‖` of its unit Ritz vector x, with its rounding added (`ϵ √n ‖A‖` of a product, `ϵ √(m r) ‖A‖` of r
    /// restarts of m vectors): one that is calculated again is no larger.
    pub residual: f64,
    /// An eigenvalue lies within this of θ, a different one for each.
    pub error_bound: f64,
}

/// Eigenpairs found.
#[derive(Debug, Clone)]
pub struct Eigenpairs {
    /// The largest, in descending order.
    pub top: Vec<Eigenvalue>,
    /// The smallest, in ascending order.
    pub bottom: Vec<Eigenvalue>,
    /// Their unit vectors in rows, `top` before `bottom`: a start for the same operator a little later.
    pub vectors: Tensor<2>,
    /// Bounds on the eigenvalues that were not found.
    pub unseen: Unseen,
    /// The largest |θ| met: the norm of the operator that tolerances are relative to.
    pub norm: f64,
    /// Products used.
    pub products: usize,
    /// [`Ended::Converged`], [`Ended::InvariantSubspace`] when the whole space was exhausted, [`Ended::Budget`] or
    /// [`Ended::Stagnated`].
    pub ended: Ended,
}

/// Kahan's bound for each value: the root of the sum of squared residuals over its cluster of overlapping intervals,
/// plus `floor`.
pub(super) fn error_bounds(values: &[f64], residuals: &[f64], floor: f64) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    // Clusters of neighbours, each with its sum of squares.
    let mut clusters: Vec<(Vec<usize>, f64)> = Vec::new();
    for at in order {
        let mut cluster = (vec![at], residuals[at] * residuals[at]);
        while let Some((members, sum)) = clusters.last() {
            let below = members.iter().map(|&member| values[member]).fold(f64::MIN, f64::max);
            let above = cluster.0.iter().map(|&member| values[member]).fold(f64::MAX, f64::min);
            if below + sum.sqrt() < above - cluster.1.sqrt() {
                break;
            }
            if let Some((members, sum)) = clusters.pop() {
                cluster.0.extend(members);
                cluster.1 += sum;
            }
        }
        clusters.push(cluster);
    }
    let mut bounds = vec![0.0; values.len()];
    for (members, sum) in clusters {
        for member in members {
            bounds[member] = sum.sqrt() + floor;
        }
    }
    bounds
}
