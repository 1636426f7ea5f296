//! The measurements of a network, as records.
//!
//! An [`Analysis`] is one object with a section for each thing measured; in a run folder each section is a file of its own in `analysis/`, so that
//! a later measurement of one thing replaces that alone. Sections belong to the parameters they were measured at: when those change, the folder
//! is emptied first.
//!
//! Numbers follow the conventions of [`losscape_analysis`]: the kernel is `K_c = c J Jᵀ` in the loss's own scale.

use burn::tensor::{DType, Tensor};
use losscape_analysis::basin::{self, Width};
use losscape_analysis::kernel::{self, KernelSpectrum};
use losscape_analysis::norms::Norms;
use losscape_analysis::pl::PlStar;
pub use losscape_analysis::sharpness::Neighbourhood;
use losscape_analysis::sharpness::{Sharpness, SharpnessSettings};
use losscape_analysis::slice::{self, Line, Plane};
pub use losscape_analysis::spectrum::Spectrum;
use losscape_analysis::spectrum::SpectrumSettings;
use losscape_analysis::steps::StepBounds;
use losscape_analysis::{AnalysisError, Objective, Point};
pub use losscape_krylov::Estimate;
use losscape_krylov::{Counted, Eigenpairs, Eigensolver, Eigenvalue, Quadrature, Restricted, SymmetricOperator};
use losscape_model::random::{Purpose, stream};
use losscape_model::{LossKind, Model, Reduction};
use losscape_optim::edge::{Curvature, edge};
use losscape_tangent::{TangentError, parameters};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::config::Precision;
use crate::folder::{create, read_json, write_json, write_whole};
use crate::plan::hex;
use crate::records::SCHEMA;
use crate::track::preconditioned;
use crate::{LabError, RunFolder, Subject};

/// Something that can be measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// Spectra of Hessian, Gauss-Newton matrix and residual part.
    Hessian,
    /// The Hessian's diagonal block of every parameter.
    Blocks,
    /// The tangent kernel's spectrum.
    Ntk,
    /// PL* through the kernel.
    Pl,
    /// Step-size bounds, and the edge of the run's own method.
    Bounds,
    /// Sharpness.
    Sharpness,
    /// Basin width.
    Basin,
    /// Norms of the parameters.
    Norms,
    /// The loss along lines and on a plane.
    Slices,
}

impl Measure {
    /// Every measure by name, with one line on what it is.
    pub const ALL: &'static [(Self, &'static str, &'static str)] = &[
        (
            Self::Hessian,
            "hessian",
            "both ends, trace, norm and density of Hessian, Gauss-Newton matrix and residual part",
        ),
        (Self::Blocks, "blocks", "both ends of the Hessian's diagonal block of every parameter"),
        (
            Self::Ntk,
            "ntk",
            "full spectrum of the tangent kernel: ends, rank, condition, alignment, change since initialization",
        ),
        (
            Self::Pl,
            "pl",
            "PL*: gradient against the kernel's smallest eigenvalue, and the ball of the convergence theorem",
        ),
        (Self::Bounds, "bounds", "step-size bounds, and sharpness against the edge of the run's own method"),
        (Self::Sharpness, "sharpness", "worst-case, average and adaptive sharpness, Keskar's box, PAC-Bayes sigma"),
        (Self::Basin, "basin", "distance to a given rise of the loss along random, gradient and eigen directions"),
        (Self::Norms, "norms", "norms of the parameters: length, distance travelled, Fisher-Rao, spectral"),
        (Self::Slices, "slices", "the loss along lines and on a plane, filter-normalized"),
    ];
}

