//! A configuration together with its data: checked, and with an identity.
//!
//! The identity is the start of a SHA-256 over what decides the result, configuration and data. It is part of the run
//! folder's name: the same command finds its run again, and another configuration never falls into its folder. Paths,
//! host, device and threads are left out, since results do not depend on them but for rounding. So is the distance of
//! records: a folder keeps the one it was begun with. A key that is added later must be written only where it is set,
//! so that the identities of runs before it stay.

use std::collections::{BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use burn::tensor::{DType, Device};
use losscape_analysis::Mode;
use losscape_model::data::{DataConfig, DataError, Dataset, Parts, Prepared, Source, Target, Targets};
use losscape_model::exported::Program;
use losscape_model::{Loss, ModelConfig, ModelError, Outputs, Sample};
use losscape_optim::{OptimError, RuleConfig};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::config::{BatchSize, RunConfig, TrainingConfig};
use crate::digest::hex;
use crate::document::{self, Document};
use crate::error::{LabError, SettingError};
use crate::flows;
use crate::folder::RunFolder;
use crate::memory::{self, TrainingMemory};
use crate::records::{Manifest, SCHEMA};
use crate::source_error::SourceError;
use crate::track;

/// Vectors of P numbers beside the optimizer's state: weights before and after a step, in the network and as a vector,
/// and their gradient.
const VECTORS: usize = 5;

/// Numbers for each unit and sample: before and behind the activation, its slope, and their cotangents.
const NUMBERS: usize = 6;

/// What cannot be seen of a decomposed archive.
pub(crate) const DECOMPOSED: &str = "the archive was decomposed (run_decompositions): what was under torch.no_grad \
                                     cannot be told from the rest any more, and is differentiated like it";

/// What training does and no measure.
pub(crate) const DROPS: &str = "the network of the archive drops numbers at random (dropout) in training; what is \
                                evaluated or measured here drops none";

/// A run that can be started: everything a user can get wrong has been looked at.
#[derive(Debug, Clone)]
pub struct Plan {
    /// The configuration, defaults filled in, paths absolute.
    pub config: RunConfig,
    /// The training part and, if there is one, the test part: split, standardized.
    pub data: Arc<Prepared>,
    /// What a user should know of how the data was understood, a sentence each.
    pub notices: Vec<String>,
    /// SHA-256 of the data, in hex.
    pub data_digest: String,
    /// First part of the run folder's name.
    pub label: String,
    /// Identity of the run: the first 16 hex digits of the SHA-256 over configuration, data and schema version.
    ///
    /// Seed and precision are part of the configuration; label, paths, the distance of records, host, device and
    /// threads do not count.
    pub run_id: String,
}

impl Plan {
    /// Reads a configuration file and the data it names; relative paths in it start at its folder. `-` is the standard
    /// input, whose paths start where the process works and whose label is `run`.
    ///
    /// # Errors
    ///
    /// [`LabError::Config`], pointing at what is wrong.
    pub fn read(path: &Path, overrides: &[String]) -> Result<Self, LabError> {
        if path == Path::new("-") {
            let text = document::read(std::io::stdin().lock(), Path::new("standard input"))?;
            return Self::of(&Document::parse("standard input", &text, overrides)?, Path::new("."), "run");
        }
        let text = document::text(path)?;
        let document = Document::parse(path.display().to_string(), &text, overrides)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        let stem = path.file_stem().map_or(Some("run"), |stem| stem.to_str()).ok_or_else(|| LabError::Damaged {
            path: path.to_owned(),
            problem: "its name is not UTF-8, as that of the run's folder must be; rename it".to_owned(),
        })?;
        Self::of(&document, folder, stem)
    }

    /// The plan of a configuration whose relative paths start at `folder`; `stem` is the label where it has none.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn of(document: &Document, folder: &Path, stem: &str) -> Result<Self, LabError> {
        let mut data = None;
        let checked = Checked::of(document, folder, stem, |config| {
            let parts = data.insert(config.parts()?);
            Ok(Facts::of(parts))
        })?;
        let Checked { config, label, run_id, data_digest } = checked;
        let Parts { train, test, mut notices } = data.expect("nothing is checked without data");
        let next = matches!(config.data.source, Source::Text(_) | Source::Sorting(_));
        if next && matches!(&config.model, ModelConfig::Transformer(transformer) if !transformer.causal) {
            let notice = "every position sees the one after it, which is its target: causal = true in [model] hides it";
            notices.push(notice.to_owned());
        }
        // Elsewhere it was given other inputs than a default makes here.
        if config.model.exported().is_some()
            && config.data.standardize.is_none()
            && let Some((_, inputs)) = config.data.preparation().into_iter().find(|(topic, _)| *topic == "inputs")
        {
            notices.push(format!(
                "the inputs of the network: {inputs}; standardize = \"none\" in [data] leaves them as they stand"
            ));
        }
        let program = config.model.exported().and_then(|exported| exported.program().ok());
        if program.is_some_and(Program::is_decomposed) {
            notices.push(DECOMPOSED.to_owned());
        }
        if config.model.drops() {
            notices.push(DROPS.to_owned());
        }
        if program.is_some_and(Program::has_frozen_norm) {
            let notice = "the network was exported in evaluation mode: its batch norm goes by the running statistics \
                          in training, too, and leaves them as they are; export after model.train() to train it as \
                          PyTorch would";
            notices.push(notice.to_owned());
        }
        Ok(Self { config, data: Arc::new(Prepared { train, test }), notices, data_digest, label, run_id })
    }

    /// The memory that training takes.
    ///
    /// # Errors
    ///
    /// When the network cannot be built.
    pub fn memory(&self) -> Result<TrainingMemory, ModelError> {
        let RunConfig { model, loss, optimizer, training, average, flow, precision, .. } = &self.config;
        let train = &self.data.train;
        let (_, outputs) = loss.on(train.target())?;
        let size = model.size(&train.sample, outputs)?;
        let bytes = DType::from(*precision).size();
        let mixed = optimizer.sam.is_some_and(|sam| sam.weight != 1.0);
        let around = 2 * usize::from(optimizer.sam.is_some())
            + 2 * usize::from(mixed)
            + 2 * usize::from(optimizer.sam.is_some_and(|sam| sam.friendly.is_some()))
            + 4 * usize::from(optimizer.sharpness_penalty.is_some());
        let vectors = VECTORS + optimizer.rule.states() + around;
        // Those that are kept, and two while one is taken in.
        let averaged = average.map_or(0, |average| 8 * average.most().saturating_add(2));
        let of = |part: &Dataset| {
            let (inputs, outputs) = (part.inputs.columns, outputs.total());
            part.len().saturating_mul(inputs * (8 + bytes) + outputs * (8 + bytes))
        };
        let batch = training.samples_a_step(train.len()).unwrap_or(train.len());
        let at_once = batch.max(memory::evaluated_at_once(model.is_flat(), size.units).min(train.len()));
        let beside = flow.as_ref().map_or(0, |flow| {
            let bytes = DType::from(flow.precision).size();
            let values = train.len().saturating_mul(size.units).saturating_mul(NUMBERS * bytes);
            flows::memory(flow, optimizer, size.parameters).saturating_add(values)
        });
        Ok(TrainingMemory {
            flows: beside,
            count: size.parameters,
            parameters: size.parameters.saturating_mul(vectors * bytes + averaged).saturating_add(8 * size.widest),
            data: of(train).saturating_add(self.data.test.as_ref().map_or(0, of)),
            activations: at_once.saturating_mul(size.units).saturating_mul(NUMBERS * bytes),
        })
    }

    /// Whether training fits into the bytes that it may take, which are those that are free where nothing is said.
    ///
    /// # Errors
    ///
    /// [`LabError::Memory`] when it does not, and when the network cannot be built.
    pub fn check_memory(&self, allowed: Option<usize>) -> Result<(), LabError> {
        let Some(allowed) = allowed.or_else(memory::available) else { return Ok(()) };
        let fits = |needed: TrainingMemory| match needed.bytes() <= allowed {
            true => Ok(needed),
            false => Err(LabError::Memory { needed, allowed }),
        };
        let needed = fits(self.memory()?)?;
        // There is room for the network, whose shapes say the rest.
        fits(TrainingMemory { parameters: needed.parameters.saturating_add(self.squares()?), ..needed }).map(drop)
    }

    /// Bytes of the optimizer's state that depend on the shapes of the parameters.
    fn squares(&self) -> Result<usize, ModelError> {
        let RunConfig { model, loss, optimizer, seed, precision, .. } = &self.config;
        if !optimizer.rule.sees_shapes() {
            return Ok(0);
        }
        let train = &self.data.train;
        let (_, outputs) = loss.on(train.target())?;
        let dtype = DType::from(*precision);
        let network = model.init(&train.sample, outputs, *seed, &Device::default(), dtype)?;
        Ok(optimizer.rule.squares(&network).saturating_mul(dtype.size()))
    }

    /// The `[training]` table of a configuration file, if it can be read.
    pub(crate) fn training(path: &Path) -> Option<TrainingConfig> {
        let text = std::fs::read_to_string(path).ok()?;
        let document = Document::parse(path.display().to_string(), &text, &[]).ok()?;
        Some(document.read::<RunConfig>().ok()?.training)
    }

    /// Whether a folder with this manifest is that of this run; or what is another.
    pub(crate) fn check_folder(&self, folder: &RunFolder, manifest: &Manifest) -> Result<(), LabError> {
        let path = folder.path().to_owned();
        let classes = self.data.train.class_names();
        if !manifest.classes.is_empty() && manifest.classes != classes {
            let problem = format!(
                "its classes were called {}, and are called {} now",
                manifest.classes.join(", "),
                classes.join(", ")
            );
            return Err(LabError::Damaged { path, problem });
        }
        // Earlier versions counted the distance of records in.
        let counted = manifest.run_id == run_id_with(&self.config, &self.data.train.sample, &self.data_digest);
        if manifest.run_id == self.run_id || counted {
            return Ok(());
        }
        if manifest.data_digest != self.data_digest {
            let (trained_on, found) = (manifest.data_digest.clone(), self.data_digest.clone());
            return Err(LabError::OtherData { path, trained_on, found });
        }
        Err(LabError::OtherRun { path, expected: self.run_id.clone(), found: manifest.run_id.clone() })
    }

    /// Name of the run's folder.
    #[must_use]
    pub fn folder_name(&self) -> String {
        folder_name(&self.label, &self.run_id)
    }
}

