//! A network on its data while it is measured, with what several measures need made once.

use std::cell::OnceCell;

use burn::tensor::{DType, Tensor};
use losscape_analysis::ntk::{self as kernel, KernelSpectrum};
use losscape_analysis::spectrum::{Spectrum, SpectrumSettings};
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::{Counted, Eigenpairs, Eigensolver, Quadrature, SymmetricOperator};
use losscape_model::Model;
use losscape_model::random::{Purpose, stream};
use losscape_tangent::{TangentError, parameters};

use super::{ALL, Measure, Needs, ntk};
use crate::Subject;
use crate::config::Precision;

/// How to measure.
#[derive(Debug, Clone)]
pub struct AnalysisSettings {
    /// What to measure. Default: everything.
    pub only: Vec<&'static Measure>,
    /// The float type measured in. Default: f64.
    pub precision: Precision,
    /// Seed of probes and directions. Default: 0.
    pub seed: u64,
    /// Largest and smallest eigenvalues of each operator. Default: 10 and 5, or as many as there are.
    pub top: Option<usize>,
    /// Bytes that may be used. Default: no limit.
    pub memory: Option<usize>,
    /// Kernels up to this size are decomposed; of larger ones the largest eigenvalue is found. Default: 5,000, beyond
    /// which it takes minutes. Who names a measure that the kernel is measured for waits for it: see
    /// [`only`](Self::only).
    pub kernel_size: usize,
    /// The rise of the loss that defines basin width. Default: 0.1.
    pub rise: f64,
}

/// Kernels of at most so many rows are small: they take seconds, and there is room for two.
pub(super) const SMALL_KERNEL: usize = 5000;

impl Default for AnalysisSettings {
    fn default() -> Self {
        let only = ALL.to_vec();
        Self { only, precision: Precision::F64, seed: 0, top: None, memory: None, kernel_size: SMALL_KERNEL, rise: 0.1 }
    }
}

impl AnalysisSettings {
    /// These measures alone; a kernel of any size is decomposed for those that are about it.
    #[must_use]
    pub fn only(measures: Vec<&'static Measure>) -> Self {
        let default = Self::default();
        let names_kernel = [&ntk::MEASURE, &super::pl::MEASURE].iter().any(|measure| measures.contains(measure));
        Self { only: measures, kernel_size: if names_kernel { usize::MAX } else { default.kernel_size }, ..default }
    }
}

/// What is being measured, for progress bars.
pub enum Progress<'a> {
    /// A measurement begins, of so many parts if that is known.
    Begin(&'a str, usize),
    /// So many of them are done.
    Done(usize),
}

/// What of the tangent kernel is to be found, the less first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum KernelPart {
    /// Nothing.
    None,
    /// The largest eigenvalue, matrix-free.
    Largest,
    /// All eigenvalues.
    Whole,
}

/// The network of a subject on its data, with a way to say how far the work is.
pub struct Bench<'a> {
    /// What is measured.
    pub subject: &'a Subject,
    /// Its loss at its parameters.
    pub point: Point<'a, Model>,
    /// How to measure.
    pub settings: &'a AnalysisSettings,
    progress: &'a (dyn Fn(Progress) + Sync),
    /// Whether the kernel's change since initialization is measured with it.
    change: bool,
    sharpest: OnceCell<Eigenpairs>,
    kernel: OnceCell<(ntk::KernelRecord, Option<KernelSpectrum>)>,
}

