//! A network on its data while it is measured, with what several measures need made once.

use std::cell::OnceCell;

use burn::tensor::{DType, Tensor};
use losscape_analysis::ntk::{self, KernelSpectrum};
use losscape_analysis::spectrum::{Spectrum, SpectrumSettings};
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::{Counted, Eigenpairs, Eigensolver, Eigenvalue, SymmetricOperator};
use losscape_model::Model;
use losscape_model::random::{Purpose, stream};
use losscape_tangent::parameters::{self, Segment};
use rand::rngs::ChaCha12Rng;

use super::draw::Draw;
use super::needs::{KernelPart, Needs};
use super::settings::{AnalysisSettings, SMALL_KERNEL};
use crate::subject::Subject;

/// What is being measured, for progress bars.
#[derive(Debug, Clone, Copy)]
pub enum Progress<'a> {
    /// A measurement begins, of so many parts if that is known.
    Begin(&'a str, usize),
    /// So many of them are done.
    Done(usize),
}

/// The network of a subject on its data, with a way to say how far the work is.
pub struct Bench<'a> {
    /// The network with its data and loss.
    pub subject: &'a Subject,
    /// Its loss at its parameters.
    pub point: Point<'a, Model>,
    /// How to measure.
    pub settings: &'a AnalysisSettings,
    needs: Needs,
    progress: &'a (dyn Fn(Progress) + Sync),
    sharpest: OnceCell<Eigenpairs>,
    kernel: OnceCell<Kernel>,
}

/// What was found of the tangent kernel.
#[derive(Debug)]
pub(super) enum Kernel {
    /// The largest eigenvalue, matrix-free.
    Largest(Eigenvalue),
    /// All eigenvalues; and how far the kernel moved since initialization, where that is known and asked for.
    Whole(KernelSpectrum, Option<f64>),
}

impl Kernel {
    /// λ_max, which is known either way.
    pub fn max(&self) -> f64 {
        match self {
            Self::Largest(eigenvalue) => eigenvalue.value,
            Self::Whole(spectrum, _) => spectrum.max,
        }
    }

    /// The whole spectrum, where it was found.
    pub fn spectrum(&self) -> Option<&KernelSpectrum> {
        match self {
            Self::Largest(_) => None,
            Self::Whole(spectrum, _) => Some(spectrum),
        }
    }
}

/// The name of a parameter: of a network from PyTorch the one that it has there.
pub(super) fn name_of(segment: &Segment) -> String {
    segment.path.strip_prefix("Exported.").unwrap_or(&segment.path).to_owned()
}

/// The loss of a network on a subject's data.
pub(super) fn objective(
    network: &Model,
    subject: &Subject,
    settings: &AnalysisSettings,
) -> Result<Objective<Model>, AnalysisError> {
    let objective = Objective::on(network.clone(), &subject.data, subject.loss)?;
    let objective = objective.precision(settings.precision.into()).in_mode(subject.mode);
    Ok(match settings.memory {
        Some(bytes) => objective.within(bytes),
        None => objective,
    })
}

impl<'a> Bench<'a> {
    /// A bench, if everything asked for fits into the memory allowed.
    pub(super) fn new(
        subject: &'a Subject,
        objective: &'a Objective<Model>,
        settings: &'a AnalysisSettings,
        needs: Needs,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, AnalysisError> {
        let rows = kernel_rows(objective);
        let most = if settings.kernel_size.is_none_or(|limit| rows <= limit) {
            KernelPart::Whole
        } else {
            KernelPart::Largest
        };
        // The change takes a second kernel beside the first, and their difference.
        let change = needs.change && rows <= SMALL_KERNEL && subject.training.is_some();
        let needs = Needs { kernel: needs.kernel.min(most), change, ..needs };
        settings.chains.check()?;
        check_memory(objective, settings, needs)?;
        let (sharpest, kernel) = (OnceCell::new(), OnceCell::new());
        Ok(Self { subject, point: objective.here()?, settings, needs, progress, sharpest, kernel })
    }

    /// The loss as a function of the parameters.
    #[must_use]
    pub fn objective(&self) -> &Objective<Model> {
        self.point.objective()
    }

    /// Says that a measurement begins, of so many parts if that is known.
    pub fn begin(&self, what: &str, parts: usize) {
        (self.progress)(Progress::Begin(what, parts));
    }

    /// Says that so many parts are done.
    pub fn done(&self, parts: usize) {
        (self.progress)(Progress::Done(parts));
    }

    /// An operator whose products move the progress bar.
    pub fn counted<A: SymmetricOperator>(&self, operator: A) -> Counted<'_, A> {
        let progress = self.progress;
        Counted::each(operator, move |products| progress(Progress::Done(products)))
    }

    /// The random numbers of a quantity.
    #[must_use]
    pub fn random(&self, draw: Draw) -> ChaCha12Rng {
        self.random_at(draw, 0)
    }

    /// The random numbers of the part `at` of a quantity.
    fn random_at(&self, draw: Draw, at: usize) -> ChaCha12Rng {
        stream(self.settings.seed, Purpose::Probes, draw as u64 + at as u64)
    }