/// `label-run_id`.
fn folder_name(label: &str, run_id: &str) -> String {
    format!("{label}-{run_id}")
}

/// Identity and folder of the run of a configuration, checked as [`Plan::of`] checks it, with data that are not kept,
/// and whether it can be measured in this mode, and at the average of its weights if that is asked for.
///
/// # Errors
///
/// As [`Plan::read`]; where its loss in the mode is no function of the parameters.
pub fn identity(
    document: &Document,
    folder: &Path,
    stem: &str,
    (mode, average): (Mode, bool),
    known: &mut KnownData,
) -> Result<(String, String), LabError> {
    let Checked { config, label, run_id, .. } = Checked::of(document, folder, stem, |config| known.facts(config))?;
    check_mode(mode, &config.model, document, &["model", "path"])?;
    if average && config.average.is_none() {
        let message = "the study measures averages of weights, and this run keeps none: add an [average] table";
        return Err(document.error_at(&["average"], message).into());
    }
    let folder = folder_name(&label, &run_id);
    Ok((run_id, folder))
}

/// A configuration that a user can get nothing wrong in any more.
struct Checked {
    config: RunConfig,
    label: String,
    run_id: String,
    data_digest: String,
}

impl Checked {
    fn of(
        document: &Document,
        folder: &Path,
        stem: &str,
        facts: impl FnOnce(&DataConfig) -> Result<Facts, DataError>,
    ) -> Result<Self, LabError> {
        let mut config: RunConfig = document.read()?;
        for file in config
            .data
            .source
            .paths_mut()
            .into_iter()
            .chain(config.model.exported_mut().map(|exported| &mut exported.path))
        {
            *file = std::path::absolute(folder.join(&*file)).map_err(LabError::io("find", file.clone()))?;
            if file.to_str().is_none() {
                let message = format!("{} is not UTF-8, as the run's config.toml must be; rename it", file.display());
                return Err(document.error_at(&["data"], message).into());
            }
        }
        Ok(Self::new(config, stem, document, facts)?)
    }

