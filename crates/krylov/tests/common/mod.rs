//! Operators with known spectra.

use burn::tensor::{DType, Device, Tensor};
use losscape_krylov::{Space, SymmetricOperator};
use rand::rngs::ChaCha12Rng;
use rand::{Rng, SeedableRng};

pub fn random(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

/// `Q Λ Qᵀ` with Q a product of two random reflections.
pub struct Prescribed {
    values: Tensor<1>,
    mirrors: [Tensor<1>; 2],
}

impl Prescribed {
    pub fn new(values: &[f64], dtype: DType, random: &mut impl Rng) -> Self {
        let space = Space { dim: values.len(), device: Device::flex(), dtype };
        let mut mirror = || {
            let v = space.normal(random);
            let length = v.clone().square().sum().into_scalar::<f64>().sqrt();
            v / length
        };
        let mirrors = [mirror(), mirror()];
        Self { values: space.vector(values.to_vec()), mirrors }
    }
}

fn reflect(v: Tensor<1>, mirror: &Tensor<1>) -> Tensor<1> {
    let along = (v.clone() * mirror.clone()).sum();
    v - mirror.clone() * along * 2.0
}

impl SymmetricOperator for Prescribed {
    fn space(&self) -> Space {
        Space::of(&self.values)
    }

    fn apply(&self, v: Tensor<1>) -> Tensor<1> {
        let [a, b] = &self.mirrors;
        let v = reflect(reflect(v, a), b) * self.values.clone();
        reflect(reflect(v, b), a)
    }
}
