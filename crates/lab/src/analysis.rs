//! The measurements of a network, as records.
//!
//! An [`Analysis`] is one object with a section for each thing measured; in a run folder each section is a file of its own in
//! `analysis/`, so that a later measurement of one thing replaces that alone. Sections belong to the parameters they were
//! measured at, and to the data and the network: when one of them changes, the folder is emptied first. A section is written as soon as it is measured, and
//! `unfinished.json` says what was asked for, so that the next start of the same measurement does the rest.
//!
//! Numbers follow the conventions of [`losscape_analysis`]: the kernel is `K_c = c J Jᵀ` in the loss's own scale.

use std::collections::BTreeMap;

use burn::tensor::{DType, Tensor};
use losscape_analysis::basin::{self, Width};
use losscape_analysis::kernel::{self, KernelSpectrum};
use losscape_analysis::norms::Norms;
use losscape_analysis::pl::{PlStar, applicable};
pub use losscape_analysis::sharpness::Neighbourhood;
use losscape_analysis::sharpness::{Sharpness, SharpnessSettings};
use losscape_analysis::slice::{self, Line, Plane};
pub use losscape_analysis::spectrum::Spectrum;
use losscape_analysis::spectrum::SpectrumSettings;
use losscape_analysis::steps::StepBounds;
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::{Counted, Eigenpairs, Eigensolver, Eigenvalue, Quadrature, Restricted, SymmetricOperator};
pub use losscape_krylov::{Ended, Estimate};
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
    /// Kernels up to this size are decomposed; of larger ones the largest eigenvalue is found. Default: 5,000, beyond which it takes minutes.
    pub kernel_size: usize,
    /// The rise of the loss that defines basin width. Default: 0.1.
    pub rise: f64,
}

/// Kernels of at most so many rows are small: they take seconds, and there is room for two.
const SMALL_KERNEL: usize = 5000;

impl Default for AnalysisSettings {
    fn default() -> Self {
        let only = Measure::ALL.iter().map(|(measure, ..)| *measure).collect();
        Self { only, precision: Precision::F64, seed: 0, top: None, memory: None, kernel_size: SMALL_KERNEL, rise: 0.1 }
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
    /// SHA-256 of parameters, network, loss and data: sections of one analysis are of one such.
    #[serde(default)]
    pub subject_digest: String,
    /// How the network and its data were made, in words, by topic: what was done to the inputs, the split, the initialization.
    #[serde(default)]
    pub setup: BTreeMap<String, String>,
    /// How each section was measured.
    pub measured: BTreeMap<String, How>,
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

/// How something was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct How {
    /// Float type.
    pub precision: Precision,
    /// Seed of probes and directions.
    pub seed: u64,
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

/// What of the tangent kernel is to be found.
#[derive(Clone, Copy)]
enum KernelPart {
    /// Nothing.
    None,
    /// The largest eigenvalue, matrix-free.
    Largest,
    /// All eigenvalues, and with `change` how far it moved since initialization.
    Whole { change: bool },
}

/// The network of a subject on its data, with a way to say how far the work is.
struct Bench<'a> {
    subject: &'a Subject,
    objective: Objective<Model>,
    settings: &'a AnalysisSettings,
    progress: &'a (dyn Fn(Progress) + Sync),
}

/// `unfinished.json`: a measurement that was begun.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Unfinished {
    /// SHA-256 of what is measured.
    subject_digest: String,
    /// What was asked for, with every setting.
    asked: String,
    /// Sections that are done.
    done: Vec<String>,
}

/// Where sections go as they are measured.
struct Keeper<'a> {
    folder: &'a RunFolder,
    asked: String,
    /// Why nothing can be kept any more.
    failed: Option<LabError>,
}