/// How to measure.
#[derive(Debug, Clone)]
pub struct AnalysisSettings {
    /// What to measure. Default: everything.
    pub only: Vec<Measure>,
    /// The float type measured in. Default: f64.
    pub precision: Precision,
    /// Seed of probes and directions. Default: 0.
    pub seed: u64,
    /// Largest and smallest eigenvalues of each operator. Default: 10 and 5, or as many as there are.
    pub top: Option<usize>,
    /// Bytes that may be used. Default: no limit.
    pub memory: Option<usize>,
    /// Kernels up to this size are decomposed without being asked for by name. Default: 5,000.
    pub kernel_size: usize,
    /// The rise of the loss that defines basin width. Default: 0.1.
    pub rise: f64,
}

impl Default for AnalysisSettings {
    fn default() -> Self {
        let only = Measure::ALL.iter().map(|(measure, ..)| *measure).collect();
        Self { only, precision: Precision::F64, seed: 0, top: None, memory: None, kernel_size: 5000, rise: 0.1 }
    }
}

/// Everything measured of a network; a section that was not measured is absent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Analysis {
    /// [`SCHEMA`].
    pub schema: u32,
    /// What was measured, in words.
    pub source: String,
    /// SHA-256 of the parameters measured at.
    pub parameters_digest: String,
    /// The float type measured in.
    pub precision: Precision,
    /// Seed of probes and directions.
    pub seed: u64,
    /// Samples n.
    pub samples: usize,
    /// Outputs C.
    pub outputs: usize,
    /// Parameters P.
    pub parameters: usize,
    /// The loss.
    pub loss: LossRecord,
    /// `‖∇L‖`.
    pub gradient_norm: f64,
    /// The spectrum of H.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hessian: Option<Spectrum>,
    /// The spectrum of G.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gauss_newton: Option<Spectrum>,
    /// The spectrum of R.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub residual: Option<Spectrum>,
    /// The spectrum of the empirical Fisher matrix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fisher: Option<Spectrum>,
    /// Both ends of the Hessian's diagonal blocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocks: Option<Vec<Block>>,
    /// The kernel's spectrum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ntk: Option<KernelRecord>,
    /// PL*.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pl_star: Option<PlStar>,
    /// Step sizes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// Sharpness.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sharpness: Option<Sharpness>,
    /// Basin widths.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub basin: Option<Basin>,
    /// Norms.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub norms: Option<Norms>,
    /// Slices.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slices: Option<Slices>,
}

/// The loss measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LossRecord {
    /// Which loss.
    pub name: LossKind,
    /// Mean or sum over samples.
    pub reduction: Reduction,
    /// The factor c.
    pub scale: f64,
    /// Its value.
    pub value: f64,
}

/// The ends of a diagonal block of the Hessian.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Block {
    /// The parameter's path in the module.
    pub name: String,
    /// Its entries.
    pub parameters: usize,
    /// λ_max of the block.
    pub top: Eigenvalue,
    /// λ_min of the block.
    pub bottom: Eigenvalue,
}

/// The kernel's spectrum, as far as it was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KernelRecord {
    /// nC.
    pub size: usize,
    /// λ_min; absent when only the largest eigenvalues were found.
    pub min: Option<f64>,
    /// λ_max.
    pub max: f64,
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
    /// `‖K − K₀‖_F/‖K₀‖_F` since initialization, where that is known.
    pub change: Option<f64>,
    /// In words, why the rest is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// All eigenvalues, ascending; in a run folder they stand in `ntk_eigenvalues.npy`.
    #[serde(skip)]
    pub eigenvalues: Vec<f64>,
}

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
    /// Learning rate.
    pub learning_rate: f64,
    /// Which sharpness.
    pub of: Curvature,
    /// That sharpness.
    pub sharpness: Eigenvalue,
    /// The sharpness above which the method's full-batch steps grow.
    pub edge: f64,
    /// sharpness / edge.
    pub ratio: f64,
    /// Whether the run's steps were full batches, of which the edge speaks.
    pub full_batch: bool,
}

/// Basin widths for a rise of the loss.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Basin {
    /// The rise Δ.
    pub rise: f64,
    /// Widths.
    pub widths: Vec<Width>,
}

