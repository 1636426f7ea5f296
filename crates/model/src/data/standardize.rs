//! Centring and scaling of inputs, by the statistics of the training part.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::dataset::Dataset;
use super::error::DataError;
use crate::sample::Sample;

/// How inputs are centred and scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Standardize {
    /// Each feature to mean 0 and variance 1; one that is constant up to rounding to 0, which is one whose variance is
    /// at most `n ε var + (n mean ε)²`, the error of its own calculation (scikit-learn's rule; Chan, Golub & LeVeque
    /// 1983).
    Features,
    /// All features by one mean and one variance, as is usual for images.
    Global,
    /// Images: each channel by one mean and one variance.
    Channels,
    /// Inputs as they are.
    None,
}

impl Standardize {
    fn name(self) -> &'static str {
        match self {
            Self::Features => "features",
            Self::Global => "global",
            Self::Channels => "channels",
            Self::None => "none",
        }
    }
}

/// How each feature `x` is scaled: to `(unit · x − mean)/deviation`.
pub(super) struct Scaling(Vec<Scale>);

#[derive(Clone, Copy)]
struct Scale {
    /// A power of two, which costs no rounding: 1, unless squares would leave the range of f64.
    unit: f64,
    mean: f64,
    deviation: f64,
}

impl Scale {
    const NONE: Self = Self { unit: 1.0, mean: 0.0, deviation: 1.0 };

    fn fit(values: impl Iterator<Item = f64> + Clone) -> Self {
        let largest = values.clone().fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let unit = if largest == 0.0 || (1e-100..1e100).contains(&largest) {
            1.0
        } else {
            2f64.powi(-(largest.log2() as i32).clamp(-1000, 1000))
        };
        let values = values.map(|value| unit * value);
        let n = values.clone().count() as f64;
        let mean = values.clone().sum::<f64>() / n;
        let variance = values.clone().map(|value| (value - mean).powi(2)).sum::<f64>() / n;
        let rounding = n * f64::EPSILON * variance + (n * mean * f64::EPSILON).powi(2);
        match values.clone().next() {
            // Rounding leaves a constant feature a tiny deviation, which must not be blown up to 1.
            Some(first) if variance <= rounding || values.clone().all(|value| value == first) => {
                Self { unit, mean: first, deviation: unit }
            }
            _ => Self { unit, mean, deviation: variance.sqrt() },
        }
    }
}

impl Scaling {
    pub fn fit(train: &Dataset, standardize: Standardize) -> Result<Self, DataError> {
        let inputs = &train.inputs;
        let values = inputs.values.iter().copied();
        let refused =
            |value: &str, must| Err(DataError::Setting { name: "standardize", value: format!("\"{value}\""), must });
        if matches!(train.sample, Sample::Tokens { .. }) && standardize != Standardize::None {
            return refused(standardize.name(), "tokens are no numbers that could be scaled: \"none\"");
        }
        Ok(Self(match standardize {
            Standardize::None => vec![Scale::NONE; inputs.columns],
            Standardize::Global => vec![Scale::fit(values); inputs.columns],
            Standardize::Features => (0..inputs.columns)
                .map(|column| Scale::fit(values.clone().skip(column).step_by(inputs.columns)))
                .collect(),
            Standardize::Channels => {
                let Sample::Image { height, width, .. } = train.sample else {
                    return refused("channels", "the samples are no images whose channels are known");
                };
                let pixels = height * width;
                let planes = |channel: usize| {
                    let rows = inputs.values.chunks(inputs.columns);
                    rows.flat_map(move |row| &row[channel * pixels..(channel + 1) * pixels]).copied()
                };
                let scales = (0..inputs.columns / pixels).map(|channel| Scale::fit(planes(channel)));
                scales.flat_map(|scale| vec![scale; pixels]).collect()
            }
        }))
    }

    pub fn apply(&self, data: &mut Dataset, part: &str) -> Result<(), DataError> {
        for row in data.inputs.values.chunks_mut(data.inputs.columns) {
            for (value, Scale { unit, mean, deviation }) in row.iter_mut().zip(&self.0) {
                *value = (unit * *value - mean) / deviation;
            }
        }
        let place = || format!("the {part} part, standardized by the training part");
        data.inputs.check_finite("input").map_err(|error| error.within(place()))
    }
}