impl Keeper<'_> {
    fn path(&self) -> std::path::PathBuf {
        self.folder.analysis().join("unfinished.json")
    }

    /// What an earlier start of the same measurement has measured already.
    fn known(&self, subject_digest: &str) -> Option<Analysis> {
        let begun: Unfinished = read_json(&self.path()).ok()?;
        if begun.subject_digest != subject_digest || begun.asked != self.asked {
            // It must not vouch for sections that are written now.
            let _ = std::fs::remove_file(self.path());
            return None;
        }
        let known = Analysis::read(self.folder).ok().flatten()?;
        let mut whole = serde_json::to_value(&known).ok()?;
        let sections = SECTIONS.iter().filter(|section| !begun.done.iter().any(|done| done == *section));
        sections.for_each(|section| drop(whole.as_object_mut().map(|whole| whole.remove(*section))));
        let eigenvalues = known.ntk.map(|ntk| ntk.eigenvalues);
        let mut known: Analysis = serde_json::from_value(whole).ok()?;
        if let (Some(ntk), Some(eigenvalues)) = (&mut known.ntk, eigenvalues) {
            ntk.eigenvalues = eigenvalues;
        }
        Some(known)
    }

    /// Writes what is measured so far.
    fn keep(&mut self, analysis: &Analysis) {
        if self.failed.is_some() {
            return;
        }
        let begun = Unfinished {
            subject_digest: analysis.subject_digest.clone(),
            asked: self.asked.clone(),
            done: analysis.sections(),
        };
        self.failed = analysis.write(self.folder).and_then(|()| write_json(&self.path(), &begun)).err();
    }

    /// Everything asked for is measured.
    fn end(&mut self) {
        if self.failed.is_none() {
            self.failed = std::fs::remove_file(self.path()).map_err(LabError::io("remove", self.path())).err();
        }
    }
}