/// The loss along lines and on a plane.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slices {
    /// Lines.
    pub lines: Vec<Line>,
    /// A plane.
    pub plane: Plane,
}

/// What is being measured, for progress bars.
pub enum Progress<'a> {
    /// A measurement begins, of so many parts if that is known.
    Begin(&'a str, usize),
    /// So many of them are done.
    Done(usize),
}

/// The network of a subject on its data, with a way to say how far the work is.
struct Bench<'a> {
    subject: &'a Subject,
    objective: Objective<Model>,
    settings: &'a AnalysisSettings,
    progress: &'a (dyn Fn(Progress) + Sync),
}

impl Analysis {
    /// Measures a subject.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite, more eigenvalues are asked for than there are, or something does not fit into the memory
    /// allowed.
    pub fn measure(
        subject: &Subject,
        settings: &AnalysisSettings,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, LabError> {
        Ok(rayon::scope(|_| Bench::new(subject, settings, progress)?.measure())?)
    }

    /// Reads the sections that stand in a run folder; none if nothing was measured.
    ///
    /// # Errors
    ///
    /// When a file is damaged.
    pub fn read(folder: &RunFolder) -> Result<Option<Self>, LabError> {
        let root = folder.analysis();
        if !root.join("point.json").exists() {
            return Ok(None);
        }
        let mut whole: serde_json::Map<String, serde_json::Value> = read_json(&root.join("point.json"))?;
        for section in SECTIONS {
            let path = root.join(format!("{section}.json"));
            if path.exists() {
                whole.insert((*section).to_owned(), read_json(&path)?);
            }
        }
        let mut analysis: Self = serde_json::from_value(whole.into())
            .map_err(|error| LabError::Damaged { path: root.clone(), problem: error.to_string() })?;
        let values = root.join(EIGENVALUES);
        if let Some(ntk) = &mut analysis.ntk
            && values.exists()
        {
            let damaged =
                |problem: std::io::Error| LabError::Damaged { path: values.clone(), problem: problem.to_string() };
            let bytes = std::fs::read(&values).map_err(LabError::io("read", &values))?;
            ntk.eigenvalues = npyz::NpyFile::new(&bytes[..]).and_then(npyz::NpyFile::into_vec).map_err(damaged)?;
        }
        Ok(Some(analysis))
    }

    /// Writes the sections that were measured into a run folder; others that belong to the same parameters stay.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), LabError> {
        let root = folder.analysis();
        let earlier = Self::read(folder).ok().flatten();
        if root.exists() && earlier.is_none_or(|earlier| earlier.parameters_digest != self.parameters_digest) {
            std::fs::remove_dir_all(&root).map_err(LabError::io("remove", &root))?;
        }
        create(&root)?;
        let mut whole = serde_json::to_value(self).expect("records have only string keys");
        for section in SECTIONS {
            if let Some(value) = whole.as_object_mut().and_then(|whole| whole.remove(*section)) {
                write_json(&root.join(format!("{section}.json")), &value)?;
            }
        }
        if let Some(ntk) = self.ntk.as_ref().filter(|ntk| !ntk.eigenvalues.is_empty()) {
            write_whole(&root.join(EIGENVALUES), &npy(&ntk.eigenvalues))?;
        }
        // Last: without it the sections are those of unknown parameters.
        write_json(&root.join("point.json"), &whole)
    }
}

/// Sections with a file of their own.
const SECTIONS: &[&str] = &[
    "hessian",
    "gauss_newton",
    "residual",
    "fisher",
    "blocks",
    "ntk",
    "pl_star",
    "bounds",
    "sharpness",
    "basin",
    "norms",
    "slices",
];

const EIGENVALUES: &str = "ntk_eigenvalues.npy";

