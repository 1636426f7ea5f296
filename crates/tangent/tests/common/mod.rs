//! What every derivative must satisfy, checked at a point in f64.
//!
//! Independent of the engine are central differences (of the forward, and of pulled gradients) and Burn's own reverse
//! mode.

use burn::module::{Module, ModuleMapper, Param};
use burn::optim::GradientsParams;
use burn::tensor::{DType, Device, Tensor, TensorData};
use losscape_tangent::parameters::{ravel, ravel_gradient, unravel};
use losscape_tangent::{Inputs, Map};
use rand::rngs::ChaCha12Rng;
use rand::{RngExt, SeedableRng};

/// The devices on which everything is tested, with autodiff for the comparison with Burn's own.
pub fn devices() -> [(&'static str, Device); 2] {
    #[allow(deprecated, reason = "ndarray stays tested while Burn has it")]
    let ndarray = Device::ndarray();
    [("flex", Device::flex().autodiff()), ("ndarray", ndarray.autodiff())]
}

/// Numbers drawn uniformly from a range.
pub fn draw(seed: u64, count: usize, low: f64, high: f64) -> Vec<f64> {
    let mut random = ChaCha12Rng::seed_from_u64(seed);
    (0..count).map(|_| random.random_range(low..high)).collect()
}

/// A float64 tensor of drawn numbers.
pub fn tensor<const D: usize>(seed: u64, shape: [usize; D], low: f64, high: f64, device: &Device) -> Tensor<D> {
    let data = TensorData::new(draw(seed, shape.iter().product(), low, high), shape);
    Tensor::from_data(data, (device, DType::F64))
}

/// A vector on the device without autodiff.
pub fn vector(numbers: &[f64], device: &Device) -> Tensor<1> {
    let data = TensorData::new(numbers.to_vec(), [numbers.len()]);
    Tensor::<1>::from_data(data, (device, DType::F64)).inner()
}

/// The numbers of a float64 tensor.
pub fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f64> {
    tensor.into_data().convert_dtype(DType::F64).try_to_vec().expect("the data are float64 now")
}

pub fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// The largest difference, relative to the largest entry (or to one, if that is smaller).
pub fn difference(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    let largest = a.iter().chain(b).fold(1.0, |largest: f64, x| largest.max(x.abs()));
    a.iter()
        .zip(b)
        .fold(0.0, |worst: f64, (a, b)| if (a - b).is_nan() { f64::INFINITY } else { worst.max((a - b).abs()) })
        / largest
}

/// Errors found at a point; each must be below its tolerance.
#[derive(Debug, Default, Clone, Copy)]
pub struct Errors {
    /// `J v` against central differences of the forward.
    pub push: f64,
    /// `⟨u, J v⟩` against `⟨Jᵀ u, v⟩`.
    pub adjoint: f64,
    /// `Jᵀ u` against Burn's reverse mode.
    pub burn: f64,
    /// `bend` against central differences of `Jᵀ u`.
    pub bend: f64,
    /// `⟨v₁, bend(u, v₂)⟩` against `⟨v₂, bend(u, v₁)⟩`.
    pub symmetry: f64,
    /// A block of two directions against each alone.
    pub block: f64,
}

impl Errors {
    /// Fails where an error is larger than allowed: differences 1e-6, identities 1e-11, Burn 1e-12 relative.
    pub fn assert_small(&self, name: &str) {
        let ok = |error: f64, bound: f64| error <= bound;
        assert!(ok(self.push, 1e-6), "{name}: push is off by {:e}", self.push);
        assert!(ok(self.adjoint, 1e-11), "{name}: pull is not the adjoint of push, {:e}", self.adjoint);
        assert!(ok(self.burn, ROUNDING), "{name}: pull differs from Burn's autodiff by {:e}", self.burn);
        assert!(ok(self.bend, 1e-6), "{name}: bend is off by {:e}", self.bend);
        assert!(ok(self.symmetry, 1e-11), "{name}: bend is not symmetric, {:e}", self.symmetry);
        assert!(ok(self.block, 1e-13), "{name}: a block differs from single directions by {:e}", self.block);
    }

    pub fn worst(&mut self, other: &Self) {
        self.push = self.push.max(other.push);
        self.adjoint = self.adjoint.max(other.adjoint);
        self.burn = self.burn.max(other.burn);
        self.bend = self.bend.max(other.bend);
        self.symmetry = self.symmetry.max(other.symmetry);
        self.block = self.block.max(other.block);
    }
}

/// Checks all derivatives of a forward by the parameters of a module (on an autodiff device).
pub fn check<M: Module, I: Inputs, const D: usize>(
    module: &M,
    inputs: &I,
    forward: impl Fn(&M, I) -> Tensor<D>,
    seed: u64,
) -> Errors {
    check_against(module, inputs, forward, seed, Bounds { value: ROUNDING, burn: ROUNDING })
}

/// How far two ways to calculate the same in f64 may be apart, relative to the largest entry.
pub const ROUNDING: f64 = 1e-12;

/// How far Burn's own value and derivative may be off; infinitely where Burn has no derivative.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    pub value: f64,
    pub burn: f64,
}

