//! Curvature along training: what `[track]` asks for.
//!
//! Eigenvalues are looked for from those of the measurement before. A checkpoint forgets them, so that a run that goes
//! on from one measures the same, to the bit, as one that was never stopped at that checkpoint. A checkpoint that a
//! signal asks for is one more: behind it eigenvalues agree to their errors, until the next.

use burn::tensor::Tensor;
use losscape_analysis::ntk::KernelSpectrum;
use losscape_analysis::pl::applicable;
use losscape_analysis::{AnalysisError, Objective, Point};
use losscape_krylov::{Congruence, Eigenpairs, Eigensolver, Shifted, SymmetricOperator, norm};
use losscape_model::data::Dataset;
use losscape_model::random::{Purpose, stream};
use losscape_model::{Loss, Network};
use losscape_optim::OptimizerConfig;
use losscape_optim::edge::{self, Curvature, edge};
use losscape_tangent::parameters;

use crate::LabError;
use crate::config::{TrackConfig, Tracked};
use crate::records::{self, Metric, Split};
use crate::trainer::Trainer;

/// Measures curvature every so many steps.
pub struct Tracker<N: Network> {
    config: TrackConfig,
    optimizer: OptimizerConfig,
    /// All samples.
    objective: Objective<N>,
    /// Those that the kernel is taken of, if it is measured.
    part: Option<Objective<N>>,
    seed: u64,
    /// Eigenvectors of the last measurement.
    start: Option<Tensor<2>>,
}

impl<N: Network<Input = Tensor<2>>> Tracker<N> {
    /// A tracker for training `network` on `data`.
    ///
    /// # Errors
    ///
    /// When the network cannot be differentiated twice, or a setting is not possible.
    pub fn new(
        config: &TrackConfig,
        network: &N,
        data: &Dataset,
        loss: Loss,
        optimizer: &OptimizerConfig,
        seed: u64,
    ) -> Result<Self, LabError> {
        check(config, data.len(), data.outputs()).map_err(|(_, message)| LabError::Setting(message))?;
        let w = parameters::ravel(network).ok_or_else(|| LabError::Setting("nothing to train".to_owned()))?;
        let on = |data: &Dataset| -> Result<Objective<N>, LabError> {
            let (x, y) = (data.input_tensor(&w.device(), w.dtype()), data.target_tensor(&w.device(), w.dtype()));
            Ok(Objective::new(network.clone(), x, y, loss)?.precision(config.precision.into()))
        };
        let rows: Vec<usize> = (0..config.samples.unwrap_or(data.len())).collect();
        let in_part = [Tracked::Ntk, Tracked::Pl].iter().any(|measure| config.measures.contains(measure));
        let part = if in_part { Some(on(&data.select(&rows))?) } else { None };
        Ok(Self { config: config.clone(), optimizer: optimizer.clone(), objective: on(data)?, part, seed, start: None })
    }