    fn new(
        config: RunConfig,
        stem: &str,
        document: &Document,
        facts: impl FnOnce(&DataConfig) -> Result<Facts, DataError>,
    ) -> Result<Self, Box<SourceError>> {
        let label = config.label.clone().unwrap_or_else(|| stem.to_owned());
        if label.is_empty() || label.starts_with('.') || label.contains(|c: char| c.is_control() || "/\\".contains(c)) {
            return Err(document.error_at(&["label"], format!("`{label}` cannot name a folder")));
        }
        for (path, seed) in [(&["seed"][..], config.seed), (&["data", "seed"], config.data.seed)] {
            if i64::try_from(seed).is_err() {
                return Err(
                    document.error_at(path, format!("seed = {seed} is not possible: TOML ends at {}", i64::MAX))
                );
            }
        }
        config.optimizer.init().map_err(|error| optimizer_error(&config, document, &error))?;
        if !config.optimizer.rule.restores(config.precision.into()) {
            let message = "Burn reads this optimizer's state in f32 only, so an f64 run could not go on from a \
                           checkpoint; use precision = \"f32\", or a rule that losscape list optimizers does not \
                           call Burn's";
            return Err(document.error_at(&["optimizer", "name"], message));
        }
        let facts = facts(&config.data).map_err(|error| data_error(document, &error))?;
        let (_, outputs) = check_loss(config.loss, facts.target, document)?;
        if let Some(test) = facts.test_target.filter(|target| target.columns() != facts.target.columns()) {
            let message = format!("{} outputs in training, {} in test", facts.target.columns(), test.columns());
            return Err(document.error_at(&["data"], message));
        }
        let wrong = |table| move |SettingError { key, message }| document.error_at(&[table, key], message);
        let steps = config.training.total_steps(facts.samples).map_err(wrong("training"))?;
        let schedule = config.optimizer.schedule.init(steps.max(1));
        schedule.map_err(|error| document.error_at(&["optimizer", "schedule"], error.to_string()))?;
        if let Some(average) = &config.average {
            let epoch = facts.samples.div_ceil(config.training.samples_a_step(facts.samples).unwrap_or(1));
            average.taken(steps, epoch).map_err(|error| {
                let key = if let OptimError::Setting { name, .. } = error { name } else { "name" };
                document.error_at(&["average", key], error.to_string())
            })?;
        }
        if let Some(track) = &config.track {
            track::check(track, facts.samples, outputs.total()).map_err(wrong("track"))?;
            check_mode(track.mode, &config.model, document, &["track", "mode"])?;
        }
        flows::check(&config, facts.samples).map_err(|(table, error)| wrong(table)(error))?;
        check_targets(&config, document)?;
        check_model(&config, &facts.sample, outputs, document)?;
        check_batches(&config, &facts, document)?;
        let run_id = run_id(&config, &facts.sample, &facts.digest);
        Ok(Self { config, label, run_id, data_digest: facts.digest })
    }
}

