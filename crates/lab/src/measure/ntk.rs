//! The spectrum of the tangent kernel `K_c = c J Jᵀ`: ends, rank, condition, alignment with the targets, and how far
//! the kernel moved since initialization.

use losscape_analysis::AnalysisError;
use losscape_analysis::ntk::{self as kernel, KernelSpectrum};
use losscape_krylov::{Eigensolver, Eigenvalue, SymmetricOperator};
use serde::{Deserialize, Serialize};

use super::bench::kernel_rows;
use super::{Bench, KernelPart, Measure, Needs, Part, Section};
use crate::Analysis;

/// The kernel's spectrum, as far as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// nC.
    pub size: usize,
    /// λ_min; absent when only the largest eigenvalues were found.
    pub min: Option<Eigenvalue>,
    /// λ_max.
    pub max: Eigenvalue,
    /// Eigenvalues above the floor; absent when only the largest were found.
    pub rank: Option<usize>,
    /// λ_max / λ_min, at full rank.
    pub condition: Option<f64>,
    /// Below this an eigenvalue is rounding.
    pub floor: f64,
    /// The trace; absent when only the largest eigenvalues were found.
    pub trace: Option<f64>,
    /// Kernel-target alignment.
    pub alignment: Option<f64>,
    /// `‖K − K₀‖_F/‖K₀‖_F` since initialization, where that is known and the kernel has at most 5,000 rows.
    pub change: Option<f64>,
    /// In words, why the rest is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
}

/// The kernel.
pub const NTK: Section<KernelRecord> = Section::new("ntk");

/// All its eigenvalues, ascending, where all were found.
pub const EIGENVALUES: &str = "ntk_eigenvalues";

/// See the [module](self).
pub const MEASURE: Measure = Measure {
    name: "ntk",
    words: "full spectrum of the tangent kernel: ends, rank, condition, alignment, change since initialization",
    needs: |_| Needs { hessian: false, kernel: KernelPart::Whole },
    parts: &[Part {
        arrays: &[EIGENVALUES],
        // A largest eigenvalue alone does not take the place of the whole spectrum.
        replaces: |now, earlier| is_whole(now) || !is_whole(earlier),
        ..NTK.part(|bench, into| {
            let Some((record, spectrum)) = bench.kernel()? else { return Ok(()) };
            into.put(NTK, record)?;
            if let Some(spectrum) = spectrum {
                into.put_array(EIGENVALUES, spectrum.eigenvalues.clone());
            }
            Ok(())
        })
    }],
    scalars,
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
    put("ntk_alignment", kernel.alignment);
    put("ntk_change", kernel.change);
}

/// The kernel's record with nothing but its largest eigenvalue, without writing the kernel down.
pub(super) fn largest(bench: &Bench) -> Result<KernelRecord, AnalysisError> {
    bench.begin("tangent kernel", 30);
    let (operator, size) = (bench.point.kernel(), kernel_rows(bench.objective()));
    let max = Eigensolver::top(1).solve(&bench.counted(&operator), None, &mut bench.random(7))?.top[0];
    Ok(KernelRecord {
        size,
        min: None,
        max,
        rank: None,
        condition: None,
        floor: size as f64 * operator.space().epsilon() * max.value,
        trace: None,
        alignment: None,
        change: None,
        note: Some(format!("of {size} eigenvalues only the largest was found; --only ntk,pl finds all")),
    })
}

/// The kernel's record, and its whole spectrum; with `change` how far it moved since initialization, where that is
/// known.
pub(super) fn whole(bench: &Bench, change: bool) -> Result<(KernelRecord, KernelSpectrum), AnalysisError> {
    bench.begin("tangent kernel: forming it", 0);
    let matrix = bench.objective().kernel(bench.point.parameters())?;
    let change = match bench.initial().filter(|_| change) {
        Some(initial) => Some(kernel::change(&matrix, &bench.objective().kernel(&initial.cast(matrix.dtype()))?)),
        None => None,
    };
    bench.begin("tangent kernel: eigenvalues", 0);
    let spectrum = KernelSpectrum::of(matrix, bench.objective().targets())?;
    let eigenvalue = |value| Eigenvalue { value, residual: 0.0, error_bound: spectrum.floor };
    let record = KernelRecord {
        size: spectrum.size,
        min: Some(eigenvalue(spectrum.min)),
        max: eigenvalue(spectrum.max),
        rank: Some(spectrum.rank),
        condition: spectrum.condition,
        floor: spectrum.floor,
        trace: Some(spectrum.trace),
        alignment: spectrum.alignment,
        change,
        note: None,
    };
    Ok((record, spectrum))
}