/// Numbers as a NumPy array of one axis.
fn npy(values: &[f64]) -> Vec<u8> {
    use npyz::WriterBuilder;
    let mut bytes = Vec::new();
    let shape = [values.len() as u64];
    let writer = npyz::WriteOptions::new().default_dtype().shape(&shape).writer(&mut bytes).begin_nd();
    let written = writer.and_then(|mut writer| {
        writer.extend(values.iter().copied())?;
        writer.finish()
    });
    written.expect("writing to memory cannot fail");
    bytes
}

impl<'a> Bench<'a> {
    fn new(
        subject: &'a Subject,
        settings: &'a AnalysisSettings,
        progress: &'a (dyn Fn(Progress) + Sync),
    ) -> Result<Self, AnalysisError> {
        // The data as training saw them: in the network's own type.
        let w = parameters::ravel(&subject.network).ok_or(TangentError::NoVariables)?;
        let (device, own) = (w.device(), w.dtype());
        let (x, y) = (subject.data.input_tensor(&device, own), subject.data.target_tensor(&device, own));
        let mut objective = Objective::new(subject.network.clone(), x, y, subject.loss)?;
        objective = objective.precision(settings.precision.into())?;
        if let Some(bytes) = settings.memory {
            objective = objective.within(bytes);
        }
        Ok(Self { subject, objective, settings, progress })
    }

    fn asks(&self, measure: Measure) -> bool {
        self.settings.only.contains(&measure)
    }

    fn begin(&self, what: &str, parts: usize) {
        (self.progress)(Progress::Begin(what, parts));
    }