/// What a configuration is checked against.
#[derive(Debug, Clone)]
struct Facts {
    /// Training samples.
    samples: usize,
    /// What an input is.
    sample: Sample,
    target: Target,
    test_target: Option<Target>,
    /// SHA-256, in hex.
    digest: String,
    notices: Vec<String>,
}

impl Facts {
    fn of(data: &Parts) -> Self {
        Self {
            samples: data.train.len(),
            sample: data.train.sample.clone(),
            target: data.train.target(),
            test_target: data.test.as_ref().map(Dataset::target),
            digest: digest(data),
            notices: data.notices.clone(),
        }
    }
}

/// Facts on data by their settings, so that planning many runs loads each once and keeps none in memory.
#[derive(Debug, Default)]
pub struct KnownData(HashMap<String, Facts>);

impl KnownData {
    fn facts(&mut self, config: &DataConfig) -> Result<Facts, DataError> {
        let key = serde_json::to_string(config).expect("a configuration has only string keys");
        if let Some(known) = self.0.get(&key) {
            return Ok(known.clone());
        }
        let facts = Facts::of(&config.parts()?);
        Ok(self.0.entry(key).or_insert(facts).clone())
    }

    /// What is to be said of the data, each once.
    #[must_use]
    pub fn notices(&self) -> Vec<String> {
        let notices: BTreeSet<&String> = self.0.values().flat_map(|facts| &facts.notices).collect();
        notices.into_iter().cloned().collect()
    }
}

