//! Small networks with data, and matrices by Burn's own reverse mode: an independent route to what is tested.

use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_analysis::Objective;
use losscape_model::{Activation, Loss, LossKind, Mlp, MlpConfig, Network, Parameterization, Reduction};
use losscape_tangent::parameters::{ravel, ravel_gradient, unravel};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

pub fn random(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

pub fn device() -> Device {
    Device::flex().autodiff()
}

pub fn tensor<const D: usize>(shape: [usize; D], mut number: impl FnMut() -> f64) -> Tensor<D> {
    let values: Vec<f64> = (0..shape.iter().product()).map(|_| number()).collect();
    Tensor::from_data(TensorData::new(values, shape), (&device(), DType::F64)).inner()
}

pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().iter::<f64>().collect()
}

/// The largest difference, relative to the largest entry; NaN counts as infinite.
pub fn difference<const D: usize>(found: Tensor<D>, expected: &Tensor<D>) -> f64 {
    assert_eq!(found.dims(), expected.dims());
    let size: f64 = expected.clone().abs().max().into_scalar();
    let largest: f64 = (found - expected.clone()).abs().max().into_scalar();
    if largest.is_nan() { f64::INFINITY } else { largest / size.max(1e-300) }
}

/// A network, its data and its loss.
pub struct Problem {
    pub name: String,
    pub network: Mlp,
    pub x: Tensor<2>,
    pub y: Tensor<2>,
    pub loss: Loss,
}

impl Problem {
    /// A random one: shapes, activation, parameterization, biases and loss are drawn.
    pub fn draw(seed: u64) -> Self {
        let random = &mut random(seed);
        let pick = |random: &mut ChaCha12Rng, count: usize| random.random_range(0..count);
        let activation = [
            Activation::Tanh,
            Activation::Gelu,
            Activation::Softplus,
            Activation::Sigmoid,
            Activation::Silu,
            Activation::Identity,
        ][pick(random, 6)];
        let parameterization =
            [Parameterization::Standard, Parameterization::Ntk, Parameterization::MeanField][pick(random, 3)];
        let kind = [LossKind::SquaredError, LossKind::CrossEntropy][pick(random, 2)];
        let reduction = [Reduction::Mean, Reduction::Sum][pick(random, 2)];
        let hidden: Vec<usize> = (0..random.random_range(0..3)).map(|_| random.random_range(2..7)).collect();
        let (inputs, classes, samples) =
            (random.random_range(1..5), random.random_range(1..4), random.random_range(1..9));
        let config = MlpConfig::new(hidden.clone())
            .with_activation(activation)
            .with_parameterization(parameterization)
            .with_bias(random.random());
        let network = config.init(inputs, classes, seed, &device(), DType::F64).expect("widths are positive");
        let x = tensor([samples, inputs], || random.random_range(-1.5..1.5));
        let y = match kind {
            LossKind::SquaredError => tensor([samples, classes], || random.random_range(-1.0..1.0)),
            _ => {
                let labels: Vec<usize> = (0..samples).map(|_| random.random_range(0..classes)).collect();
                let mut at = 0;
                tensor([samples, classes], || {
                    at += 1;
                    f64::from(u8::from(labels[(at - 1) / classes] == (at - 1) % classes))
                })
            }
        };
        let loss = Loss::new(kind).with_reduction(reduction);
        let name = format!("{seed}: {inputs}-{hidden:?}-{classes}, {samples} samples, {activation:?}, {loss:?}");
        Self { name, network, x, y, loss }
    }

    pub fn objective(&self) -> Objective<Mlp> {
        Objective::new(self.network.clone(), self.x.clone(), self.y.clone(), self.loss).expect("it can be measured")
    }

    /// Gradient by Burn of a function of the outputs, at the parameters `w`.
    pub fn burn_gradient(&self, w: &Tensor<1>, f: impl Fn(Tensor<2>) -> Tensor<1>) -> Tensor<1> {
        let network = unravel(self.network.clone(), w).expect("the length fits");
        let value = f(network.forward(Tensor::from_inner(self.x.clone())));
        let gradients = GradientsParams::from_grads(value.backward(), &network);
        ravel_gradient(&network, &gradients).expect("there are parameters")
    }

    pub fn loss_gradient(&self, w: &Tensor<1>) -> Tensor<1> {
        let y = Tensor::from_inner(self.y.clone());
        self.burn_gradient(w, |outputs| self.loss.value(outputs, y.clone()))
    }

    /// The Jacobian `[nC, P]`, one backward pass an output.
    pub fn jacobian(&self) -> Tensor<2> {
        let w = ravel(&self.network).expect("there are parameters");
        let outputs = self.y.dims()[0] * self.y.dims()[1];
        let rows =
            (0..outputs).map(|at| self.burn_gradient(&w, |outputs| outputs.reshape([-1]).narrow(0, at, 1)).unsqueeze());
        Tensor::cat(rows.collect(), 0)
    }

    /// The Hessian `[P, P]` by central differences of Burn's gradients, of fourth order: error about h⁴ and ϵ/h.
    pub fn hessian(&self) -> Tensor<2> {
        let w = ravel(&self.network).expect("there are parameters");
        let count = w.dims()[0];
        let h = 1e-3;
        let rows = (0..count).map(|at| {
            let along = |t: f64| {
                let mut step = vec![0.0; count];
                step[at] = t;
                let mut step = step.into_iter();
                self.loss_gradient(&(w.clone() + tensor([count], || step.next().expect("P entries"))))
            };
            let near = along(h) - along(-h);
            let far = along(2.0 * h) - along(-2.0 * h);
            ((near * 8.0 - far) / (12.0 * h)).unsqueeze()
        });
        let rows: Tensor<2> = Tensor::cat(rows.collect(), 0);
        (rows.clone() + rows.transpose()) * 0.5
    }

    /// `∂²L/∂F²` `[nC, nC]`, from the softmax written out.
    pub fn output_curvature(&self) -> Tensor<2> {
        let [samples, classes] = self.y.dims();
        let c = self.loss.scale(samples);
        let outputs = numbers(self.network.forward(Tensor::from_inner(self.x.clone())).inner());
        let entry = |i: usize, j: usize| -> f64 {
            if i / classes != j / classes {
                return 0.0;
            }
            let same = f64::from(u8::from(i == j));
            if self.loss.kind == LossKind::SquaredError {
                return c * same;
            }
            let row = &outputs[i / classes * classes..][..classes];
            let total: f64 = row.iter().map(|f| f.exp()).sum();
            let p = |at: usize| outputs[at].exp() / total;
            c * p(i) * (same - p(j))
        };
        let size = samples * classes;
        let mut at = 0;
        tensor([size, size], || {
            at += 1;
            entry((at - 1) / size, (at - 1) % size)
        })
    }
}