    /// An operator whose products move the progress bar.
    fn counted<A: SymmetricOperator>(&self, operator: A) -> Counted<'_, A> {
        Counted::each(operator, |products| (self.progress)(Progress::Done(products)))
    }

    fn random(&self, quantity: u64) -> rand::rngs::ChaCha12Rng {
        stream(self.settings.seed, Purpose::Probes, quantity)
    }

    fn measure(&self) -> Result<Analysis, AnalysisError> {
        let point = self.objective.here()?;
        let parameters = point.space().dim;
        let mut analysis = Analysis {
            schema: SCHEMA,
            source: self.subject.source.clone(),
            parameters_digest: digest(&self.objective.parameters()),
            precision: self.settings.precision,
            seed: self.settings.seed,
            samples: self.objective.samples(),
            outputs: self.objective.outputs(),
            parameters,
            loss: LossRecord {
                name: self.subject.loss.kind,
                reduction: self.subject.loss.reduction,
                scale: self.objective.scale(),
                value: point.loss(),
            },
            gradient_norm: point.gradient_norm(),
            hessian: None,
            gauss_newton: None,
            residual: None,
            fisher: None,
            blocks: None,
            ntk: None,
            pl_star: None,
            bounds: None,
            sharpness: None,
            basin: None,
            norms: None,
            slices: None,
        };
        if self.asks(Measure::Hessian) {
            let full = self.spectrum_settings(parameters, true);
            let ends = self.spectrum_settings(parameters, false);
            analysis.hessian = Some(self.spectrum("Hessian", &point.hessian(), &full, 1)?);
            analysis.gauss_newton = Some(self.spectrum("Gauss-Newton matrix", &point.gauss_newton(), &full, 2)?);
            analysis.residual = Some(self.spectrum("residual part", &point.residual(), &full, 3)?);
            analysis.fisher = Some(self.spectrum("empirical Fisher matrix", &point.fisher(), &ends, 4)?);
        }
        if self.asks(Measure::Blocks) {
            analysis.blocks = Some(self.blocks(&point)?);
        }
        let needs_kernel = [Measure::Ntk, Measure::Pl, Measure::Bounds].into_iter().any(|measure| self.asks(measure));
        let kernel = if needs_kernel { Some(self.kernel(&point)?) } else { None };
        let needs_pairs = [Measure::Pl, Measure::Bounds, Measure::Basin, Measure::Slices]
            .into_iter()
            .any(|measure| self.asks(measure));
        let pairs = if needs_pairs { Some(self.sharpest(&point)?) } else { None };
        let beta = pairs.as_ref().and_then(|pairs| pairs.top.first()).map(|pair| pair.value);
        if let (Some((_, Some(spectrum))), Some(beta), true) = (&kernel, beta, self.asks(Measure::Pl)) {
            analysis.pl_star = Some(PlStar::at(&point, spectrum, beta));
        }
        if let (Some((record, _)), Some(pairs), true) = (&kernel, &pairs, self.asks(Measure::Bounds)) {
            let steps = StepBounds::at(&point, pairs.top[0].value, Some(record.max));
            analysis.bounds = Some(Bounds { steps, edge: self.edge(&point, pairs)? });
        }
        if self.asks(Measure::Ntk) {
            analysis.ntk = kernel.map(|(record, _)| record);
        }
        if self.asks(Measure::Sharpness) {
            self.begin("sharpness", 0);
            analysis.sharpness = Some(Sharpness::at(&point, &SharpnessSettings::default(), &mut self.random(6))?);
        }
        if let (Some(pairs), true) = (&pairs, self.asks(Measure::Basin)) {
            analysis.basin = Some(self.basin(&point, pairs)?);
        }
        if self.asks(Measure::Norms) {
            self.begin("norms", 0);
            let initial = self.subject.training.as_ref().and_then(|training| parameters::ravel(&training.initial));
            let initial = initial.map(|initial| initial.cast(DType::from(self.settings.precision)));
            analysis.norms = Some(Norms::at(&point, initial.as_ref())?);
        }
        if let (Some(pairs), true) = (&pairs, self.asks(Measure::Slices)) {
            analysis.slices = Some(self.slices(&point, pairs)?);
        }
        Ok(analysis)
    }

    /// As many eigenvalues as there are, unless a number was asked for: then that one, possible or not.
    fn spectrum_settings(&self, dim: usize, full: bool) -> SpectrumSettings {
        let top = self.settings.top.unwrap_or(10.min(dim));
        let bottom = self.settings.top.unwrap_or(5.min(dim));
        let settings = SpectrumSettings { top, bottom, ..SpectrumSettings::default() };
        if full { settings } else { SpectrumSettings { bottom: 0, density: None, ..settings } }
    }

    fn spectrum(
        &self,
        name: &str,
        operator: &impl SymmetricOperator,
        settings: &SpectrumSettings,
        quantity: u64,
    ) -> Result<Spectrum, AnalysisError> {
        let asked = settings.top + settings.bottom;
        let dim = operator.dim();
        let solver = Eigensolver::both(settings.top, settings.bottom);
        if let Some(budget) = self.settings.memory
            && dim > settings.dense
        {
            let needed = (2 * solver.max_vectors * dim).saturating_mul(DType::from(self.settings.precision).size());
            if needed > budget {
                return Err(AnalysisError::Memory { what: "a Krylov basis", needed, budget });
            }
        }
        let density = settings.density.map_or(0, |Quadrature { probes, steps }| probes * steps);
        let parts = if dim <= settings.dense { dim } else { 4 * asked + settings.probes + settings.trace + density };
        self.begin(name, parts);
        Ok(Spectrum::measure(&self.counted(operator), settings, &mut self.random(quantity))?)
    }

    /// The largest eigenpairs of the Hessian: β and the directions to look along.
    fn sharpest(&self, point: &Point<'_, Model>) -> Result<Eigenpairs, AnalysisError> {
        let count = 2.min(point.space().dim);
        self.begin("sharpness β", 20);
        let solver = Eigensolver { max_products: 1000, ..Eigensolver::top(count) }.with_tolerance(1e-9);
        let hessian = point.hessian();
        Ok(solver.solve(&self.counted(&hessian), None, &mut self.random(5))?)
    }

    fn blocks(&self, point: &Point<'_, Model>) -> Result<Vec<Block>, AnalysisError> {
        let hessian = point.hessian();
        let segments = self.objective.segments().into_iter().enumerate();
        let blocks = segments.map(|(at, segment)| {
            let operator = Restricted { operator: &hessian, range: segment.range.clone() };
            let settings =
                SpectrumSettings { top: 1, bottom: 1, trace: 0, density: None, ..SpectrumSettings::default() };
            let name = format!("block {}", segment.path);
            let spectrum = self.spectrum(&name, &operator, &settings, 100 + at as u64)?;
            Ok(Block {
                name: segment.path,
                parameters: segment.range.len(),
                top: spectrum.top[0],
                bottom: spectrum.bottom[0],
            })
        });
        blocks.collect()
    }

    /// The kernel's record, and its whole spectrum where that was found.
    fn kernel(&self, point: &Point<'_, Model>) -> Result<(KernelRecord, Option<KernelSpectrum>), AnalysisError> {
        let size = self.objective.samples() * self.objective.outputs();
        let asked_for =
            self.settings.only.len() < Measure::ALL.len() && (self.asks(Measure::Ntk) || self.asks(Measure::Pl));
        if size > self.settings.kernel_size && !asked_for {
            self.begin("tangent kernel", 30);
            let operator = point.kernel();
            let solver = Eigensolver { probes: 0, ..Eigensolver::top(1) };
            let max = solver.solve(&self.counted(&operator), None, &mut self.random(7))?.top[0].value;
            let note = format!("of {size} eigenvalues only the largest was found; --only ntk,pl finds all");
            let floor = size as f64 * operator.space().epsilon() * max;
            let record = KernelRecord {
                size,
                min: None,
                max,
                rank: None,
                condition: None,
                floor,
                trace: None,
                alignment: None,
                change: None,
                note: Some(note),
                eigenvalues: Vec::new(),
            };
            return Ok((record, None));
        }
        let bytes = DType::from(self.settings.precision).size();
        if let Some(budget) = self.settings.memory {
            let needed = kernel::memory(size, bytes);
            if needed > budget {
                return Err(AnalysisError::Memory { what: "the tangent kernel", needed, budget });
            }
        }
        self.begin("tangent kernel: forming it", 0);
        let matrix = self.objective.kernel(point.parameters())?;
        // The change needs a second kernel beside the first.
        let initial = self.subject.training.as_ref().filter(|_| size <= self.settings.kernel_size);
        let change = match initial.and_then(|training| parameters::ravel(&training.initial)) {
            Some(initial) => {
                let initial = self.objective.kernel(&initial.cast(matrix.dtype()))?;
                Some(kernel::change(&matrix, &initial))
            }
            None => None,
        };
        self.begin("tangent kernel: eigenvalues", 0);
        let spectrum = KernelSpectrum::of(matrix, self.objective.targets())?;
        let record = KernelRecord {
            size,
            min: Some(spectrum.min),
            max: spectrum.max,
            rank: Some(spectrum.rank),
            condition: spectrum.condition,
            floor: spectrum.floor,
            trace: Some(spectrum.trace),
            alignment: spectrum.alignment,
            change,
            note: None,
            eigenvalues: spectrum.eigenvalues.clone(),
        };
        Ok((record, Some(spectrum)))
    }

    /// The sharpness that the run's own method sees, against its edge.
    fn edge(&self, point: &Point<'_, Model>, pairs: &Eigenpairs) -> Result<Option<EdgeRecord>, AnalysisError> {
        let Some(training) = &self.subject.training else { return Ok(None) };
        let rate = training.learning_rate;
        let Some(edge) = edge(&training.optimizer, rate, point.gradient_norm()) else { return Ok(None) };
        let sharpness = match (edge.of, &training.preconditioner) {
            (Curvature::Hessian, _) => pairs.top[0],
            (Curvature::Preconditioned, None) => return Ok(None),
            (Curvature::Preconditioned, Some(preconditioner)) => {
                let Some(diagonal) = parameters::ravel(preconditioner) else { return Ok(None) };
                self.begin("preconditioned sharpness", 30);
                let operator = preconditioned(point.hessian(), diagonal, training.optimizer.weight_decay);
                let solver = Eigensolver { max_products: 500, ..Eigensolver::top(1) };
                solver.solve(&self.counted(&operator), None, &mut self.random(8))?.top[0]
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

    fn basin(&self, point: &Point<'_, Model>, pairs: &Eigenpairs) -> Result<Basin, AnalysisError> {
        let mut random = self.random(9);
        let mut directions: Vec<(String, Tensor<1>)> =
            (1..=3).map(|at| (format!("random {at}"), point.space().normal(&mut random))).collect();
        if point.gradient_norm() > 0.0 {
            directions.push(("gradient".to_owned(), point.gradient().clone()));
        }
        for at in 0..pairs.top.len() {
            directions.push((format!("eigenvector {}", at + 1), pairs.vectors.clone().narrow(0, at, 1).squeeze_dim(0)));
        }
        self.begin("basin width", directions.len());
        let rise = self.settings.rise;
        let widths = directions.into_iter().enumerate().map(|(done, (name, direction))| {
            let width = basin::width(point, &direction, name, rise);
            (self.progress)(Progress::Done(done + 1));
            width
        });
        Ok(Basin { rise, widths: widths.collect::<Result<_, _>>()? })
    }

    fn slices(&self, point: &Point<'_, Model>, pairs: &Eigenpairs) -> Result<Slices, AnalysisError> {
        const LINE: usize = 41;
        const PLANE: usize = 21;
        let w = point.parameters();
        let segments = self.objective.segments();
        let mut random = self.random(10);
        let [a, b] = [(); 2].map(|()| slice::filter_normalized(w, &segments, &mut random));
        self.begin("slices", PLANE);
        let mut lines =
            vec![slice::line(&self.objective, w, ("random, filter-normalized", &a), slice::grid(1.0, LINE))?];
        // Along eigenvectors as far as the loss on a quadratic rises by ten times the basin's Δ.
        for (at, pair) in pairs.top.iter().enumerate().filter(|(_, pair)| pair.value > 0.0) {
            let reach = (20.0 * self.settings.rise / pair.value).sqrt();
            let direction: Tensor<1> = pairs.vectors.clone().narrow(0, at, 1).squeeze_dim(0);
            let name = format!("eigenvector {}", at + 1);
            lines.push(slice::line(&self.objective, w, (&name, &direction), slice::grid(reach, LINE))?);
        }
        if let Some(initial) = self.subject.training.as_ref().and_then(|training| parameters::ravel(&training.initial))
        {
            let back = initial.cast(w.dtype()) - w.clone();
            let steps = (0..LINE).map(|at| -0.25 + 1.5 * at as f64 / (LINE - 1) as f64).collect();
            lines.push(slice::line(&self.objective, w, ("to initialization (at 1)", &back), steps)?);
        }
        let axes = [("first random direction", &a), ("second random direction", &b)];
        let each = |rows| (self.progress)(Progress::Done(rows));
        let grid = || slice::grid(1.0, PLANE);
        Ok(Slices { lines, plane: slice::plane(&self.objective, w, axes, grid(), grid(), each)? })
    }
}

/// SHA-256 of the parameters, in hex.
fn digest(w: &Tensor<1>) -> String {
    let mut hash = Sha256::new();
    for value in w.clone().into_data().iter::<f64>() {
        hash.update(value.to_le_bytes());
    }
    hex(&hash.finalize())
}

/// The JSON object of an analysis, indented.
///
/// # Panics
///
/// Never: records have only string keys.
#[must_use]
pub fn json(analysis: &Analysis) -> String {
    serde_json::to_string_pretty(analysis).expect("records have only string keys")
}
