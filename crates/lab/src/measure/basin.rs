//! Basin width: the distance to a given rise of the loss along random directions, the gradient and the Hessian's
//! eigenvectors.

use burn::tensor::Tensor;
use losscape_analysis::AnalysisError;
use losscape_analysis::basin::{self, Width};
use serde::{Deserialize, Serialize};

use super::draw::Draw;
use super::kind::Measure;
use super::needs::Needs;
use crate::analysis::Section;

/// Basin widths for a rise of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Basin {
    /// The rise Δ of the loss that ends the basin.
    pub rise: f64,
    /// A width for each direction: three random ones, the gradient, eigenvectors.
    pub widths: Vec<Width>,
}

/// `basin`: widths in several directions.
pub const BASIN: Section<Basin> = Section::new("basin");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "basin",
    words: "distance to a given rise of the loss along random, gradient and eigen directions",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[BASIN.part(|bench, into| {
        let (point, pairs) = (&bench.point, bench.sharpest()?);
        let mut random = bench.random(Draw::Basin);
        let mut directions: Vec<(String, Tensor<1>)> =
            (1..=3).map(|at| (format!("random {at}"), point.space().normal(&mut random))).collect();
        if point.gradient_norm() > 0.0 {
            directions.push(("gradient".to_owned(), point.gradient().clone()));
        }
        for at in 0..pairs.top.len() {
            directions.push((format!("eigenvector {}", at + 1), pairs.vectors.clone().narrow(0, at, 1).squeeze_dim(0)));
        }
        bench.begin("basin width", directions.len());
        let rise = bench.settings.rise;
        let widths = directions.into_iter().enumerate().map(|(done, (name, direction))| {
            let width = basin::width(point, &direction, name, rise);
            bench.done(done + 1);
            width
        });
        into.put(BASIN, &Basin { rise, widths: widths.collect::<Result<_, AnalysisError>>()? })
    })],
    // A width is named after its direction: the mean of both ways.
    scalars: |analysis, put| {
        for width in analysis.get(BASIN).map(|basin| basin.widths).unwrap_or_default() {
            let mean = width.forward.zip(width.backward).map(|(forward, backward)| f64::midpoint(forward, backward));
            put(&format!("basin_width_{}", width.direction.replace(' ', "_")), mean);
        }
    },
    tracking: None,
};
