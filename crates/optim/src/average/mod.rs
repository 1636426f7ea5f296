//! Averages of the weights that training passes through: a file each.
//!
//! | file | average |
//! |---|---|
//! | [`ema`] | of all weights, the more the later |
//! | [`swa`] | of the weights of the last part of training, all alike |
//! | [`lawa`] | of the last few weights, all alike |
//!
//! An average takes no part in training: it sees the weights every so many steps, and is a network of its own. It is
//! kept in f64, since what a step adds to it would be lost in the rounding of f32. Running statistics are no weights:
//! those of the averaged network are to be taken anew (Izmailov et al. 2018, Algorithm 1, last line).

mod averaging;
pub mod ema;
pub mod lawa;
pub mod swa;

use burn::tensor::{DType, Device, Tensor, TensorData};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use averaging::Taken;

use crate::error::OptimError;
use averaging::Averaging;
use ema::EmaConfig;
use lawa::LawaConfig;
use swa::SwaConfig;

/// The table of averages.
macro_rules! averages {
    ($($variant:ident($settings:ty) = $name:literal: $words:literal;)+) => {
        /// An average of weights and its settings.
        #[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum AverageConfig {
            $(#[doc = $words] #[serde(rename = $name)] $variant($settings),)+
        }

        impl AverageConfig {
            /// Every name accepted in a configuration, with one line on what it is.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];

            fn settings(&self) -> &dyn Averaging {
                match self {
                    $(Self::$variant(settings) => settings,)+
                }
            }
        }

        $(impl From<$settings> for AverageConfig {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })+
    };
}

averages! {
    Ema(EmaConfig) = "ema": "exponential moving average: a ← β a + (1 − β) w, corrected for its start";
    Swa(SwaConfig) = "swa": "stochastic weight averaging: the mean of the weights of the last part of training";
    Lawa(LawaConfig) = "lawa": "latest weight averaging: the mean of the last few weights";
}

impl AverageConfig {
    /// When weights are taken in a run of so many steps, an epoch being so many.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range.
    pub fn taken(&self, run_steps: usize, epoch_steps: usize) -> Result<Taken, OptimError> {
        self.settings().taken(run_steps, epoch_steps)
    }

    /// The most vectors of weights that are kept, in f64.
    #[must_use]
    pub fn most(&self) -> usize {
        self.settings().most()
    }

    /// The average of a run, with nothing taken yet.
    ///
    /// # Errors
    ///
    /// When a setting is out of its range.
    pub fn init(&self, run_steps: usize, epoch_steps: usize) -> Result<Average, OptimError> {
        let when = self.taken(run_steps, epoch_steps)?;
        Ok(Average { config: *self, when, taken: 0, kept: Vec::new() })
    }
}

/// An average of weights as training goes on.
///
/// ```
/// # use burn::tensor::{Device, Tensor};
/// # use losscape_optim::average::{AverageConfig, ema::EmaConfig};
/// let mut average = AverageConfig::from(EmaConfig { decay: 0.5, every: 1 }).init(100, 10)?;
/// let weights = |w: f32| Tensor::<1>::from_data([w], &Device::flex());
/// average.see(1, || weights(4.0));
/// average.see(2, || weights(1.0));
/// // (½·4 + 1)/(½ + 1): the first weights are half as much as the second, and the initial ones nothing.
/// assert_eq!(average.weights().unwrap().into_scalar::<f64>(), 2.0);
/// # Ok::<(), losscape_optim::OptimError>(())
/// ```
#[derive(Debug, Clone)]
pub struct Average {
    config: AverageConfig,
    when: Taken,
    taken: usize,
    kept: Vec<Tensor<1>>,
}

impl Average {
    /// Takes the weights in after step `step`, counted from 1, if it is one to take them after.
    pub fn see(&mut self, step: usize, weights: impl FnOnce() -> Tensor<1>) {
        let Taken { from, every } = self.when;
        if step >= from && (step - from).is_multiple_of(every) {
            self.config.settings().take(&mut self.kept, self.taken, weights().cast(DType::F64));
            self.taken += 1;
        }
    }

    /// How many weights were taken in.
    #[must_use]
    pub fn taken(&self) -> usize {
        self.taken
    }

    /// The average `[P]` in f64; none before the first weights.
    #[must_use]
    pub fn weights(&self) -> Option<Tensor<1>> {
        let sum = self.kept.iter().cloned().reduce(|sum, next| sum + next)?;
        Some(sum.div_scalar(self.kept.len() as f64))
    }

    /// The numbers that it goes on from: the vectors kept, from the oldest on.
    #[must_use]
    pub fn kept(&self) -> Vec<Vec<f64>> {
        self.kept.iter().map(|weights| weights.clone().into_data().iter().collect()).collect()
    }

    /// Goes on from what [`kept`](Self::kept) gave when so many weights had been taken in.
    #[must_use]
    pub fn restored(mut self, taken: usize, kept: Vec<Vec<f64>>, device: &Device) -> Self {
        self.taken = taken;
        let tensor = |values: Vec<f64>| {
            let length = values.len();
            Tensor::from_data(TensorData::new(values, [length]), (device, DType::F64))
        };
        self.kept = kept.into_iter().map(tensor).collect();
        self
    }
}
