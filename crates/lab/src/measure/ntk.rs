//! The spectrum of the tangent kernel `K_c = c J Jᵀ`: ends, rank, condition, alignment with the targets, and how far
//! the kernel moved since initialization.

use losscape_analysis::AnalysisError;
use losscape_krylov::{Eigenvalue, SymmetricOperator};
use losscape_model::LossKind;
use serde::{Deserialize, Serialize};

use super::along::Along;
use super::bench::{Bench, Kernel, kernel_rows};
use super::kind::{Measure, Part, Tracking};
use super::needs::{KernelPart, Needs};
use crate::analysis::{Analysis, Section};

/// The kernel's spectrum, as far as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// Its dimension nC: samples times outputs.
    pub size: usize,
    /// λ_min; absent when only the largest eigenvalues were found.
    pub min: Option<Eigenvalue>,
    /// λ_max, in the scale of `K_c`, with its error.
    pub max: Eigenvalue,
    /// Eigenvalues above the floor; absent when only the largest were found.
    pub rank: Option<usize>,
    /// λ_max / λ_min, at full rank.
    pub condition: Option<f64>,
    /// Below this an eigenvalue is rounding.
    pub floor: f64,
    /// The trace; absent when only the largest eigenvalues were found.
    pub trace: Option<f64>,
    /// Kernel-target alignment `yᵀKy / (‖K‖_F ‖y‖²)`; absent when only the largest eigenvalues were found.
    pub alignment: Option<f64>,
    /// `‖K − K₀‖_F/‖K₀‖_F` since initialization, where that is known and the kernel has at most 5,000 rows.
    pub change: Option<f64>,
    /// In words, why the rest is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// `ntk`: the spectrum of the tangent kernel, as far as it was found.
pub const NTK: Section<KernelRecord> = Section::new("ntk");

/// All its eigenvalues, ascending, where all were found.
pub const EIGENVALUES: &str = "ntk_eigenvalues";

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "ntk",
    words: "full spectrum of the tangent kernel: ends, rank, condition, alignment, change since initialization",
    needs: |_| Needs { kernel: KernelPart::Whole, change: true, ..Needs::NOTHING },
    on_request: false,
    parts: &[Part {
        arrays: &[EIGENVALUES],
        // A largest eigenvalue alone does not take the place of the whole spectrum.
        replaces: |now, earlier| is_whole(now) || !is_whole(earlier),
        ..NTK.part(|bench, into| {
            let Some(kernel) = bench.kernel()? else { return Ok(()) };
            into.put(NTK, &record(bench, kernel))?;
            if let Some(spectrum) = kernel.spectrum() {
                into.put_array(EIGENVALUES, spectrum.eigenvalues.clone());
            }
            Ok(())
        })
    }],
    scalars,
    tracking: Some(Tracking { of_part: true, kernel: true, before: 0, run: track }),
};

fn is_whole(analysis: &Analysis) -> bool {
    analysis.get(NTK).is_some_and(|kernel| kernel.min.is_some())
}

fn scalars(analysis: &Analysis, put: &mut dyn FnMut(&str, Option<f64>)) {
    let Some(kernel) = analysis.get(NTK) else { return };
    put("ntk_max", Some(kernel.max.value));
    put("ntk_min", kernel.min.map(|min| min.value));
    put("ntk_floor", Some(kernel.floor));
    put("ntk_trace", kernel.trace);
    put("ntk_condition", kernel.condition);
    put("ntk_rank", kernel.rank.map(|rank| rank as f64));
    // With a kernel of full rank solutions of F = y nearby are a manifold, by the implicit function theorem.
    let full = kernel.rank.filter(|rank| *rank == kernel.size && analysis.loss.name == LossKind::SquaredError);
    put("solution_dimension", full.map(|rank| analysis.parameters as f64 - rank as f64));
    put("ntk_alignment", kernel.alignment);
    put("ntk_change", kernel.change);
}

/// The record of what was found.
fn record(bench: &Bench, kernel: &Kernel) -> KernelRecord {
    let size = kernel_rows(bench.objective());
    match kernel {
        Kernel::Largest(max) => KernelRecord {
            size,
            min: None,
            max: *max,
            rank: None,
            condition: None,
            floor: size as f64 * bench.point.kernel().space().epsilon() * max.value,
            trace: None,
            alignment: None,
            change: None,
            note: Some(format!("of {size} eigenvalues only the largest was found; --only ntk,pl finds all")),
        },
        Kernel::Whole(spectrum, change) => {
            let eigenvalue = |value| Eigenvalue { value, residual: 0.0, error_bound: spectrum.floor };
            KernelRecord {
                size: spectrum.size,
                min: Some(eigenvalue(spectrum.min)),
                max: eigenvalue(spectrum.max),
                rank: Some(spectrum.rank),
                condition: spectrum.condition,
                floor: spectrum.floor,
                trace: Some(spectrum.trace),
                alignment: spectrum.alignment,
                change: *change,
                note: None,
            }
        }
    }
}

/// Both ends, below what an eigenvalue is rounding, and how far the kernel moved.
fn track(along: &mut Along) -> Result<(), AnalysisError> {
    let (min, max, floor, change) = {
        let (kernel, change) = along.kernel()?;
        (kernel.min, kernel.max, kernel.floor, *change)
    };
    along.put("ntk_min", Some(min));
    along.put("ntk_max", Some(max));
    along.put("ntk_floor", Some(floor));
    along.put("ntk_change", change);
    Ok(())
}
