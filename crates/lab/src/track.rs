//! Curvature along training: what `[track]` asks for.
//!
//! Eigenvalues are looked for from those of the measurement before. A checkpoint forgets them, so that a run that goes
//! on from one measures the same, to the bit, as one that was never stopped at that checkpoint. A checkpoint that a
//! signal asks for is one more: behind it eigenvalues agree to their errors, until the next, and the first look has no
//! steps before it to compare.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::time::Instant;

use burn::tensor::{DType, Tensor};
use losscape_analysis::{AnalysisError, Objective};
use losscape_model::data::Dataset;
use losscape_model::{FromDataset, Loss, Network};
use losscape_optim::OptimizerConfig;
use losscape_optim::shared::in_training;
use losscape_tangent::parameters;

use crate::config::{Mode, TrackConfig};
use crate::error::{LabError, SettingError};
use crate::measure::{Along, Measure, Tracking, ntk};
use crate::nearest::nearest;
use crate::observe::Moment;
use crate::records::{Metric, Split, Tracked};

/// Measures every so many steps.
pub struct Tracker<N: Network> {
    config: TrackConfig,
    measures: Vec<&'static Measure>,
    optimizer: OptimizerConfig,
    /// All samples.
    objective: Objective<N>,
    /// The first samples, if something is measured of these alone.
    part: Option<Objective<N>>,
    seed: u64,
    /// What measures keep from one measurement to the next.
    memory: BTreeMap<&'static str, Tensor<2>>,
    batch_size: usize,
    /// The parameters before training.
    initial: Tensor<1>,
    /// The tangent kernel there.
    initial_kernel: Option<Tensor<2>>,
    /// The parameters of the last steps, the oldest first, as far as a look needs them.
    before: Vec<Tensor<1>>,
}