    /// The record of this step, if it is one to be measured at; none where loss or gradient are not finite.
    ///
    /// # Errors
    ///
    /// When an iteration cannot go on.
    pub fn measure(&mut self, trainer: &Trainer<N>) -> Result<Option<Metric>, LabError> {
        if !trainer.step().is_multiple_of(self.config.every) {
            return Ok(None);
        }
        let Some(w) = parameters::ravel(trainer.network()) else { return Ok(None) };
        let w = w.cast(burn::tensor::DType::from(self.config.precision));
        let point = match self.objective.at(&w) {
            Ok(point) => point,
            Err(AnalysisError::NotFinite { .. }) => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut curvature = records::Curvature {
            sharpness: None,
            sharpness_error: None,
            edge: None,
            ntk_min: None,
            ntk_max: None,
            ntk_floor: None,
            pl_ratio: None,
            pl_mu: None,
            kernel_samples: self.part.as_ref().map_or(0, Objective::samples),
        };
        if self.config.measures.contains(&Tracked::Sharpness)
            && let Some(pairs) = self.sharpness(&point, trainer)?
        {
            let edge = trainer.last_rate().and_then(|rate| edge(&self.optimizer, rate, point.gradient_norm()));
            curvature.sharpness = Some(pairs.top[0].value);
            curvature.sharpness_error = Some(pairs.top[0].error_bound);
            curvature.edge = edge.map(|edge| edge.value);
            self.start = Some(pairs.vectors);
        }
        if let Some(part) = &self.part {
            if self.config.measures.contains(&Tracked::Ntk) {
                let kernel = KernelSpectrum::of(part.kernel(&w)?, part.targets())?;
                (curvature.ntk_min, curvature.ntk_max) = (Some(kernel.min), Some(kernel.max));
                curvature.ntk_floor = Some(kernel.floor);
                let mu = kernel.trusted_min();
                let bounds = self.config.measures.contains(&Tracked::Pl) && applicable(part.loss());
                curvature.pl_mu = (bounds && mu > 0.0).then_some(mu);
            }
            if self.config.measures.contains(&Tracked::Pl) {
                let (loss, gradient) = part.gradient(&w)?;
                let squared = norm(&gradient).powi(2);
                curvature.pl_ratio = (loss > 0.0).then(|| squared / (2.0 * loss));
            }
        }
        Ok(Some(Metric {
            step: trainer.step(),
            epoch: trainer.epoch(),
            split: Split::Track,
            loss: point.loss(),
            accuracy: None,
            learning_rate: trainer.last_rate(),
            grad_norm: Some(point.gradient_norm()),
            curvature: Some(curvature),
            wall_s: trainer.wall_s(),
        }))
    }

    /// The largest eigenpair of the Hessian, or of the preconditioned one for methods that see that: none before their
    /// first step.
    fn sharpness(&self, point: &Point<'_, N>, trainer: &Trainer<N>) -> Result<Option<Eigenpairs>, LabError> {
        // Eigenvalues cross: one that overtakes the last is seen by the probe alone.
        let solver = Eigensolver { probes: 12, max_products: 300, ..Eigensolver::top(1) }.with_tolerance(1e-3);
        let mut random = stream(self.seed, Purpose::Probes, trainer.step() as u64);
        let mut solve = |operator: &dyn SymmetricOperator| solver.solve(&operator, self.start.as_ref(), &mut random);
        let pairs = match edge::seen_by(&self.optimizer) {
            Curvature::Hessian => solve(&point.hessian()),
            Curvature::Preconditioned if trainer.step() == 0 => return Ok(None),
            Curvature::Preconditioned => {
                let preconditioner = trainer.preconditioner();
                let Some(diagonal) = preconditioner.and_then(|module| parameters::ravel(&module)) else {
                    return Ok(None);
                };
                solve(&preconditioned(point.hessian(), diagonal, self.optimizer.weight_decay))
            }
        };
        Ok(Some(pairs.map_err(AnalysisError::from)?))
    }

    /// Forgets the last measurement.
    pub fn checkpoint(&mut self) {
        self.start = None;
    }
}

/// What a method with the preconditioner `P = diag(diagonal)` and weight decay δ sees of H: `P^{−½} (H + δI) P^{−½}`.
#[must_use]
pub fn preconditioned<A: SymmetricOperator>(
    hessian: A,
    diagonal: Tensor<1>,
    weight_decay: Option<f64>,
) -> Congruence<Shifted<A>> {
    let diagonal = diagonal.cast(hessian.space().dtype).powf_scalar(-0.5);
    Congruence { operator: Shifted { operator: hessian, shift: weight_decay.unwrap_or(0.0) }, diagonal }
}

/// The largest kernel that is decomposed again and again.
const MAX_KERNEL: usize = 5000;

/// Whether the settings fit the data; or the setting that is wrong, and why.
pub(crate) fn check(config: &TrackConfig, samples: usize, outputs: usize) -> Result<(), (&'static str, String)> {
    let used = config.samples.unwrap_or(samples);
    if config.every == 0 {
        return Err(("every", "every must be at least 1".to_owned()));
    }
    if used == 0 || used > samples {
        return Err(("samples", format!("samples = {used} is not possible: the training part has {samples}")));
    }
    let kernel = used * outputs;
    if config.measures.contains(&Tracked::Ntk) && kernel > MAX_KERNEL {
        let most = MAX_KERNEL / outputs;
        let message = format!(
            "the kernel of {used} samples with {outputs} outputs has dimension {kernel}, and is decomposed at most to \
             {MAX_KERNEL}; set samples = {most} or less"
        );
        return Err(("measures", message));
    }
    Ok(())
}
