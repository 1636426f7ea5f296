//! Loss and gradient of an objective, compiled: for who follows it step by step.

use std::sync::{Mutex, OnceLock, PoisonError};

use burn::tensor::Tensor;
use losscape_model::{Loss, Network, Reduction};
use losscape_tangent::{Compiled, Inputs, Map, parameters};

/// The compiled gradients of an objective. Each that is at work has memory of its own, of as many samples as are worked
/// on at a time: the same objective may be asked by many threads.
#[derive(Default)]
pub struct Gradients {
    /// Whether it can be compiled; known after the first time.
    possible: OnceLock<bool>,
    idle: Mutex<Vec<Pieces>>,
}

/// A compiled gradient for each number of samples that are worked on at a time.
type Pieces = Vec<(usize, Compiled)>;

impl Gradients {
    /// `Σ_i ℓ(F_i, y_i)` and its gradient at `w`, with so many samples at a time; batch norm by all of them, or at
    /// inference. `None` where it cannot be compiled.
    pub fn sum<N: Network>(
        &self,
        network: &N,
        (inputs, targets): (&N::Input, &Tensor<2>),
        loss: Loss,
        most: usize,
        of_batch: bool,
        w: &Tensor<1>,
    ) -> Option<(f64, Tensor<1>)> {
        if self.possible.get() == Some(&false) {
            return None;
        }
        let samples = targets.dims()[0];
        let size = if of_batch { samples } else { samples.div_ceil(samples.div_ceil(most).max(1)) };
        let data = (inputs.clone(), targets.clone());
        let compile = || -> Option<Pieces> {
            let same_type = parameters::ravel(network)?.dtype() == targets.dtype();
            let loss = loss.with_reduction(Reduction::Sum);
            let value = |network: &N, (x, y): (N::Input, Tensor<2>)| loss.value(network.forward(x), y);
            let map = Map::new(value).batch_statistics(of_batch);
            let compiled = |size| map.compile(network, &data.narrow(0, size)).ok()?;
            let rest = samples % size.max(1);
            let sizes = [size, rest].into_iter().filter(|&size| size > 0);
            if same_type { sizes.map(|size| Some((size, compiled(size)?))).collect() } else { None }
        };
        let idle = || self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        let known = idle().pop();
        let pieces = known.or_else(compile);
        self.possible.get_or_init(|| pieces.is_some());
        let mut pieces = pieces?;
        let (mut sum, mut gradient): (f64, Option<Tensor<1>>) = (0.0, None);
        for start in (0..samples).step_by(size) {
            let rows: Vec<usize> = (start..samples.min(start + size)).collect();
            let (_, compiled) = pieces.iter_mut().find(|(size, _)| *size == rows.len())?;
            let (value, part) = match size == samples {
                true => compiled.gradient(w, &data),
                false => compiled.gradient_of_rows(w, &data, &rows),
            };
            sum += value;
            gradient = Some(match gradient {
                Some(sum) => sum + part,
                None => part,
            });
        }
        let mut idle = idle();
        if !of_batch || idle.is_empty() {
            idle.push(pieces);
        }
        Some((sum, gradient?))
    }
}