impl Analysis {
    /// Measures a subject.
    ///
    /// # Errors
    ///
    /// When loss or gradient are not finite, more eigenvalues are asked for than there are, or something does not fit into the memory
    /// allowed: that is known before anything is measured.
    pub fn measure(
        subject: &Subject,
        settings: &AnalysisSettings,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<Self, LabError> {
        Ok(rayon::scope(|_| Bench::new(subject, settings, progress)?.measure(None, &mut |_| {}))?)
    }

    /// Measures a subject and writes each section into a folder when it is done. Sections that an earlier start of the same
    /// measurement finished are taken from there. Where the folder cannot be written, the second value says why, and
    /// nothing measured is lost.
    ///
    /// # Errors
    ///
    /// As [`measure`](Self::measure).
    pub fn measure_in(
        folder: &RunFolder,
        subject: &Subject,
        settings: &AnalysisSettings,
        progress: &(dyn Fn(Progress) + Sync),
    ) -> Result<(Self, Option<LabError>), LabError> {
        let asked = format!("{settings:?}");
        let keeper = std::sync::Mutex::new(Keeper { folder, asked, failed: None });
        let held = || keeper.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let known = held().known(&subject.digest());
        let measured = rayon::scope(|_| {
            Bench::new(subject, settings, progress)?.measure(known, &mut |analysis| held().keep(analysis))
        })?;
        let mut keeper = held();
        keeper.end();
        Ok((measured, keeper.failed.take()))
    }

    /// The sections that were measured.
    fn sections(&self) -> Vec<String> {
        let whole = serde_json::to_value(self).expect("records have only string keys");
        let there = SECTIONS.iter().filter(|section| whole.get(**section).is_some());
        there.map(|section| (*section).to_owned()).collect()
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

    /// Writes the sections that were measured into a run folder. Others that belong to the same parameters stay, and so does a kernel's whole
    /// spectrum where now only its largest eigenvalue was found.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written.
    pub fn write(&self, folder: &RunFolder) -> Result<(), LabError> {
        let root = folder.analysis();
        let earlier = Self::read(folder).ok().flatten();
        let earlier = earlier.filter(|earlier| earlier.subject_digest == self.subject_digest);
        if root.exists() && earlier.is_none() {
            std::fs::remove_dir_all(&root).map_err(LabError::io("remove", &root))?;
        }
        create(&root)?;
        let mut whole = self.clone();
        if let Some(earlier) = earlier {
            let complete = |ntk: &Option<KernelRecord>| ntk.as_ref().is_some_and(|ntk| ntk.min.is_some());
            if complete(&earlier.ntk) && !complete(&self.ntk) {
                whole.ntk = None;
                whole.measured.remove("ntk");
            }
            for (section, how) in earlier.measured {
                whole.measured.entry(section).or_insert(how);
            }
        }
        if let Some(ntk) = whole.ntk.as_ref().filter(|ntk| !ntk.eigenvalues.is_empty()) {
            write_whole(&root.join(EIGENVALUES), &npy(&ntk.eigenvalues))?;
        }
        let mut whole = serde_json::to_value(whole).expect("records have only string keys");
        for section in SECTIONS {
            if let Some(value) = whole.as_object_mut().and_then(|whole| whole.remove(*section)) {
                write_json(&root.join(format!("{section}.json")), &value)?;
            }
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
        objective = objective.precision(settings.precision.into());
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

    /// Measures what `known` has not, and hands the analysis to `keep` after each section.
    fn measure(
        &self,
        known: Option<Analysis>,
        keep: &mut (dyn FnMut(&Analysis) + Send),
    ) -> Result<Analysis, AnalysisError> {
        self.check_memory()?;
        let point = self.objective.here()?;
        let mut analysis = known.unwrap_or_else(|| self.empty(&point));
        let how = How { precision: self.settings.precision, seed: self.settings.seed };
        let mut done = |analysis: &mut Analysis| {
            analysis.measured = analysis.sections().into_iter().map(|section| (section, how)).collect();
            keep(analysis);
        };
        if self.asks(Measure::Hessian) {
            let full = self.spectrum_settings(point.space().dim, true);
            let ends = self.spectrum_settings(point.space().dim, false);
            if analysis.hessian.is_none() {
                analysis.hessian = Some(self.spectrum("Hessian", &point.hessian(), &full, 1)?);
                done(&mut analysis);
            }
            if analysis.gauss_newton.is_none() {
                analysis.gauss_newton = Some(self.spectrum("Gauss-Newton matrix", &point.gauss_newton(), &full, 2)?);
                done(&mut analysis);
            }
            if analysis.residual.is_none() {
                analysis.residual = Some(self.spectrum("residual part", &point.residual(), &full, 3)?);
                done(&mut analysis);
            }
            if analysis.fisher.is_none() {
                analysis.fisher = Some(self.spectrum("empirical Fisher matrix", &point.fisher(), &ends, 4)?);
                done(&mut analysis);
            }
        }
        if self.asks(Measure::Blocks) && analysis.blocks.is_none() {
            analysis.blocks = Some(self.blocks(&point)?);
            done(&mut analysis);
        }
        let kernel_is_known = [
            (Measure::Ntk, analysis.ntk.is_some()),
            (Measure::Pl, analysis.pl_star.is_some()),
            (Measure::Bounds, analysis.bounds.is_some()),
        ];
        let kernel = match self.kernel_part() {
            _ if kernel_is_known.into_iter().all(|(measure, known)| known || !self.asks(measure)) => None,
            KernelPart::None => None,
            KernelPart::Largest => Some((self.largest_of_kernel(&point)?, None)),
            KernelPart::Whole { change } => {
                let (record, spectrum) = self.kernel(&point, change)?;
                Some((record, Some(spectrum)))
            }
        };
        if let (Some((record, _)), true) = (&kernel, self.asks(Measure::Ntk)) {
            analysis.ntk = Some(record.clone());
            done(&mut analysis);
        }
        let needs_pairs = [
            (Measure::Pl, analysis.pl_star.is_none()),
            (Measure::Bounds, analysis.bounds.is_none()),
            (Measure::Basin, analysis.basin.is_none()),
            (Measure::Slices, analysis.slices.is_none()),
        ];
        let needs_pairs = needs_pairs.into_iter().any(|(measure, missing)| missing && self.asks(measure));
        let pairs = if needs_pairs { Some(self.sharpest(&point)?) } else { None };
        let beta = pairs.as_ref().and_then(|pairs| pairs.top.first()).copied();
        if let (Some(beta), true, None) = (beta, self.asks(Measure::Pl), &analysis.pl_star) {
            let spectrum = kernel.as_ref().and_then(|(_, spectrum)| spectrum.as_ref());
            analysis.pl_star = Some(PlStar::at(&point, spectrum, beta));
            done(&mut analysis);
        }
        if let (Some(pairs), Some(beta), true, None) = (&pairs, beta, self.asks(Measure::Bounds), &analysis.bounds) {
            let steps = StepBounds::at(&point, beta, kernel.as_ref().map(|(record, _)| record.max.value));
            analysis.bounds = Some(Bounds { steps, edge: self.edge(&point, pairs)? });
            done(&mut analysis);
        }
        if self.asks(Measure::Sharpness) && analysis.sharpness.is_none() {
            self.begin("sharpness", 0);
            analysis.sharpness = Some(Sharpness::at(&point, &SharpnessSettings::default(), &mut self.random(6))?);
            done(&mut analysis);
        }
        if let (Some(pairs), true, None) = (&pairs, self.asks(Measure::Basin), &analysis.basin) {
            analysis.basin = Some(self.basin(&point, pairs)?);
            done(&mut analysis);
        }
        if self.asks(Measure::Norms) && analysis.norms.is_none() {
            self.begin("norms", 0);
            let initial = self.subject.training.as_ref().and_then(|training| parameters::ravel(&training.initial));
            let initial = initial.map(|initial| initial.cast(DType::from(self.settings.precision)));
            analysis.norms = Some(Norms::at(&point, initial.as_ref())?);
            done(&mut analysis);
        }
        if let (Some(pairs), true, None) = (&pairs, self.asks(Measure::Slices), &analysis.slices) {
            analysis.slices = Some(self.slices(&point, pairs)?);
            done(&mut analysis);
        }
        Ok(analysis)
    }

    /// The record of a point of which nothing is measured yet but loss and gradient.
    fn empty(&self, point: &Point<'_, Model>) -> Analysis {
        Analysis {
            schema: SCHEMA,
            source: self.subject.source.clone(),
            parameters_digest: digest(&self.subject.network),
            subject_digest: self.subject.digest(),
            setup: self.subject.setup.clone(),
            measured: BTreeMap::new(),
            samples: self.objective.samples(),
            outputs: self.objective.outputs(),
            parameters: point.space().dim,
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
        }
    }

    /// What of the kernel the measures need: for cross-entropy neither PL* nor a step size comes from it.
    fn kernel_part(&self) -> KernelPart {
        let linear = applicable(self.subject.loss);
        let whole = self.asks(Measure::Ntk) || self.asks(Measure::Pl) && linear;
        if whole && self.kernel_size() <= self.settings.kernel_size {
            // The change needs a second kernel beside the first, and their difference.
            let small = self.kernel_size() <= SMALL_KERNEL;
            KernelPart::Whole { change: small && self.asks(Measure::Ntk) && self.subject.training.is_some() }
        } else if whole || self.asks(Measure::Bounds) && linear {
            KernelPart::Largest
        } else {
            KernelPart::None
        }
    }

    /// nC.
    fn kernel_size(&self) -> usize {
        self.objective.samples() * self.objective.outputs()
    }

    /// Whether everything asked for fits into the memory allowed, before anything is measured.
    fn check_memory(&self) -> Result<(), AnalysisError> {
        let Some(budget) = self.settings.memory else { return Ok(()) };
        let bytes = DType::from(self.settings.precision).size();
        let allowed = |what: &'static str, needed: usize| {
            if needed <= budget { Ok(()) } else { Err(AnalysisError::Memory { what, needed, budget }) }
        };
        let dim = self.objective.parameters().dims()[0];
        let settings = self.spectrum_settings(dim, true);
        let searches =
            [Measure::Hessian, Measure::Blocks, Measure::Pl, Measure::Bounds, Measure::Basin, Measure::Slices];
        if searches.into_iter().any(|measure| self.asks(measure)) {
            let solver = Eigensolver::both(settings.top, settings.bottom);
            allowed("a Krylov basis of the Hessian", solver.memory(dim, bytes))?;
        }
        match self.kernel_part() {
            KernelPart::None => Ok(()),
            KernelPart::Largest => {
                let needed = Eigensolver::top(1).memory(self.kernel_size(), bytes);
                allowed("a Krylov basis of the tangent kernel", needed)
            }
            KernelPart::Whole { change } => {
                allowed("the tangent kernel", kernel::memory(self.kernel_size(), bytes, change))
            }
        }
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

    /// The kernel's record with nothing but its largest eigenvalue, without writing the kernel down.
    fn largest_of_kernel(&self, point: &Point<'_, Model>) -> Result<KernelRecord, AnalysisError> {
        self.begin("tangent kernel", 30);
        let (operator, size) = (point.kernel(), self.kernel_size());
        let max = Eigensolver::top(1).solve(&self.counted(&operator), None, &mut self.random(7))?.top[0];
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
            eigenvalues: Vec::new(),
        })
    }

    /// The kernel's record, and its whole spectrum.
    fn kernel(&self, point: &Point<'_, Model>, change: bool) -> Result<(KernelRecord, KernelSpectrum), AnalysisError> {
        self.begin("tangent kernel: forming it", 0);
        let matrix = self.objective.kernel(point.parameters())?;
        let initial = self.subject.training.as_ref().filter(|_| change);
        let change = match initial.and_then(|training| parameters::ravel(&training.initial)) {
            Some(initial) => {
                let initial = self.objective.kernel(&initial.cast(matrix.dtype()))?;
                Some(kernel::change(&matrix, &initial))
            }
            None => None,
        };
        self.begin("tangent kernel: eigenvalues", 0);
        let spectrum = KernelSpectrum::of(matrix, self.objective.targets())?;
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
            eigenvalues: spectrum.eigenvalues.clone(),
        };
        Ok((record, spectrum))
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
fn digest(network: &Model) -> String {
    let mut hash = Sha256::new();
    let values = parameters::ravel(network).map(|w| w.into_data().iter::<f64>().collect::<Vec<_>>());
    for value in values.unwrap_or_default() {
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
