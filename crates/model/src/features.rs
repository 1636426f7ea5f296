//! Feature maps φ of the linear model: the notes' Φ has one row `φ(x_i)` for each sample.

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use rand::RngExt;
use rand_distr::{Distribution, StandardNormal};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::random::{Purpose, stream};

/// The most features a map may have: a limit against slips of the pen, far above what a linear model is used for.
pub const MAX_FEATURES: usize = 1 << 24;

/// Which features of the input a linear model sees.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub enum FeatureMap {
    /// `φ(x) = x`.
    Identity {},
    /// All monomials of the inputs of total degree 0 (the constant) to `degree`.
    Polynomial {
        /// Largest total degree.
        degree: usize,
    },
    /// `φ_j(x) = √(2/m) cos(ω_j·x + b_j)`, `ω_j ~ N(0, I/ℓ²)`, `b_j ~ U[0, 2π)`: features of the Gaussian kernel of
    /// length scale ℓ (Rahimi & Recht 2007, Algorithm 1).
    RandomFourier {
        /// Number of features m.
        features: usize,
        /// Length scale ℓ of the kernel.
        length_scale: f64,
    },
}

/// A feature map ready to be applied; it has no trainable parameters.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant)] // one of it exists per run
pub enum Features {
    /// `φ(x) = x`.
    Identity(Identity),
    /// Monomials.
    Polynomial(Polynomial),
    /// Random Fourier features.
    RandomFourier(RandomFourier),
}

/// Features of [`FeatureMap::Identity`].
#[derive(Module, Debug)]
pub struct Identity {
    #[module(skip)]
    inputs: usize,
}

/// Features of [`FeatureMap::Polynomial`].
#[derive(Module, Debug)]
pub struct Polynomial {
    /// For each monomial the inputs it multiplies, repeated by power, in increasing order.
    #[module(skip)]
    monomials: Vec<Vec<usize>>,
}

/// Features of [`FeatureMap::RandomFourier`].
#[derive(Module, Debug)]
pub struct RandomFourier {
    frequencies: Tensor<2>,
    phases: Tensor<2>,
}

impl Default for FeatureMap {
    fn default() -> Self {
        Self::Identity {}
    }
}

impl FeatureMap {
    /// Number of features of `inputs` inputs (saturating).
    #[must_use]
    pub fn len(&self, inputs: usize) -> usize {
        match *self {
            Self::Identity {} => inputs,
            // C(inputs + degree, degree), built up so that every intermediate is an integer, from the smaller side.
            Self::Polynomial { degree } => {
                let (few, many) = (inputs.min(degree) as u128, inputs.max(degree) as u128);
                let mut count: u128 = 1;
                for k in 1..=few {
                    count = count.saturating_mul(many + k) / k;
                    if count > usize::MAX as u128 {
                        return usize::MAX;
                    }
                }
                count as usize
            }
            Self::RandomFourier { features, .. } => features,
        }
    }

    /// Whether the map can be built for `inputs` inputs.
    ///
    /// # Errors
    ///
    /// No features, more than [`MAX_FEATURES`], or a length scale that is not positive and finite.
    pub fn check(&self, inputs: usize) -> Result<(), ModelError> {
        let features = self.len(inputs);
        let map = match *self {
            Self::Identity {} => "identity",
            Self::Polynomial { .. } => "polynomial",
            Self::RandomFourier { length_scale, .. } => {
                if !(length_scale > 0.0 && length_scale.is_finite()) {
                    return Err(ModelError::NotPositive { name: "length_scale", value: length_scale });
                }
                "random Fourier"
            }
        };
        if features == 0 || features > MAX_FEATURES {
            return Err(ModelError::Features { map, inputs, features, max: MAX_FEATURES });
        }
        Ok(())
    }

    /// Draws what is random in the map, from `(seed, Features)`, and builds it for `inputs` inputs.
    ///
    /// # Errors
    ///
    /// What [`check`](Self::check) reports.
    pub fn init(&self, inputs: usize, seed: u64, device: &Device, dtype: DType) -> Result<Features, ModelError> {
        self.check(inputs)?;
        Ok(match *self {
            Self::Identity {} => Features::Identity(Identity { inputs }),
            Self::Polynomial { degree } => {
                let mut monomials = vec![Vec::new()];
                let mut previous = monomials.clone();
                for _ in 0..degree {
                    previous = previous
                        .iter()
                        .flat_map(|monomial| {
                            let first = monomial.last().copied().unwrap_or(0);
                            (first..inputs).map(|input| [monomial.as_slice(), &[input]].concat())
                        })
                        .collect();
                    monomials.extend(previous.iter().cloned());
                }
                Features::Polynomial(Polynomial { monomials })
            }
            Self::RandomFourier { features, length_scale } => {
                let mut random = stream(seed, Purpose::Features, 0);
                let frequencies: Vec<f64> = (0..inputs * features)
                    .map(|_| {
                        let normal: f64 = StandardNormal.sample(&mut random);
                        normal / length_scale
                    })
                    .collect();
                let phases: Vec<f64> = (0..features).map(|_| random.random_range(0.0..std::f64::consts::TAU)).collect();
                let tensor = |values, shape| {
                    Tensor::from_data(TensorData::new(values, shape).convert_dtype(dtype), (device, dtype))
                };
                Features::RandomFourier(RandomFourier {
                    frequencies: tensor(frequencies, [inputs, features]),
                    phases: tensor(phases, [1, features]),
                })
            }
        })
    }
}

impl Features {
    /// Φ: the features `[n, m]` of inputs `[n, d]`.
    #[must_use]
    pub fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Identity(_) => x,
            Self::Polynomial(Polynomial { monomials }) => {
                let columns: Vec<Tensor<2>> = monomials
                    .iter()
                    .map(|monomial| {
                        let one = Tensor::ones([x.dims()[0], 1], (&x.device(), x.dtype()));
                        monomial.iter().fold(one, |product, &input| product * x.clone().narrow(1, input, 1))
                    })
                    .collect();
                Tensor::cat(columns, 1)
            }
            Self::RandomFourier(RandomFourier { frequencies, phases }) => {
                let features = phases.dims()[1] as f64;
                (x.matmul(frequencies.clone()) + phases.clone()).cos().mul_scalar((2.0 / features).sqrt())
            }
        }
    }
}