/// The loss of a subject, on the data as training saw them: in the network's own type.
pub(super) fn objective(subject: &Subject, settings: &AnalysisSettings) -> Result<Objective<Model>, AnalysisError> {
    let w = parameters::ravel(&subject.network).ok_or(TangentError::NoVariables)?;
    let (device, own) = (w.device(), w.dtype());
    let (x, y) = (subject.data.input_tensor(&device, own), subject.data.target_tensor(&device, own));
    let objective = Objective::new(subject.network.clone(), x, y, subject.loss)?.precision(settings.precision.into());
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
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, AnalysisError> {
        let change = measures_change(subject, objective, settings);
        check_memory(objective, settings, change)?;
        let (sharpest, kernel) = (OnceCell::new(), OnceCell::new());
        Ok(Self { subject, point: objective.here()?, settings, progress, change, sharpest, kernel })
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

    /// The random numbers of a quantity; no two quantities have the same number.
    #[must_use]
    pub fn random(&self, quantity: u64) -> rand::rngs::ChaCha12Rng {
        stream(self.settings.seed, Purpose::Probes, quantity)
    }

    /// The parameters that training started from, in the type measured in, where they are known.
    #[must_use]
    pub fn initial(&self) -> Option<Tensor<1>> {
        let initial = self.subject.training.as_ref().and_then(|training| parameters::ravel(&training.initial));
        initial.map(|initial| initial.cast(DType::from(self.settings.precision)))
    }

    /// The spectrum of an operator.
    pub(super) fn spectrum(
        &self,
        name: &str,
        operator: &impl SymmetricOperator,
        settings: &SpectrumSettings,
        quantity: u64,
    ) -> Result<Spectrum, AnalysisError> {
        let asked = settings.top + settings.bottom;
        let dim = operator.dim();
        let density = settings.density.map_or(0, |Quadrature { probes, steps }| probes * steps);
        let parts = if dim <= settings.dense { dim } else { 4 * asked + settings.probes + settings.trace + density };
        self.begin(name, parts);
        Ok(Spectrum::measure(&self.counted(operator), settings, &mut self.random(quantity))?)
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
        let pairs = solver.solve(&self.counted(&hessian), None, &mut self.random(5))?;
        Ok(self.sharpest.get_or_init(|| pairs))
    }

    /// What of the tangent kernel all that is measured together needs: a record and, where all of it is asked for and
    /// it is not too large, the whole spectrum. `None` where nothing needs it.
    ///
    /// # Errors
    ///
    /// When the iteration cannot go on.
    pub fn kernel(&self) -> Result<Option<&(ntk::KernelRecord, Option<KernelSpectrum>)>, AnalysisError> {
        if let Some(known) = self.kernel.get() {
            return Ok(Some(known));
        }
        let found = match kernel_part(self.objective(), self.settings) {
            KernelPart::None => return Ok(None),
            KernelPart::Largest => (ntk::largest(self)?, None),
            KernelPart::Whole => {
                let (record, spectrum) = ntk::whole(self, self.change)?;
                (record, Some(spectrum))
            }
        };
        Ok(Some(self.kernel.get_or_init(|| found)))
    }
}

/// As many eigenvalues as there are, unless a number was asked for: then that one, possible or not.
pub(super) fn spectrum_settings(settings: &AnalysisSettings, dim: usize) -> SpectrumSettings {
    let top = settings.top.unwrap_or(10.min(dim));
    let bottom = settings.top.unwrap_or(5.min(dim));
    SpectrumSettings { top, bottom, ..SpectrumSettings::default() }
}

fn needs<'a>(objective: &Objective<Model>, settings: &'a AnalysisSettings) -> impl Iterator<Item = Needs> + 'a {
    let loss = objective.loss();
    settings.only.iter().map(move |measure| (measure.needs)(loss))
}

/// nC.
pub(super) fn kernel_rows(objective: &Objective<Model>) -> usize {
    objective.samples() * objective.outputs()
}

/// What of the kernel the measures need; of one that is too large to be decomposed, its largest eigenvalue.
fn kernel_part(objective: &Objective<Model>, settings: &AnalysisSettings) -> KernelPart {
    let most = if kernel_rows(objective) <= settings.kernel_size { KernelPart::Whole } else { KernelPart::Largest };
    needs(objective, settings).map(|needs| needs.kernel).max().unwrap_or(KernelPart::None).min(most)
}

/// Whether the kernel's change is measured: it needs a second kernel beside the first, and their difference.
fn measures_change(subject: &Subject, objective: &Objective<Model>, settings: &AnalysisSettings) -> bool {
    let small = kernel_rows(objective) <= SMALL_KERNEL;
    small && settings.only.contains(&&ntk::MEASURE) && subject.training.is_some()
}

/// Whether everything asked for fits into the memory allowed, before anything is measured.
fn check_memory(objective: &Objective<Model>, settings: &AnalysisSettings, change: bool) -> Result<(), AnalysisError> {
    let Some(budget) = settings.memory else { return Ok(()) };
    let bytes = DType::from(settings.precision).size();
    let allowed = |what: &'static str, needed: usize| {
        if needed <= budget { Ok(()) } else { Err(AnalysisError::Memory { what, needed, budget }) }
    };
    let dim = objective.parameters().dims()[0];
    if needs(objective, settings).any(|needs| needs.hessian) {
        let spectrum = spectrum_settings(settings, dim);
        let solver = Eigensolver::both(spectrum.top, spectrum.bottom);
        allowed("a Krylov basis of the Hessian", solver.memory(dim, bytes))?;
    }
    let rows = kernel_rows(objective);
    match kernel_part(objective, settings) {
        KernelPart::None => Ok(()),
        KernelPart::Largest => allowed("a Krylov basis of the tangent kernel", Eigensolver::top(1).memory(rows, bytes)),
        KernelPart::Whole => allowed("the tangent kernel", kernel::memory(rows, bytes, change)),
    }
}