fn optimizer_error(config: &RunConfig, document: &Document, error: &OptimError) -> Box<SourceError> {
    let path = match error {
        OptimError::Setting { name: name @ ("rho" | "eta"), .. } => vec!["optimizer", "sam", name],
        OptimError::Setting { name: "weight", .. } if config.optimizer.sam.is_some() => {
            vec!["optimizer", "sam", "weight"]
        }
        OptimError::Setting { name: name @ ("weight" | "iterations" | "distance"), .. }
            if config.optimizer.sharpness_penalty.is_some() =>
        {
            vec!["optimizer", "sharpness_penalty", name]
        }
        OptimError::Setting { name, .. } => vec!["optimizer", name],
        _ => vec!["optimizer", "name"],
    };
    document.error_at(&path, error.to_string())
}

fn data_error(document: &Document, error: &DataError) -> Box<SourceError> {
    let path: Vec<&str> = ["data"].into_iter().chain(error.setting()).collect();
    document.error_at(&path, error.to_string())
}

/// The loss on such targets, and the outputs that it takes.
pub(crate) fn check_loss(loss: Loss, target: Target, document: &Document) -> Result<(Loss, Outputs), Box<SourceError>> {
    loss.on(target).map_err(|error| {
        let key = if let ModelError::Loss { key, .. } = error { key } else { "name" };
        document.error_at(&["loss", key], error.to_string())
    })
}

fn check_targets(config: &RunConfig, document: &Document) -> Result<(), Box<SourceError>> {
    for (name, value) in
        [("target_loss", config.training.target_loss), ("target_gradient_norm", config.training.target_gradient_norm)]
    {
        if let Some(value) = value.filter(|value| !(value.is_finite() && *value >= 0.0)) {
            let message = format!("{name} = {value} is not possible: it must be finite and not negative");
            return Err(document.error_at(&["training", name], message));
        }
    }
    Ok(())
}

/// Whether the loss in this mode is a function of the parameters.
fn check_mode(mode: Mode, model: &ModelConfig, document: &Document, at: &[&str]) -> Result<(), Box<SourceError>> {
    if mode == Mode::Batch && model.drops() {
        let layer = "Dropout".to_owned();
        return Err(document.error_at(at, LabError::Random { layer }.to_string()));
    }
    Ok(())
}

/// Whether the network can be built, without building it: a plan needs no device.
fn check_model(
    config: &RunConfig,
    sample: &Sample,
    outputs: Outputs,
    document: &Document,
) -> Result<(), Box<SourceError>> {
    config.model.size(sample, outputs).map(drop).map_err(|error| {
        let path = match &error {
            ModelError::ZeroWidth { .. } | ModelError::TooDeep { .. } | ModelError::TooLarge { .. } => {
                vec!["model", "hidden"]
            }
            ModelError::Samples { .. } => vec!["model", "name"],
            ModelError::Exported { .. } => vec!["model", "path"],
            ModelError::Layer { key, .. } => vec!["model", key],
            ModelError::NotPositive { name, .. } => vec!["model", "features", name],
            _ => vec!["model", "features"],
        };
        document.error_at(&path, error.to_string())
    })
}