impl<N: Network> Tracker<N>
where
    N::Input: FromDataset,
{
    /// A tracker for training `network` on `data` in batches of so many samples, from the parameters `initial`.
    ///
    /// # Errors
    ///
    /// When the network cannot be differentiated twice, or a setting is not possible.
    pub fn new(
        config: &TrackConfig,
        (network, initial): (&N, Tensor<1>),
        (data, loss): (&Dataset, Loss),
        (optimizer, batch_size): (&OptimizerConfig, usize),
        seed: u64,
    ) -> Result<Self, LabError> {
        let (_, outputs) = loss.on(data.target())?;
        let measures = check(config, data.len(), outputs.total())?;
        let on = |data: &Dataset| -> Result<Objective<N>, LabError> {
            let objective = Objective::on(network.clone(), data, loss)?;
            Ok(objective.precision(config.precision.into()).in_mode(config.mode))
        };
        let rows: Vec<usize> = (0..config.samples.unwrap_or(data.len())).collect();
        let of_part = measures.iter().filter_map(|measure| measure.tracking.as_ref()).any(|tracking| tracking.of_part);
        let part = if of_part { Some(on(&data.select(&rows))?) } else { None };
        let (config, optimizer, objective) = (config.clone(), optimizer.clone(), on(data)?);
        let initial = initial.cast(DType::from(config.precision));
        // With running statistics the kernel of now is that of another function.
        let same = config.mode == Mode::Batch || in_training(network).iter().all(|layer| layer != "BatchNorm");
        let decomposed = measures.iter().any(|measure| measure.name == ntk::MEASURE.name) && same;
        let of_kernel = part.as_ref().filter(|_| decomposed);
        let initial_kernel = of_kernel.map(|part| part.kernel(&initial)).transpose()?;
        let (memory, before) = (BTreeMap::new(), Vec::new());
        Ok(Self {
            config,
            measures,
            optimizer,
            objective,
            part,
            seed,
            memory,
            batch_size,
            initial,
            initial_kernel,
            before,
        })
    }

    /// The record of this step, if it is one to be measured at; none where loss or gradient are not finite.
    ///
    /// # Errors
    ///
    /// When an iteration cannot go on.
    pub fn measure(&mut self, moment: &Moment<N>) -> Result<Option<Metric>, LabError> {
        let needed = self.measures.iter().filter_map(|measure| Some(measure.tracking.as_ref()?.before)).max();
        let needed = needed.unwrap_or(0);
        let until = (self.config.every - moment.step() % self.config.every) % self.config.every;
        // The weights of a look are among those before the next, where looks are that near.
        let kept = needed > 0 && (until > 0 && until <= needed || until == 0 && self.config.every <= needed);
        if until > 0 && !kept {
            return Ok(None);
        }
        let began = Instant::now();
        let w = moment.weights().cast(DType::from(self.config.precision));
        if until > 0 {
            self.remember(w, needed);
            return Ok(None);
        }
        let point = match self.objective.at(&w) {
            Ok(point) => point,
            Err(AnalysisError::NotFinite { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let names: Vec<&str> = self.measures.iter().map(|measure| measure.name).collect();
        let mut along = Along {
            point: &point,
            part: self.part.as_ref().unwrap_or(&self.objective),
            w: &w,
            optimizer: &self.optimizer,
            rate: moment.rate(),
            step: moment.step(),
            batch_size: self.batch_size,
            top: self.config.top,
            initial: &self.initial,
            before: &self.before,
            preconditioner: &|| moment.preconditioner().and_then(|module| parameters::ravel(&module)),
            measures: &names,
            seed: self.seed,
            memory: &mut self.memory,
            kernel: OnceCell::new(),
            initial_kernel: self.initial_kernel.as_ref(),
            found: BTreeMap::new(),
        };
        for Tracking { run, .. } in self.measures.iter().filter_map(|measure| measure.tracking.as_ref()) {
            run(&mut along)?;
        }
        let kernel_samples = self.part.as_ref().map_or(0, Objective::samples);
        let quantities = along.found;
        let (loss, norm) = (point.loss(), point.gradient_norm());
        if kept {
            self.remember(w, needed);
        } else {
            self.before.clear();
        }
        Ok(Some(Metric {
            step: moment.step(),
            epoch: moment.epoch(),
            split: Split::Track,
            loss,
            accuracy: None,
            learning_rate: moment.rate(),
            grad_norm: Some(norm),
            tracked: Some(Tracked { kernel_samples, mode: self.config.mode, quantities }),
            wall_s: moment.wall_s() + began.elapsed().as_secs_f64(),
        }))
    }

    /// Forgets the last measurement, and the steps before.
    pub fn checkpoint(&mut self) {
        self.memory.clear();
        self.before.clear();
    }

    /// Keeps the weights of a step beside those before it, as many as are needed.
    fn remember(&mut self, w: Tensor<1>, needed: usize) {
        if self.before.len() == needed {
            self.before.remove(0);
        }
        self.before.push(w);
    }
}

impl<N: Network> std::fmt::Debug for Tracker<N> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tracker").field("config", &self.config).field("seed", &self.seed).finish_non_exhaustive()
    }
}

/// The most eigenvalues that are looked for again and again.
const MAX_TOP: usize = 100;

/// The largest kernel that is decomposed again and again.
const MAX_KERNEL: usize = 5000;

/// The measures that the settings name, if they fit the data.
pub(crate) fn check(
    config: &TrackConfig,
    samples: usize,
    outputs: usize,
) -> Result<Vec<&'static Measure>, SettingError> {
    let used = config.samples.unwrap_or(samples);
    if config.top > MAX_TOP {
        return Err(SettingError::new(
            "top",
            format!("top = {} is not possible: it must be at most {MAX_TOP}", config.top),
        ));
    }
    for (key, value) in [("every", config.every), ("top", config.top)] {
        if value == 0 {
            return Err(SettingError::new(key, format!("{key} must be at least 1")));
        }
    }
    if config.mode == Mode::Batch && used < samples {
        let message = "in batch mode all samples are one batch: statistics of fewer are those of another function";
        return Err(SettingError::new("samples", message));
    }
    if used == 0 || used > samples {
        let message = format!("samples = {used} is not possible: the training part has {samples}");
        return Err(SettingError::new("samples", message));
    }
    let tracked = |name: &String| {
        Measure::tracked().find(|measure| measure.name == name).ok_or_else(|| {
            let names: Vec<&str> = Measure::tracked().map(|measure| measure.name).collect();
            let meant = nearest(name, names.iter().copied()).map(|nearest| format!("; did you mean `{nearest}`?"));
            let (names, meant) = (names.join(", "), meant.unwrap_or_default());
            SettingError::new("measures", format!("`{name}` is not measured along training: there are {names}{meant}"))
        })
    };
    let named = config.measures.iter().map(tracked).collect::<Result<Vec<_>, _>>()?;
    let decomposed = |measure: &&Measure| measure.tracking.as_ref().is_some_and(|tracking| tracking.kernel);
    let kernel = used * outputs;
    if named.iter().any(decomposed) && kernel > MAX_KERNEL {
        let message = format!(
            "the kernel of {used} samples with {outputs} outputs has dimension {kernel}, and is decomposed at most to \
             {MAX_KERNEL}; set samples = {most} or less",
            most = MAX_KERNEL / outputs
        );
        return Err(SettingError::new("measures", message));
    }
    // In the order of the registry, each once.
    Ok(Measure::tracked().filter(|measure| named.contains(measure)).collect())
}
