//! The loss along lines and on a plane, filter-normalized (Li et al. 2018).

use burn::tensor::Tensor;
use losscape_analysis::slice::{self, Line, Plane};
use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::kind::Measure;
use super::needs::Needs;
use crate::analysis::Section;

/// The loss along lines and on a plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// Lines: a random one, eigenvectors, and towards the initial parameters where they are known.
    pub lines: Vec<Line>,
    /// The plane of two random directions.
    pub plane: Plane,
}

/// `slices`: the loss along lines and on a plane.
pub const SLICES: Section<Slices> = Section::new("slices");

/// Points on a line.
const LINE: usize = 41;

/// Points on either axis of the plane.
const PLANE: usize = 21;

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "slices",
    words: "the loss along lines and on a plane, filter-normalized",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[SLICES.part(|bench, into| {
        let (objective, w, pairs) = (bench.objective(), bench.point.parameters(), bench.sharpest()?);
        let segments = objective.segments();
        let mut random = bench.random(Draw::Slices);
        let [a, b] = [(); 2].map(|()| slice::filter_normalized(w, &segments, &mut random));
        bench.begin("slices", PLANE);
        let mut lines = vec![slice::line(objective, w, ("random, filter-normalized", &a), slice::grid(1.0, LINE))?];
        // Along eigenvectors as far as the loss on a quadratic rises by ten times the basin's Δ.
        for (at, pair) in pairs.top.iter().enumerate().filter(|(_, pair)| pair.value > 0.0) {
            let reach = (20.0 * bench.settings.rise / pair.value).sqrt();
            let direction: Tensor<1> = pairs.vectors.clone().narrow(0, at, 1).squeeze_dim(0);
            let name = format!("eigenvector {}", at + 1);
            lines.push(slice::line(objective, w, (&name, &direction), slice::grid(reach, LINE))?);
        }
        if let Some(initial) = bench.initial() {
            let back = initial.cast(w.dtype()) - w.clone();
            let steps = (0..LINE).map(|at| -0.25 + 1.5 * at as f64 / (LINE - 1) as f64).collect();
            lines.push(slice::line(objective, w, ("to initialization (at 1)", &back), steps)?);
        }
        let axes = [("first random direction", &a), ("second random direction", &b)];
        let grid = || slice::grid(1.0, PLANE);
        let plane = slice::plane(objective, w, axes, grid(), grid(), |rows| bench.done(rows))?;
        into.put(SLICES, &Slices { lines, plane })
    })],
    // A picture; its numbers are those of sharpness and basin.
    scalars: |_, _| {},
    tracking: None,
};
