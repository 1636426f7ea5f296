//! A run in its folder: started, resumed, ended, each in a way that a kill at any moment does not spoil.
//!
//! The state "done" is written last, and a run has ended only while its last checkpoint and its weights are there as
//! well: otherwise training goes on from what is whole. On resuming `metrics.jsonl` is cut back to the checkpoint.
//!
//! A longer run of the same configuration has another identity. It may take up the last checkpoint of a shorter one
//! ([`RunOptions::extend`]) where nothing but the length differs and the schedule gave the same rates so far: then it
//! ends in the bits of a run that was long from the start.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::{SystemTime, UNIX_EPOCH};

use burn::module::Module;
use burn::tensor::Device;
use losscape_model::Model;
use losscape_tangent::parameters;

use crate::applied;
use crate::average;
use crate::checkpoint::{Checkpoint, Records};
use crate::config::{BatchSize, Mode, RunConfig, TrainingConfig};
use crate::digest::digest;
use crate::document;
use crate::error::LabError;
use crate::flows::{self, Flows};
use crate::folder::{Lock, RunFolder, create, lock, no_link, sweep, write_json, write_whole};
use crate::memory::evaluated_at_once;
use crate::observe::{Moment, Observe};
use crate::outcome::Outcome;
use crate::plan::Plan;
use crate::pytorch;
use crate::records::{CheckpointState, Extends, Manifest, Metric, SCHEMA, State, Status, Summary};
use crate::track::Tracker;
use crate::trainer::{Position, Trainer};

/// Where and on what a run takes place.
#[derive(Debug, Clone)]
pub struct RunOptions {
    /// Folder that run folders are made in.
    pub out: PathBuf,
    /// The device, without autodiff.
    pub device: Device,
    /// Its name, as it goes into the manifest.
    pub device_name: String,
    /// Throw away what an earlier start of the same run left.
    pub fresh: bool,
    /// A run that this one goes on from, if it has no checkpoint of its own: of the same configuration but for its
    /// length.
    pub extend: Option<PathBuf>,
    /// The command line, for the manifest.
    pub argv: Vec<String>,
}

/// A run whose folder is open and locked.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    folder: RunFolder,
    device: Device,
    checkpoint: Option<Checkpoint>,
    /// What was found damaged or missing while opening, and passed over.
    pub warnings: Vec<LabError>,
    /// Held as long as the run is.
    _lock: Lock,
}

impl Run {
    /// Opens the folder of `plan`'s run, making it if it does not exist, and finds out where to go on.
    ///
    /// # Errors
    ///
    /// When the folder cannot be written, belongs to another run or device, is worked on by another process, or holds
    /// checkpoints of which none is whole.
    pub fn open(mut plan: Plan, options: &RunOptions) -> Result<Self, LabError> {
        let folder = RunFolder::new(options.out.join(plan.folder_name()));
        create(folder.path())?;
        let mut lock = lock(&folder.lock(), folder.path())?;
        let [of_evaluation, of_batch] = [Mode::Evaluation, Mode::Batch].map(|mode| folder.analysis_in(mode));
        let average = folder.average();
        for path in
            [&folder.metrics(), &folder.checkpoints(), &folder.plots(), &of_evaluation, &of_batch, average.path()]
        {
            no_link(path)?;
        }
        // What stands in a folder without a manifest was cut off before it was a run.
        if options.fresh || !folder.manifest().exists() {
            clear(&folder)?;
        }
        let mut warnings: Vec<LabError> = lock.unguarded.take().into_iter().collect();
        if folder.manifest().exists() {
            check_manifest(&folder, &plan, &options.device_name)?;
            warnings.extend(keep_records(&folder, &mut plan));
        } else {
            write_whole(&folder.config(), resolved(&plan).as_bytes())?;
        }
        create(&folder.checkpoints())?;
        create(&folder.plots())?;
        for path in [folder.path(), &folder.checkpoints(), &folder.plots(), &of_evaluation, &of_batch, average.path()] {
            sweep(path);
        }
        let mut found = Checkpoint::newest(&folder, &plan.run_id)?;
        let mut extends = None;
        if let (Some(from), None) = (&options.extend, &found) {
            extends = Some(extend(&plan, options, &RunFolder::new(from), &folder)?);
            found = Checkpoint::newest(&folder, &plan.run_id)?;
        }
        // Last: with a manifest it is a run.
        if extends.is_some() || !folder.manifest().exists() {
            write_json(&folder.manifest(), &Manifest { extends, ..manifest(&plan, options) })?;
        }
        let (checkpoint, problems) = match found {
            Some((checkpoint, problems)) => (Some(checkpoint), problems),
            None => (None, Vec::new()),
        };
        warnings.extend(problems);
        Ok(Self { plan, folder, device: options.device.clone(), checkpoint, warnings, _lock: lock })
    }