/// As [`check`], where Burn's own value or derivative is known to be off. A module in f32 is calculated in f64 by the
/// engine alone.
pub fn check_against<M: Module, I: Inputs, const D: usize>(
    module: &M,
    inputs: &I,
    forward: impl Fn(&M, I) -> Tensor<D>,
    seed: u64,
    bounds: Bounds,
) -> Errors {
    let w = ravel(module).expect("there are parameters");
    let map = match w.dtype() {
        DType::F64 => Map::new(&forward),
        _ => Map::new(&forward).precision(DType::F64),
    };
    let (w, device) = (w.clone().cast(DType::F64), w.device());
    let at = map.linearize(module, inputs).expect("the forward has derivatives");
    let (p, m) = (at.variables(), at.outputs());
    let (v1, v2, u) = (draw(seed + 1, p, -1.0, 1.0), draw(seed + 2, p, -1.0, 1.0), draw(seed + 3, m, -1.0, 1.0));
    let on = |numbers: &[f64]| vector(numbers, &device);
    let moved = |step: f64| w.clone() + on(&v1) * step;
    let linearized = |w: &Tensor<1>| map.linearize_at(module, w, inputs).expect("it was linearized before");
    let forward_value = |module: &M| numbers(forward(module, inputs.clone()).inner());
    // A value in f32 has no useful differences: then the engine's own is taken.
    let value = |w: &Tensor<1>| match bounds.value > ROUNDING {
        true => numbers(linearized(w).output()),
        false => forward_value(&unravel(module.clone(), w).expect("the length fits")),
    };
    let step = 1e-5;
    let central = |plus: Vec<f64>, minus: Vec<f64>| -> Vec<f64> {
        plus.iter().zip(&minus).map(|(a, b)| (a - b) / (2.0 * step)).collect()
    };

    let mut errors = Errors::default();
    let off = difference(&numbers(at.output()), &forward_value(module));
    assert!(off <= bounds.value, "the value is off by {off:e}");
    let pushed = numbers(at.push(on(&v1)));
    errors.push = difference(&pushed, &central(value(&moved(step)), value(&moved(-step))));

    let pulled = numbers(at.pull(on(&u)));
    errors.adjoint = (dot(&u, &pushed) - dot(&pulled, &v1)).abs() / dot(&u, &pushed).abs().max(1.0);
    if bounds.burn.is_finite() {
        let output = forward(module, inputs.clone());
        let weights = TensorData::new(u.clone(), output.shape());
        let weights = Tensor::<D>::from_data(weights, (&output.device(), output.dtype()));
        let gradients = GradientsParams::from_grads((output * weights).sum().backward(), module);
        let burn = numbers(ravel_gradient(module, &gradients).expect("there are parameters"));
        // Counted in units of what is allowed.
        errors.burn = difference(&pulled, &burn) * ROUNDING / bounds.burn;
    }

    let bent = numbers(at.bend(on(&u), on(&v1)));
    let gradient = |w: &Tensor<1>| numbers(linearized(w).pull(on(&u)));
    errors.bend = difference(&bent, &central(gradient(&moved(step)), gradient(&moved(-step))));
    let other = numbers(at.bend(on(&u), on(&v2)));
    errors.symmetry = (dot(&v2, &bent) - dot(&v1, &other)).abs() / dot(&v2, &bent).abs().max(1.0);

    let block = |a: &[f64], b: &[f64]| Tensor::<1>::cat(vec![on(a), on(b)], 0).reshape([2, a.len()]);
    let pushed_block = numbers(at.push(block(&v1, &v2)));
    errors.block = difference(&pushed_block, &[pushed, numbers(at.push(on(&v2)))].concat());
    let u2 = draw(seed + 4, m, -1.0, 1.0);
    let pulled_block = numbers(at.pull(block(&u, &u2)));
    errors.block = errors.block.max(difference(&pulled_block, &[pulled, numbers(at.pull(on(&u2)))].concat()));
    let bent_block = numbers(at.bend(on(&u), block(&v1, &v2)));
    errors.block = errors.block.max(difference(&bent_block, &[bent, other].concat()));
    errors
}

/// The module in float64 with drawn numbers: instead of those that Burn draws, and around those that it sets to a
/// constant (γ, β and the like).
pub fn in_f64<M: Module>(module: M, seed: u64) -> M {
    drawn(module, seed, DType::F64)
}

/// As [`in_f64`], in another type.
pub fn drawn<M: Module>(module: M, seed: u64, dtype: DType) -> M {
    struct Draw(u64, DType);
    impl ModuleMapper for Draw {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            let trainable = param.is_require_grad();
            let (id, old, mapper) = param.consume();
            self.0 += 1;
            let drawn: Tensor<D> = tensor(self.0, old.dims(), -0.5, 0.5, &old.device());
            let values = numbers(old.clone().inner());
            let constant = values.iter().all(|value| *value == values[0]);
            let center = if constant { values[0] } else { 0.0 };
            let new = Tensor::from_inner(drawn.inner() * if constant { 0.6 } else { 1.0 } + center);
            Param::from_mapped_value(id, new.cast(self.1), mapper).set_require_grad(trainable)
        }
    }
    module.map(&mut Draw(1000 * seed, dtype))
}

/// The dense Jacobian in rows.
pub fn rows(jacobian: Tensor<2>) -> Vec<Vec<f64>> {
    let [_, columns] = jacobian.dims();
    numbers(jacobian).chunks(columns).map(<[f64]>::to_vec).collect()
}

/// `J Jᵀ` of two Jacobians, row by row.
pub fn gram(a: &[Vec<f64>], b: &[Vec<f64>]) -> Vec<f64> {
    a.iter().flat_map(|a| b.iter().map(|b| dot(a, b))).collect()
}
