//! Step-size bounds, and the sharpness λ_max(H) against the edge of the run's own method.

use losscape_analysis::AnalysisError;
use losscape_analysis::hessian::preconditioned;
use losscape_analysis::pl::applicable;
use losscape_analysis::steps::StepBounds;
use losscape_krylov::{Eigensolver, Eigenvalue};
use losscape_optim::edge::{Curvature, edge};
use losscape_tangent::parameters;
use serde::{Deserialize, Serialize};

use super::bench::{Bench, Kernel};
use super::draw::Draw;
use super::kind::Measure;
use super::needs::{KernelPart, Needs};
use crate::analysis::Section;

/// Step sizes and the edge of the method that trained the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Bounds {
    /// The bounds of gradient descent.
    #[serde(flatten)]
    pub steps: StepBounds,
    /// The edge of the method that trained the network, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<EdgeRecord>,
}

/// Sharpness against the edge of a method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EdgeRecord {
    /// The rate that the edge is for: that of the next step.
    pub learning_rate: f64,
    /// Which sharpness the edge is compared with.
    pub of: Curvature,
    /// That sharpness at the parameters, with its error.
    pub sharpness: Eigenvalue,
    /// The sharpness above which the method's full-batch steps grow.
    pub edge: f64,
    /// `sharpness / edge`: above 1 full-batch steps grow, to second order.
    pub ratio: f64,
    /// Whether the run's steps were full batches, of which the edge speaks.
    pub full_batch: bool,
}

/// `bounds`: step sizes, and the edge of the run's method.
pub const BOUNDS: Section<Bounds> = Section::new("bounds");

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "bounds",
    words: "step-size bounds, and sharpness against the edge of the run's own method",
    // For cross-entropy no step size comes from the kernel.
    needs: |loss| Needs {
        kernel: if applicable(loss) { KernelPart::Largest } else { KernelPart::None },
        ..Needs::HESSIAN
    },
    on_request: false,
    parts: &[BOUNDS.part(|bench, into| {
        let kernel = bench.kernel()?.map(Kernel::max);
        let steps = StepBounds::at(&bench.point, bench.sharpest()?.top[0], kernel);
        into.put(BOUNDS, &Bounds { steps, edge: own_edge(bench)? })
    })],
    scalars: |analysis, put| {
        let Some(bounds) = analysis.get(BOUNDS) else { return };
        put("hessian_max", Some(bounds.steps.beta.value));
        put("gradient_curvature", bounds.steps.gradient_curvature);
        if let Some(edge) = bounds.edge {
            put("sharpness", Some(edge.sharpness.value));
            put("edge", Some(edge.edge));
            put("sharpness_over_edge", Some(edge.ratio));
        }
    },
    tracking: None,
};

/// The sharpness that the run's own method sees, against its edge.
fn own_edge(bench: &Bench) -> Result<Option<EdgeRecord>, AnalysisError> {
    let Some(training) = &bench.subject.training else { return Ok(None) };
    let rate = training.learning_rate;
    let Some(edge) = edge(&training.optimizer, rate, bench.point.gradient_norm()) else { return Ok(None) };
    let sharpness = match (edge.of, &training.preconditioner) {
        (Curvature::Hessian, _) => bench.sharpest()?.top[0],
        (Curvature::Preconditioned, None) => return Ok(None),
        (Curvature::Preconditioned, Some(preconditioner)) => {
            let Some(diagonal) = parameters::ravel(preconditioner) else { return Ok(None) };
            bench.begin("preconditioned sharpness", 30);
            let operator = preconditioned(bench.point.hessian(), diagonal, training.optimizer.weight_decay);
            let solver = Eigensolver { max_products: 500, ..Eigensolver::top(1) };
            solver.solve(&bench.counted(&operator), None, &mut bench.random(Draw::Preconditioned))?.top[0]
        }
    };
    Ok(Some(EdgeRecord {
        learning_rate: rate,
        of: edge.of,
        sharpness,
        edge: edge.value,
        ratio: sharpness.value / edge.value,
        full_batch: training.full_batch,
    }))
}
