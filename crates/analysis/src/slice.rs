//! The loss along lines and planes through a point.
//!
//! Directions can be random and *filter-normalized* (Li et al. 2018, §4): each filter of a random direction is given
//! the norm of the same filter of w, so that pictures of networks of different scale can be compared; parameters of one
//! axis (biases, scales) do not move.
//!
//! A filter is the weights into one output: of a fully connected layer, one neuron's. Which axis counts them is told by
//! the name of the type that holds the parameter:
//!
//! | type | weight | filters along |
//! |---|---|---|
//! | `Linear` (Burn's) | `[in, out]` | axis 1 |
//! | `ConvTranspose1d`, `2d`, `3d` (Burn's) | `[in, out / groups, k…]` | axis 1, groups together |
//! | everything else: our `Dense`, Burn's `Conv1d`, `2d`, `3d`, `Embedding`, matrices of your own | `[out, in, k…]` | axis 0 |
//!
//! A type of your own under one of these names is taken for Burn's.

use burn::tensor::Tensor;
use losscape_krylov::Space;
use losscape_model::Network;
use losscape_tangent::parameters::Segment;
use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::AnalysisError;
use crate::objective::Objective;

/// The loss along a line `w + t d`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// What the direction d is: "random, filter-normalized", "eigenvector 1", ….
    pub direction: String,
    /// t, in units of d.
    pub steps: Vec<f64>,
    /// `L(w + t d)`; absent where it is not finite.
    pub losses: Vec<Option<f64>>,
}

/// The loss on a plane `w + s a + t b`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plane {
    /// What the directions a and b are.
    pub directions: [String; 2],
    /// s, one for each column of the losses.
    pub columns: Vec<f64>,
    /// t, one for each row of the losses.
    pub rows: Vec<f64>,
    /// `L`, row by row; absent where it is not finite.
    pub losses: Vec<Vec<Option<f64>>>,
}

/// `count` numbers from −reach to reach.
#[must_use]
pub fn grid(reach: f64, count: usize) -> Vec<f64> {
    let step = 2.0 * reach / (count.max(2) - 1) as f64;
    (0..count).map(|at| -reach + step * at as f64).collect()
}

/// The loss along a line.
///
/// # Errors
///
/// When `w` or `direction` has not P entries.
pub fn line<N>(
    objective: &Objective<N>,
    w: &Tensor<1>,
    (name, direction): (&str, &Tensor<1>),
    steps: Vec<f64>,
) -> Result<Line, AnalysisError>
where
    N: Network,
{
    let (w, direction) = (objective.vector(w)?, objective.vector(direction)?);
    let losses = steps.iter().map(|&t| objective.value(&(w.clone() + direction.clone() * t)).map(finite));
    Ok(Line { direction: name.to_owned(), losses: losses.collect::<Result<_, _>>()?, steps })
}

/// The loss on a plane; `each` is called after every row with the number of rows done.
///
/// # Errors
///
/// When `w` or a direction has not P entries.
pub fn plane<N>(
    objective: &Objective<N>,
    w: &Tensor<1>,
    [(a_name, a), (b_name, b)]: [(&str, &Tensor<1>); 2],
    columns: Vec<f64>,
    rows: Vec<f64>,
    mut each: impl FnMut(usize),
) -> Result<Plane, AnalysisError>
where
    N: Network,
{
    let [w, a, b] = [objective.vector(w)?, objective.vector(a)?, objective.vector(b)?];
    let mut losses = Vec::new();
    for (done, &t) in rows.iter().enumerate() {
        let start = w.clone() + b.clone() * t;
        let row = columns.iter().map(|&s| objective.value(&(start.clone() + a.clone() * s)).map(finite));
        losses.push(row.collect::<Result<Vec<_>, _>>()?);
        each(done + 1);
    }
    Ok(Plane { directions: [a_name.to_owned(), b_name.to_owned()], columns, rows, losses })
}

fn finite(loss: f64) -> Option<f64> {
    loss.is_finite().then_some(loss)
}

/// A random direction whose filters have the norms of those of `w`.
#[must_use]
pub fn filter_normalized(w: &Tensor<1>, segments: &[Segment], random: &mut impl Rng) -> Tensor<1> {
    let draw = Space::of(w).normal(random);
    let parts = segments.iter().map(|segment| {
        let of = |vector: &Tensor<1>| vector.clone().narrow(0, segment.range.start, segment.range.len());
        let (part, own) = (of(&draw), of(w));
        if segment.shape.len() < 2 {
            return part.zeros_like();
        }
        let axis = filter_axis(segment);
        let size = |axes: &[usize]| axes.iter().product::<usize>();
        let filters = [size(&segment.shape[..axis]), segment.shape[axis], size(&segment.shape[axis + 1..])];
        let (part, own): (Tensor<3>, Tensor<3>) = (part.reshape(filters), own.reshape(filters));
        let norms = |weights: &Tensor<3>| weights.clone().square().sum_dim(2).sum_dim(0).sqrt();
        // A filter of one zero draw has no direction; that has probability zero, and a norm of one leaves it at zero.
        let lengths = norms(&part);
        let lengths = lengths.clone().mask_fill(lengths.equal_elem(0.0), 1.0);
        (part * (norms(&own) / lengths)).reshape([segment.range.len()])
    });
    Tensor::cat(parts.collect(), 0)
}

/// The axis along which the filters of a parameter of two axes or more stand; see the [module documentation](self).
fn filter_axis(segment: &Segment) -> usize {
    match segment.container.as_str() {
        "Linear" | "ConvTranspose1d" | "ConvTranspose2d" | "ConvTranspose3d" => 1,
        _ => 0,
    }
}
