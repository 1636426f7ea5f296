//! Learning-rate schedules: Burn's own, as factors on the configured rate.
//!
//! Burn's schedulers accept rates up to 1 only, while gradient descent on a flat quadratic may want 100. They run here
//! from 1 on, and what they give is multiplied by the configured rate. Linear and cosine hold their last value after
//! their last step (Burn's cosine would rise again).

use burn::optim::lr_scheduler::constant::ConstantLr;
use burn::optim::lr_scheduler::cosine::CosineAnnealingLrSchedulerConfig;
use burn::optim::lr_scheduler::exponential::ExponentialLrSchedulerConfig;
use burn::optim::lr_scheduler::linear::LinearLrSchedulerConfig;
use burn::optim::lr_scheduler::module_lr_scheduler::ModuleLrScheduler;
use burn::optim::lr_scheduler::noam::NoamLrSchedulerConfig;
use burn::optim::lr_scheduler::step::StepLrSchedulerConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::average::swa::three_quarters;
use crate::error::{OptimError, check};

/// How the learning rate changes from step to step; `t` counts steps from 0.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum ScheduleConfig {
    /// `ε`.
    Constant {},
    /// `ε · factorᵏ` with `k = ⌊t/every⌋`.
    Step(StepConfig),
    /// `ε · decayᵗ`.
    Exponential(ExponentialConfig),
    /// From `ε` to `ε · end` in equal steps.
    Linear(DecayConfig),
    /// `ε (end + (1 − end)(1 + cos(π t/steps))/2)` (Loshchilov & Hutter 2017, eq. 5, without restarts).
    Cosine(DecayConfig),
    /// `ε min(√(warmup/(t+1)), (t+1)/warmup)`: the shape of Vaswani et al. 2017, eq. 3, scaled to peak at ε.
    Noam(NoamConfig),
    /// `ε` until half of `steps`, then in equal steps down to `ε · end` at nine tenths of them, and on at that rate:
    /// the schedule in front of [stochastic weight averaging](crate::average::swa) (Izmailov et al. 2018).
    Swa(SwaScheduleConfig),
}

/// Settings of [`ScheduleConfig::Step`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StepConfig {
    /// Steps between changes, at least 1.
    pub every: usize,
    /// Factor of each change, above 0. Default: 0.1 (Burn, PyTorch).
    #[serde(default = "tenth")]
    pub factor: f64,
}

/// Settings of [`ScheduleConfig::Exponential`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExponentialConfig {
    /// Factor of each step, above 0 and at most 1.
    pub decay: f64,
}

/// Settings of [`ScheduleConfig::Linear`] and [`ScheduleConfig::Cosine`].
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct DecayConfig {
    /// Steps until the end is reached. Default: all steps of the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Factor at the end, from 0 to 1. Default: 0.
    #[serde(default)]
    pub end: f64,
}

/// Settings of [`ScheduleConfig::Noam`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct NoamConfig {
    /// Steps of rising rate. Default: 4000 (Vaswani et al. 2017, §5.3).
    #[serde(default = "warmup")]
    pub warmup: usize,
}

/// Settings of [`ScheduleConfig::Swa`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SwaScheduleConfig {
    /// Steps until weights are averaged. Default: three quarters of the run, as for the average.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Factor at the end, from 0 to 1. Default: 0.5 (the authors' program: a rate of 0.05 after 0.1).
    #[serde(default = "half")]
    pub end: f64,
}

fn half() -> f64 {
    0.5
}

fn tenth() -> f64 {
    0.1
}

fn warmup() -> usize {
    4000
}

impl Default for ScheduleConfig {
    fn default() -> Self {
        Self::Constant {}
    }
}