    /// Its folder.
    #[must_use]
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// What it trains.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The summary, when the run has ended already and what it ended in is all there; otherwise training goes on from
    /// the newest checkpoint that is whole.
    #[must_use]
    pub fn ended(&self) -> Option<Summary> {
        let state = self.folder.read_status().ok()?.state;
        let summary = self.folder.read_summary().ok().filter(|summary| summary.run_id == self.plan.run_id)?;
        let whole = match state {
            State::Done => {
                let weights = digest(&self.folder.weights());
                let as_written = |there: &String| summary.weights_digest.as_ref().is_none_or(|digest| digest == there);
                self.resumes_at() == summary.steps && weights.as_ref().is_ok_and(as_written)
            }
            State::Diverged => true,
            _ => false,
        };
        whole.then_some(summary)
    }

    /// The step that training will go on from.
    #[must_use]
    pub fn resumes_at(&self) -> usize {
        self.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.state.step)
    }

    /// Trains to the end, or until `stop` is set; `observer` sees every record on its way into the folder.
    ///
    /// # Errors
    ///
    /// When the folder can no longer be written, or an observer reports an error. The last checkpoint stays.
    pub fn train(
        self,
        observer: &mut dyn Observe<Model>,
        stop: &AtomicBool,
    ) -> Result<(Trainer<Model>, Outcome, Summary), LabError> {
        let result = self.try_train(observer, stop);
        if let Err(error) = &result {
            // The disk that failed the run may fail this too; the first error is the one to report.
            let _ = self.write_status(State::Failed, &error.to_string(), self.resumes_at());
        }
        result
    }

    fn try_train(
        &self,
        observer: &mut dyn Observe<Model>,
        stop: &AtomicBool,
    ) -> Result<(Trainer<Model>, Outcome, Summary), LabError> {
        let mut trainer = self.trainer()?;
        let mut recorder = Recorder::open(self, trainer.network())?;
        self.write_status(State::Running, "training", trainer.step())?;
        let outcome = trainer.observed(&mut [&mut recorder, observer], stop)?;
        recorder.flush()?;
        let state = match outcome {
            Outcome::Finished(_) => State::Done,
            Outcome::Diverged(_) => State::Diverged,
            Outcome::Interrupted => State::Interrupted,
        };
        let reason = &outcome.to_string();
        if let Some(flows) = &recorder.flows {
            write_json(&self.folder.flow(), &flows.summary(trainer.step(), &self.folder.read_metrics()?))?;
        }
        if state == State::Done {
            pytorch::write(trainer.network(), &self.plan.config.model, &self.folder.weights())?;
            if let Some(averaged) = trainer.averaged() {
                create(self.folder.average().path())?;
                pytorch::write(&averaged, &self.plan.config.model, &self.folder.average().weights())?;
            }
        }
        let summary = self.summary(&trainer, state, reason)?;
        write_json(&self.folder.summary(), &summary)?;
        self.write_status(state, reason, trainer.step())?;
        Ok((trainer, outcome, summary))
    }

    /// The trainer, at the last checkpoint if there is one.
    fn trainer(&self) -> Result<Trainer<Model>, LabError> {
        let RunConfig { model, loss, optimizer, training, average, seed, precision, .. } = &self.plan.config;
        let data = &self.plan.data;
        let device = self.device.clone().autodiff();
        let dtype = (*precision).into();
        let (_, outputs) = loss.on(data.train.target())?;
        let network = model.init(&data.train.sample, outputs, *seed, &device, dtype)?;
        let units = model.size(&data.train.sample, outputs)?.units;
        for part in [Some(&data.train), data.test.as_ref()].into_iter().flatten() {
            applied::check(&network, part, units)?;
        }
        let start = network.clone();
        let trainer = Trainer::new(network, data, *loss, optimizer, training, *seed)?
            .evaluating_at_once(evaluated_at_once(model.is_flat(), units));
        let trainer = match average {
            Some(average) => trainer.averaging(average)?,
            None => trainer,
        };
        let Some(checkpoint) = &self.checkpoint else { return Ok(trainer) };
        if checkpoint.state.compiled != trainer.moment().is_compiled() {
            let [was, is] = [checkpoint.state.compiled, trainer.moment().is_compiled()]
                .map(|compiled| if compiled { "compiled gradients" } else { "gradients by autodiff" });
            let problem = format!(
                "it was trained with {was}, and here there are {is}: go on on the device it began on, or start over \
                 with --fresh"
            );
            return Err(LabError::Damaged { path: checkpoint.optimizer(), problem });
        }
        let path = checkpoint.model();
        let network =
            start.try_load_file(&path).map_err(|error| LabError::Damaged { path, problem: error.to_string() })?;
        let average = match average {
            Some(_) => Some(average::read(&checkpoint.average(), parameters::count(&network))?),
            None => None,
        };
        let CheckpointState { step, wall_s, .. } = checkpoint.state;
        trainer.restore(Position { network, method: checkpoint.optimizer(), average, step, wall_s })
    }

    fn summary(&self, trainer: &Trainer<Model>, outcome: State, reason: &str) -> Result<Summary, LabError> {
        let (_, outputs) = self.plan.config.loss.on(self.plan.data.train.target())?;
        let evaluation = (outcome != State::Diverged).then(|| trainer.evaluate());
        let train = evaluation.as_ref().map(|evaluation| &evaluation.train);
        let test = evaluation.as_ref().and_then(|evaluation| evaluation.test.as_ref());
        let average = (outcome != State::Diverged).then(|| trainer.evaluate_average()).flatten();
        let average_train = average.as_ref().map(|evaluation| &evaluation.train);
        let average_test = average.as_ref().and_then(|evaluation| evaluation.test.as_ref());
        let finite = |value: f64| value.is_finite().then_some(value);
        let wall_s = trainer.wall_s();
        Ok(Summary {
            schema: SCHEMA,
            run_id: self.plan.run_id.clone(),
            outcome,
            reason: reason.to_owned(),
            parameters: parameters::count(trainer.network()),
            samples: self.plan.data.train.len(),
            outputs: outputs.total(),
            steps: trainer.step(),
            epochs: trainer.epoch(),
            train_loss: train.and_then(|record| finite(record.loss)),
            train_accuracy: train.and_then(|record| record.accuracy),
            train_grad_norm: train.and_then(|_| finite(trainer.gradient_norm())),
            test_loss: test.and_then(|record| finite(record.loss)),
            test_accuracy: test.and_then(|record| record.accuracy),
            average_train_loss: average_train.and_then(|record| finite(record.loss)),
            average_train_accuracy: average_train.and_then(|record| record.accuracy),
            average_test_loss: average_test.and_then(|record| finite(record.loss)),
            average_test_accuracy: average_test.and_then(|record| record.accuracy),
            wall_s,
            steps_per_s: trainer.step() as f64 / wall_s,
            weights_digest: digest(&self.folder.weights()).ok().filter(|_| outcome == State::Done),
        })
    }

    fn write_status(&self, state: State, reason: &str, step: usize) -> Result<(), LabError> {
        let status = Status { schema: SCHEMA, state, reason: reason.to_owned(), step, updated_unix_s: unix_seconds() };
        write_json(&self.folder.status(), &status)
    }
}

