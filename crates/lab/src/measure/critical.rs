//! Sharpness along the method's own direction: exact, by a Hessian product, and from losses alone.
//!
//! The direction is the gradient over the method's preconditioner, where it has one: a step without its velocity.

use losscape_analysis::AnalysisError;
pub use losscape_analysis::critical::Critical;
use losscape_analysis::critical::{critical, directional};
use losscape_optim::edge::{Curvature, seen_by};
use losscape_tangent::parameters;
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::kind::{Measure, Tracking};
use super::needs::Needs;
use crate::analysis::Section;

/// Sharpness along a direction of descent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AlongStep {
    /// Whether the direction is the gradient over the method's preconditioner; otherwise it is the gradient.
    pub preconditioned: bool,
    /// `dᵀHd/(dᵀg)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub directional: Option<f64>,
    /// The rate from which on a step raises the loss, and `2` over it; absent where none, or every one, does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub critical: Option<Critical>,
}

/// `critical`: along the gradient, or the preconditioned one.
pub const CRITICAL: Section<AlongStep> = Section::new("critical");

/// The rate looked from where nothing better is known.
const NEAR: f64 = 0.1;

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "critical",
    words: "sharpness along the method's direction: by a Hessian product, and from five or six losses",
    needs: |_| Needs::HESSIAN,
    on_request: false,
    parts: &[CRITICAL.part(|bench, into| {
        let (point, training) = (&bench.point, bench.subject.training.as_ref());
        let preconditioner = training.and_then(|training| parameters::ravel(training.preconditioner.as_ref()?));
        let preconditioner = preconditioner.map(|diagonal| diagonal.cast(point.gradient().dtype()));
        let preconditioned = preconditioner.is_some();
        let direction = match preconditioner {
            Some(diagonal) => point.gradient().clone() / diagonal,
            None => point.gradient().clone(),
        };
        bench.begin("critical sharpness", 6);
        let near = training.map_or(NEAR, |training| training.learning_rate);
        let critical = critical(point, &direction, near)?;
        into.put(CRITICAL, &AlongStep { preconditioned, directional: directional(point, &direction), critical })
    })],
    scalars: |analysis, put| {
        let Some(found) = analysis.get(CRITICAL) else { return };
        put("directional_sharpness", found.directional);
        put("critical_sharpness", found.critical.map(|critical| critical.sharpness));
    },
    tracking: Some(Tracking { of_part: false, kernel: false, before: 0, run: track }),
};

/// The same along training; none before the first step of a method with a preconditioner.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    if along.step == 0 && seen_by(along.optimizer) == Curvature::Preconditioned {
        return Ok(());
    }
    let gradient = along.point.gradient().clone();
    let direction = match (along.preconditioner)() {
        Some(diagonal) => gradient / diagonal.cast(along.w.dtype()),
        None => gradient,
    };
    along.put("directional_sharpness", along.point.directional(&direction));
    let critical = along.point.critical(&direction, along.rate.unwrap_or(NEAR))?;
    along.put("critical_sharpness", critical.map(|critical| critical.sharpness));
    Ok(())
}