/// Whether batches are what the network, their augmentation and the noise in their labels take.
fn check_batches(config: &RunConfig, facts: &Facts, document: &Document) -> Result<(), Box<SourceError>> {
    let Facts { samples, sample, .. } = facts;
    let checked = config.training.check_noise(facts.target.classes().is_some());
    checked.map_err(|error| document.error_at(&["training", error.key], error.message))?;
    if config.model.sees_batch() && matches!(config.optimizer.rule, RuleConfig::ScheduleFree(_)) {
        let message = "schedule-free takes its gradients, and batch norm its statistics, at another point than the \
                       network's: evaluations would go by statistics of other weights; take group norm or another rule";
        return Err(document.error_at(&["optimizer", "name"], message));
    }
    if let Some(augment) = config.training.augment {
        let wrong = |message: String| document.error_at(&["training", "augment"], message);
        let image = sample.image().map_err(|_| wrong(format!("images are augmented, and these are {sample}")))?;
        augment.check(image).map_err(wrong)?;
    }
    if let Ok(batch) = config.training.samples_a_step(*samples)
        && config.model.sees_batch()
        && (batch == 1 || samples % batch == 1)
    {
        let last = if batch == 1 { "" } else { ", as the last one of an epoch has" };
        let message = format!(
            "batch norm takes mean and variance of a batch, and a batch of one sample{last} has only its own: \
             {samples} samples in batches of {batch}"
        );
        return Err(document.error_at(&["training", "batch_size"], message));
    }
    Ok(())
}

/// SHA-256 over sizes, values and targets of both parts.
fn digest(data: &Parts) -> String {
    let mut hash = Sha256::new();
    for part in [Some(&data.train), data.test.as_ref()].into_iter().flatten() {
        let mut number = |value: u64| hash.update(value.to_le_bytes());
        number(part.len() as u64);
        number(part.inputs.columns as u64);
        number(part.target().columns() as u64);
        part.inputs.values.iter().for_each(|value| number(value.to_bits()));
        match &part.targets {
            Targets::Labels { labels, .. } => labels.iter().for_each(|&label| number(label as u64)),
            Targets::Values(values) => values.values.iter().for_each(|value| number(value.to_bits())),
        }
    }
    hex(&hash.finalize())
}

/// The identity of a run, for which it does not count how far apart its records are.
fn run_id(config: &RunConfig, sample: &Sample, data_digest: &str) -> String {
    let mut config = config.clone();
    config.training.log_every = TrainingConfig::steps(1, BatchSize::Full).log_every;
    run_id_with(&config, sample, data_digest)
}

fn run_id_with(config: &RunConfig, sample: &Sample, data_digest: &str) -> String {
    let mut config = RunConfig { label: None, ..config.clone() };
    for path in config.data.source.paths_mut() {
        path.clear();
    }
    // An archive counts by what it holds, wherever it lies.
    let archive = config.model.exported_mut().map(|exported| {
        let digest = exported.program().map(|program| program.digest().to_owned()).unwrap_or_default();
        exported.path.clear();
        digest
    });
    let mut identity = json!({ "schema": SCHEMA, "config": config, "data": data_digest });
    if let Some(digest) = archive {
        identity["archive"] = json!(digest);
    }
    // The digest is of the numbers, whose shape counts for networks that do not take them in a row.
    if !config.model.is_flat() {
        identity["sample"] = json!(sample);
    }
    let identity = sorted(identity);
    hex(&Sha256::digest(identity.to_string()))[..16].to_owned()
}

/// The value with the keys of every object in alphabetical order.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(object) => {
            let mut entries: Vec<_> = object.into_iter().collect();
            entries.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(entries.into_iter().map(|(key, value)| (key, sorted(value))).collect())
        }
        Value::Array(values) => Value::Array(values.into_iter().map(sorted).collect()),
        value => value,
    }
}