/// The run's resolved configuration as a file.
fn resolved(plan: &Plan) -> String {
    let config = RunConfig { label: Some(plan.label.clone()), ..plan.config.clone() };
    document::write(&config)
}

/// Removes what a run leaves in its folder, and nothing else.
fn clear(folder: &RunFolder) -> Result<(), LabError> {
    let own = ["failure.json", "result.json"].map(|name| folder.path().join(name));
    let files = [
        folder.manifest(),
        folder.config(),
        folder.status(),
        folder.metrics(),
        folder.summary(),
        folder.flow(),
        folder.weights(),
        folder.average().weights(),
        folder.average().report(),
        folder.report(),
    ];
    let remove = |path: &Path, folder: bool| {
        let removed = if folder { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
        match removed {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(LabError::io("remove", path)(error)),
            _ => Ok(()),
        }
    };
    // The manifest first: without it the rest is nobody's run.
    files.iter().chain(&own).try_for_each(|path| remove(path, false))?;
    let of_checkpoints: fn(&str) -> bool = |name| name == "latest" || name.starts_with("step-");
    let of_plots: fn(&str) -> bool = |name| name.ends_with(".svg");
    let of_analysis: fn(&str) -> bool = |name| name.ends_with(".json") || name.ends_with(".npy");
    let average = folder.average();
    let analyses = [folder, &average]
        .into_iter()
        .flat_map(|folder| [Mode::Evaluation, Mode::Batch].map(|mode| (folder.analysis_in(mode), of_analysis)));
    let plots = [(folder.plots(), of_plots), (average.plots(), of_plots)];
    for (path, ours) in [(folder.checkpoints(), of_checkpoints)].into_iter().chain(plots).chain(analyses) {
        for entry in std::fs::read_dir(&path).into_iter().flatten().flatten() {
            if ours(&entry.file_name().to_string_lossy()) {
                remove(&entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()))?;
            }
        }
        // Left alone when something of somebody else is in it.
        let _ = std::fs::remove_dir(&path);
    }
    let _ = std::fs::remove_dir(average.path());
    Ok(())
}