    /// The parameters that training started from, in the type measured in, where they are known.
    #[must_use]
    pub fn initial(&self) -> Option<Tensor<1>> {
        let initial = self.subject.training.as_ref().and_then(|training| parameters::ravel(&training.initial));
        initial.map(|initial| initial.cast(DType::from(self.settings.precision)))
    }

    /// The spectrum of an operator, the part `at` of a quantity.
    pub(super) fn spectrum(
        &self,
        name: &str,
        operator: &impl SymmetricOperator,
        settings: &SpectrumSettings,
        (draw, at): (Draw, usize),
    ) -> Result<Spectrum, AnalysisError> {
        let settings = settings.clone().for_products_of(self.point.entries());
        let dim = operator.dim();
        self.begin(name, if dim <= settings.dense { dim } else { settings.products() });
        Ok(Spectrum::measure(&self.counted(operator), &settings, &mut self.random_at(draw, at))?)
    }

    /// The largest eigenpairs of the Hessian: β and the directions to look along.
    ///
    /// # Errors
    ///
    /// When the iteration cannot go on.
    pub fn sharpest(&self) -> Result<&Eigenpairs, AnalysisError> {
        if let Some(known) = self.sharpest.get() {
            return Ok(known);
        }
        let count = 2.min(self.point.space().dim);
        self.begin("sharpness β", 20);
        let solver = Eigensolver { max_products: 1000, ..Eigensolver::top(count) }.with_tolerance(1e-9);
        let hessian = self.point.hessian();
        let pairs = solver.solve(&self.counted(&hessian), None, &mut self.random(Draw::Sharpest))?;
        Ok(self.sharpest.get_or_init(|| pairs))
    }

    /// What of the tangent kernel all that is measured together needs: all of it where that is asked for and it is not
    /// too large. `None` where nothing needs it.
    ///
    /// # Errors
    ///
    /// When the iteration cannot go on.
    pub(super) fn kernel(&self) -> Result<Option<&Kernel>, AnalysisError> {
        if let Some(known) = self.kernel.get() {
            return Ok(Some(known));
        }
        let found = match self.needs.kernel {
            KernelPart::None => return Ok(None),
            KernelPart::Largest => {
                self.begin("tangent kernel", 30);
                let operator = self.point.kernel();
                let found =
                    Eigensolver::top(1).solve(&self.counted(&operator), None, &mut self.random(Draw::Kernel))?;
                Kernel::Largest(found.top[0])
            }
            KernelPart::Whole => {
                self.begin("tangent kernel: forming it", 0);
                let matrix = self.objective().kernel(self.point.parameters())?;
                let change = match self.subject.training.as_ref().filter(|_| self.needs.change) {
                    Some(training) => {
                        // With the statistics that it had.
                        let initial = objective(&training.initial, self.subject, self.settings)?;
                        Some(ntk::change(&matrix, &initial.kernel(&initial.parameters())?))
                    }
                    None => None,
                };
                self.begin("tangent kernel: eigenvalues", 0);
                Kernel::Whole(KernelSpectrum::of(matrix, self.objective().targets())?, change)
            }
        };
        Ok(Some(self.kernel.get_or_init(|| found)))
    }
}

impl std::fmt::Debug for Bench<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { point, settings, needs, .. } = self;
        f.debug_struct("Bench")
            .field("point", point)
            .field("settings", settings)
            .field("needs", needs)
            .finish_non_exhaustive()
    }
}

/// As many eigenvalues as there are, unless a number was asked for: then that one, possible or not.
pub(super) fn spectrum_settings(settings: &AnalysisSettings, dim: usize) -> SpectrumSettings {
    let top = settings.top.unwrap_or(10.min(dim));
    let bottom = settings.top.unwrap_or(5.min(dim));
    SpectrumSettings { top, bottom, ..SpectrumSettings::default() }
}

/// nC.
pub(super) fn kernel_rows(objective: &Objective<Model>) -> usize {
    objective.samples() * objective.outputs()
}

/// Whether everything asked for fits into the memory allowed, before anything is measured.
fn check_memory(objective: &Objective<Model>, settings: &AnalysisSettings, needs: Needs) -> Result<(), AnalysisError> {
    let Some(budget) = settings.memory else { return Ok(()) };
    let bytes = DType::from(settings.precision).size();
    let allowed = |what: &'static str, needed: usize| {
        if needed <= budget { Ok(()) } else { Err(AnalysisError::Memory { what, needed, budget }) }
    };
    let dim = objective.parameters().dims()[0];
    if needs.hessian {
        let spectrum = spectrum_settings(settings, dim);
        let solver = Eigensolver::both(spectrum.top, spectrum.bottom);
        allowed("a Krylov basis of the Hessian", solver.memory(dim, bytes))?;
    }
    let rows = kernel_rows(objective);
    match needs.kernel {
        KernelPart::None => Ok(()),
        KernelPart::Largest => allowed("a Krylov basis of the tangent kernel", Eigensolver::top(1).memory(rows, bytes)),
        KernelPart::Whole => allowed("the tangent kernel", ntk::memory(rows, bytes, needs.change)),
    }
}