impl ScheduleConfig {
    /// Every name accepted in a configuration, with its formula.
    pub const ALL: &'static [(&'static str, &'static str)] = &[
        ("constant", "ε"),
        ("step", "ε · factor^⌊t/every⌋"),
        ("exponential", "ε · decay^t"),
        ("linear", "from ε to ε · end over `steps` (default: the whole run)"),
        ("cosine", "from ε to ε · end over `steps` (default: the whole run), along half a cosine"),
        ("noam", "rises for `warmup` steps to ε, then falls like 1/√t"),
        ("swa", "ε, from half to nine tenths of `steps` (default: ¾ of the run) down to ε · end, and on at that rate"),
    ];

    /// The schedule for a run of `run_steps` steps.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range.
    pub fn init(&self, run_steps: usize) -> Result<Schedule, OptimError> {
        let count = |name, value: usize| check(name, value as f64, value > 0, "at least 1");
        let end = |value: f64| check("end", value, (0.0..=1.0).contains(&value), "from 0 to 1");
        let mut hold_after = None;
        let mut hold_until = 0;
        let scheduler = match *self {
            Self::Constant {} => Ok(ModuleLrScheduler::new(ConstantLr::new(1.0))),
            Self::Step(StepConfig { every, factor }) => {
                count("every", every)?;
                check("factor", factor, factor > 0.0 && factor.is_finite(), "positive and finite")?;
                StepLrSchedulerConfig::new(1.0, every).with_gamma(factor).init()
            }
            Self::Exponential(ExponentialConfig { decay }) => {
                check("decay", decay, decay > 0.0 && decay <= 1.0, "above 0 and at most 1")?;
                ExponentialLrSchedulerConfig::new(1.0, decay).init()
            }
            Self::Linear(decay) => {
                let steps = decay.steps.unwrap_or(run_steps);
                count("steps", steps)?;
                end(decay.end)?;
                LinearLrSchedulerConfig::new(1.0, decay.end, steps).init()
            }
            Self::Cosine(decay) => {
                let steps = decay.steps.unwrap_or(run_steps);
                count("steps", steps)?;
                end(decay.end)?;
                hold_after = Some(steps);
                CosineAnnealingLrSchedulerConfig::new(1.0, steps).with_min_lr(decay.end).init()
            }
            Self::Noam(NoamConfig { warmup }) => {
                count("warmup", warmup)?;
                // Burn's factor stands in front of d^(-1/2) min(t^(-1/2), t warmup^(-3/2)); at d = 1 the peak is
                // warmup^(-1/2).
                NoamLrSchedulerConfig::new((warmup as f64).sqrt()).with_warmup_steps(warmup).with_model_size(1).init()
            }
            Self::Swa(swa) => {
                let steps = swa.steps.unwrap_or(three_quarters(run_steps));
                count("steps", steps)?;
                end(swa.end)?;
                hold_until = steps / 2;
                LinearLrSchedulerConfig::new(1.0, swa.end, (steps * 9 / 10 - hold_until).max(1)).init()
            }
        };
        let scheduler = scheduler.expect("the settings were checked");
        Ok(Schedule { scheduler, step: 0, hold_until, hold_after, factor: 1.0 })
    }
}

/// A schedule at some step.
#[derive(Clone)]
pub struct Schedule {
    scheduler: ModuleLrScheduler,
    step: usize,
    /// The first step that the scheduler is asked for.
    hold_until: usize,
    /// The last one.
    hold_after: Option<usize>,
    factor: f64,
}

impl std::fmt::Debug for Schedule {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Schedule").field("step", &self.step).field("factor", &self.factor).finish_non_exhaustive()
    }
}

impl Schedule {
    /// The factor of the next step.
    pub fn next_factor(&mut self) -> f64 {
        if self.step >= self.hold_until && self.hold_after.is_none_or(|last| self.step <= last) {
            self.factor = self.scheduler.step().base();
        }
        self.step += 1;
        self.factor
    }

    /// Moves a fresh schedule on to step `step`, as if it had been asked for every factor before.
    pub fn skip_to(&mut self, step: usize) {
        while self.step < step {
            self.next_factor();
        }
    }
}