/// A run's records are as far apart from its first start to its end; a word where another distance is asked for now.
fn keep_records(folder: &RunFolder, plan: &mut Plan) -> Option<LabError> {
    let first = Plan::training(&folder.config())?.log_every;
    let asked = std::mem::replace(&mut plan.config.training.log_every, first);
    let path = folder.path().to_owned();
    (asked != first).then_some(LabError::RecordsKept { path, kept: first, asked })
}

/// Takes the last checkpoint of another run into a folder that has none.
fn extend(plan: &Plan, options: &RunOptions, from: &RunFolder, to: &RunFolder) -> Result<Extends, LabError> {
    let cannot = |problem: String| LabError::Extension { path: from.path().to_owned(), problem };
    let manifest = from.read_manifest()?;
    if manifest.device != options.device_name {
        return Err(cannot(format!("it was trained on {}, this run is on {}", manifest.device, options.device_name)));
    }
    let other = Plan::read(&from.config(), &[])?;
    other.check_folder(from, &manifest)?;
    // What a longer run may have of its own.
    let alike = |plan: &Plan| {
        let TrainingConfig { batch_size, augment, label_noise, .. } = plan.config.training;
        let training = TrainingConfig { batch_size, augment, label_noise, ..TrainingConfig::steps(1, BatchSize::Full) };
        let mut config = RunConfig { label: None, training, ..plan.config.clone() };
        config.data.source.paths_mut().into_iter().for_each(PathBuf::clear);
        document::write(&config)
    };
    if other.data_digest != plan.data_digest || alike(&other) != alike(plan) {
        return Err(cannot("its configuration differs in more than the length of training".to_owned()));
    }
    let Some((checkpoint, problems)) = Checkpoint::newest(from, &manifest.run_id)? else {
        return Err(cannot("it has no checkpoint".to_owned()));
    };
    if let Some(problem) = problems.first() {
        return Err(cannot(format!("its last checkpoint is not whole ({problem}); train it again first")));
    }
    let step = checkpoint.state.step;
    let [then, now] = [&other, plan].map(|plan| {
        let config = &plan.config;
        let total = config.training.total_steps(plan.data.train.len()).map_err(|error| cannot(error.to_string()))?;
        let mut schedule = config.optimizer.schedule.init(total).map_err(|error| cannot(error.to_string()))?;
        let factors = (0..step).map(|_| schedule.next_factor()).collect::<Vec<f64>>();
        let samples = plan.data.train.len();
        let epoch = samples.div_ceil(config.training.samples_a_step(samples)?);
        let averaged = config.average.map(|average| average.taken(total, epoch)).transpose()?;
        Ok::<_, LabError>((total, factors, averaged))
    });
    let ((_, then, averaged_then), (total, now, averaged)) = (then?, now?);
    if step > total {
        return Err(cannot(format!("it has done {step} steps, this run ends at {total}")));
    }
    if then != now {
        return Err(cannot("the schedule of the learning rate depends on the length of training".to_owned()));
    }
    if averaged_then != averaged {
        return Err(cannot("the steps whose weights are averaged depend on the length of training".to_owned()));
    }
    checkpoint.hand_over(from, to, &plan.run_id)?;
    Ok(Extends { run_id: manifest.run_id, step })
}

