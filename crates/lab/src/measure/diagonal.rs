//! The Hessian's diagonal: the curvature along each parameter alone, as second-order pruning
//! (LeCun, Denker & Solla 1990) and diagonal preconditioners take it.

use burn::tensor::Tensor;
use losscape_krylov::diagonal;
use serde::{Deserialize, Serialize};

use super::bench::name_of;
use super::draw::Draw;
use super::kind::{Measure, Part};
use super::needs::Needs;
use crate::analysis::Section;

/// The diagonal in each parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Diagonal {
    /// The mean of all entries, `tr H / P`.
    pub mean: f64,
    /// Products with the Hessian.
    pub products: usize,
    /// Whether entries are exact, or estimates with errors.
    pub exact: bool,
    /// The mean in each parameter, in the order of the parameters.
    pub segments: Vec<DiagonalOf>,
}

/// The diagonal in one parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DiagonalOf {
    /// The parameter's path in the module.
    pub name: String,
    /// Its number of entries.
    pub parameters: usize,
    /// Their mean curvature.
    pub mean: f64,
    /// The root mean square of their standard errors.
    pub error: f64,
}

/// `diagonal`: its mean in each parameter; the entries stand in [`VALUES`].
pub const DIAGONAL: Section<Diagonal> = Section::new("diagonal");

/// All entries, in the order of the parameters.
pub const VALUES: &str = "hessian_diagonal";

/// The standard errors of all entries, in the same order.
pub const ERRORS: &str = "hessian_diagonal_sem";

/// Products with the Hessian: entries of up to so many parameters are exact, others have a standard error of a tenth of
/// their row's norm.
const PRODUCTS: usize = 100;

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "diagonal",
    words: "the Hessian's diagonal, in each parameter and entry by entry, with errors",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[Part {
        arrays: &[VALUES, ERRORS],
        ..DIAGONAL.part(|bench, into| {
            bench.begin("diagonal of the Hessian", PRODUCTS.min(bench.point.space().dim));
            let hessian = bench.point.hessian();
            let found = diagonal(&bench.counted(&hessian), PRODUCTS, &mut bench.random(Draw::Diagonal))?;
            let numbers = |of: Tensor<1>| of.into_data().iter::<f64>().collect::<Vec<f64>>();
            let (values, errors) = (numbers(found.values), numbers(found.sem));
            let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len() as f64;
            let segments = bench.objective().segments().into_iter().map(|segment| DiagonalOf {
                name: name_of(&segment),
                parameters: segment.range.len(),
                mean: mean(&values[segment.range.clone()]),
                error: mean(&errors[segment.range].iter().map(|error| error * error).collect::<Vec<_>>()).sqrt(),
            });
            let record = Diagonal {
                mean: mean(&values),
                products: found.products,
                exact: found.probes == 0,
                segments: segments.collect(),
            };
            into.put(DIAGONAL, &record)?;
            into.put_array(VALUES, values);
            into.put_array(ERRORS, errors);
            Ok(())
        })
    }],
    scalars: |analysis, put| put("diagonal_mean", analysis.get(DIAGONAL).map(|diagonal| diagonal.mean)),
    tracking: None,
};