fn check_manifest(folder: &RunFolder, plan: &Plan, device: &str) -> Result<(), LabError> {
    let manifest = folder.read_manifest()?;
    let path = folder.path().to_owned();
    if manifest.schema != SCHEMA {
        let problem = format!("it has schema version {}, this program reads {SCHEMA}", manifest.schema);
        return Err(LabError::Damaged { path, problem });
    }
    plan.check_folder(folder, &manifest)?;
    if manifest.device != device {
        return Err(LabError::OtherDevice { path, started: manifest.device, asked: device.to_owned() });
    }
    Ok(())
}

fn manifest(plan: &Plan, options: &RunOptions) -> Manifest {
    let line_of = |path: &str, prefix: &str| {
        let text = std::fs::read_to_string(path).ok()?;
        let line = text.lines().find(|line| line.starts_with(prefix))?;
        Some(line[prefix.len()..].trim_start_matches([' ', '\t', ':']).trim().to_owned())
    };
    let unknown = || "unknown".to_owned();
    let threads = std::env::var("RAYON_NUM_THREADS").ok().and_then(|threads| threads.parse().ok());
    Manifest {
        schema: SCHEMA,
        run_id: plan.run_id.clone(),
        label: plan.label.clone(),
        argv: options.argv.clone(),
        versions: BTreeMap::from([
            ("losscape".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("burn".to_owned(), "0.22.1".to_owned()),
        ]),
        host: line_of("/etc/hostname", "").unwrap_or_else(unknown),
        cpu: line_of("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
        device: options.device_name.clone(),
        dtype: plan.config.precision.to_string(),
        threads: threads
            .filter(|threads| *threads > 0)
            .or_else(|| std::thread::available_parallelism().ok().map(usize::from))
            .unwrap_or(1),
        seed: plan.config.seed,
        data_digest: plan.data_digest.clone(),
        classes: plan.data.train.class_names().to_vec(),
        started_unix_s: unix_seconds(),
        extends: None,
    }
}

fn unix_seconds() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |elapsed| elapsed.as_secs_f64())
}

/// Writes records and checkpoints into the folder.
struct Recorder<'a> {
    run: &'a Run,
    metrics: BufWriter<File>,
    written: Records,
    tracker: Option<Tracker<Model>>,
    flows: Option<Flows<Model>>,
}

impl<'a> Recorder<'a> {
    /// Opens `metrics.jsonl` where the checkpoint left it; what is behind was written by steps that will be done again.
    fn open(run: &'a Run, network: &Model) -> Result<Self, LabError> {
        let path = run.folder.metrics();
        let written = match &run.checkpoint {
            Some(checkpoint) => Records::before(&run.folder, &checkpoint.state)?,
            None => Records::default(),
        };
        let open = || -> std::io::Result<File> {
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path)?;
            file.set_len(written.bytes)?;
            drop(file);
            OpenOptions::new().append(true).open(&path)
        };
        let file = open().map_err(LabError::io("write", &path))?;
        let RunConfig { track, flow, loss, optimizer, model, training, seed, precision, .. } = &run.plan.config;
        let train = &run.plan.data.train;
        let tracker = |track| {
            let (_, outputs) = loss.on(train.target())?;
            let device = run.device.clone().autodiff();
            let initial = model.init(&train.sample, outputs, *seed, &device, (*precision).into())?;
            let initial = parameters::ravel(&initial)
                .ok_or_else(|| LabError::Network { problem: "it has no trainable parameters".to_owned() })?;
            let batch_size = training.samples_a_step(train.len())?;
            Tracker::new(track, (network, initial), (train, *loss), (optimizer, batch_size), *seed)
        };
        let flows = |flow| {
            let step = run.checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.state.step);
            let flows = Flows::begin(flow, network, (train, *loss, flows::mode(model)), optimizer, (step, *seed))?;
            match &run.checkpoint {
                Some(checkpoint) => flows.restore(&checkpoint.flows()),
                None => Ok(flows),
            }
        };
        let (tracker, flows) = (track.as_ref().map(tracker).transpose()?, flow.as_ref().map(flows).transpose()?);
        Ok(Self { run, metrics: BufWriter::new(file), written, tracker, flows })
    }

    fn write(&mut self, record: &Metric) -> Result<(), LabError> {
        let mut line = serde_json::to_vec(record).expect("a record has only string keys");
        line.push(b'\n');
        self.written.add(&line);
        self.metrics.write_all(&line).map_err(LabError::io("write", self.run.folder.metrics()))
    }

    fn flush(&mut self) -> Result<(), LabError> {
        let mut flush = || -> std::io::Result<()> {
            self.metrics.flush()?;
            self.metrics.get_ref().sync_data()
        };
        flush().map_err(LabError::io("write", self.run.folder.metrics()))
    }
}

impl Observe<Model> for Recorder<'_> {
    fn step(&mut self, moment: &Moment<Model>) -> Result<(), LabError> {
        let tracked = self.tracker.as_mut().map(|tracker| tracker.measure(moment)).transpose()?;
        let modelled = self.flows.as_mut().map(|flows| flows.see(moment)).transpose()?;
        [tracked, modelled].into_iter().flatten().flatten().try_for_each(|record| self.write(&record))
    }

    fn batch(&mut self, _: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        self.write(record)
    }

    fn evaluation(&mut self, _: &Moment<Model>, record: &Metric) -> Result<(), LabError> {
        self.write(record)
    }

    fn checkpoint(&mut self, moment: &Moment<Model>) -> Result<(), LabError> {
        self.flush()?;
        if let Some(tracker) = &mut self.tracker {
            tracker.checkpoint();
        }
        let flows = self.flows.as_ref().map(Flows::bytes);
        Checkpoint::write(&self.run.folder, moment, &self.run.plan.run_id, &self.written, flows.as_deref())
    }
}
