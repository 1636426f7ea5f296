//! Running statistics of a network whose weights are trained as a vector: what a batch norm does after a forward in
//! training mode, `r ← k r + m s` with the batch's statistic s. The layer's k and m are 1 − momentum and momentum; of a
//! network from PyTorch m of the variance is larger by n/(n − 1), n being the batch's numbers.
//!
//! Who visits a module does not see k and m. They are read off what one forward does to statistics that are zero, and
//! to those that are one; where that is something else, there is no [`Running`].
//!
//! Weights that were not trained where they stand, as an average's, have no running statistics until they are
//! [`recomputed`].

use std::collections::{BTreeMap, HashMap};

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor, TensorData};
use losscape_model::Network;
use losscape_optim::shared::{apart, in_training};
use losscape_tangent::{Inputs, parameters};

/// What a batch has in the place of running statistics: the number of each among a module's float parameters and
/// running statistics, each counted once, and its numbers.
pub type Statistics = Vec<(usize, Tensor<1>)>;

/// The layers' shares k and m for batches of one size, by the number of the statistic.
#[derive(Debug, Default)]
pub struct Running {
    shares: HashMap<usize, [f64; 2]>,
}

impl Running {
    /// The shares: `pass` has the copy of a module that is given to it pass the batch with these statistics. `None` if
    /// one of them is moved in another way or twice, or something else is moved.
    pub fn observed<M: Module>(copy: impl Fn() -> M, batch: &Statistics, mut pass: impl FnMut(&M)) -> Option<Self> {
        let all = Self { shares: batch.iter().map(|(number, _)| (*number, [0.0, 1.0])).collect() };
        let mut passed = |constant: f64| {
            let constants = batch.iter().map(|(number, statistic)| (*number, statistic.full_like(constant)));
            let copy = all.step(copy(), constants.collect());
            let before = floats(&copy);
            pass(&copy);
            (before, floats(&copy))
        };
        let (before, from_zeros) = passed(0.0);
        let from_ones = if batch.is_empty() { from_zeros.clone() } else { passed(1.0).1 };
        let mut shares = HashMap::new();
        for (number, statistic) in batch {
            let rounding = if statistic.dtype() == DType::F64 { f64::EPSILON } else { f32::EPSILON.into() };
            let statistic: Vec<f64> = statistic.clone().into_data().iter().collect();
            let (zeros, ones) = (from_zeros.get(*number)?, from_ones.get(*number)?);
            let largest = (0..statistic.len()).max_by(|&a, &b| statistic[a].abs().total_cmp(&statistic[b].abs()))?;
            let (share, keep) = (zeros[largest] / statistic[largest], ones[largest] - zeros[largest]);
            let near = |a: f64, b: f64, size: f64| (a - b).abs() <= rounding.sqrt() * size;
            let agrees = (0..statistic.len()).all(|at| {
                near(share * statistic[at], zeros[at], statistic[largest].abs())
                    && near(ones[at] - zeros[at], keep, statistic[largest].abs().max(1.0))
            });
            // Where only rounding is between them.
            let keep = if (keep - (1.0 - share)).abs() <= 8.0 * rounding { 1.0 - share } else { keep };
            if !agrees || shares.insert(*number, [keep, share]).is_some() {
                return None;
            }
        }
        let moved = |number: usize| {
            before[number].iter().zip(&from_zeros[number]).any(|(old, new)| old.to_bits() != new.to_bits())
        };
        let all = (0..before.len()).all(|number| shares.contains_key(&number) || !moved(number));
        all.then_some(Self { shares })
    }

    /// A module with its statistics moved, those that its clones share too.
    pub fn step<M: Module>(&self, module: M, batch: Statistics) -> M {
        if self.shares.is_empty() {
            return module;
        }
        let moves =
            batch.into_iter().filter_map(|(number, statistic)| Some((number, (*self.shares.get(&number)?, statistic))));
        module.map(&mut Moves { moves: moves.collect(), numbers: HashMap::new() })
    }
}

/// A network with running statistics of these batches: the mean over them of what each has, variances as the layer
/// takes them, as `torch.optim.swa_utils.update_bn` leaves them. A network without batch norm in training stays as it
/// is.
///
/// What moves in a forward in training mode is a statistic; how far it moves towards that of the batch is read off as
/// for [`Running`].
pub fn recomputed<N: Network, B: Iterator<Item = N::Input>>(network: N, batches: impl Fn() -> B) -> N {
    let of_batches = in_training(&network).iter().any(|layer| layer == "BatchNorm");
    let Some(first) = batches().next().filter(|_| of_batches) else { return network };
    let Some(w) = parameters::ravel(&network) else { return network };
    let pass = |copy: &N, inputs: N::Input| {
        copy.reseed(0);
        let _ = copy.forward(inputs.autodiff());
        floats(copy)
    };
    let with = |values: &BTreeMap<usize, Vec<f64>>| {
        let statistics = values.iter().map(|(number, values)| {
            let data = TensorData::new(values.clone(), [values.len()]);
            (*number, Tensor::from_data(data, (&w.device(), w.dtype())))
        });
        let shares = values.keys().map(|number| (*number, [0.0, 1.0])).collect();
        Running { shares }.step(apart(&network), statistics.collect())
    };
    let copy = apart(&network);
    let before = floats(&copy);
    batches().for_each(|inputs| drop(pass(&copy, inputs)));
    let after = floats(&copy);
    let differ = |number: &usize| {
        before[*number].iter().zip(&after[*number]).any(|(before, after)| before.to_bits() != after.to_bits())
    };
    let moved: Vec<usize> = (0..before.len()).filter(differ).collect();
    let constants = |constant: &dyn Fn(usize) -> f64| {
        with(&moved.iter().map(|&number| (number, vec![constant(number); before[number].len()])).collect())
    };
    let of_first = pass(&constants(&|_| 0.0), first.clone());
    // From constants no smaller than what is added to them, or it is lost in their sum's rounding.
    let size = |number: usize| of_first[number].iter().fold(1.0_f64, |size, value| size.max(value.abs()));
    let from_constants = pass(&constants(&size), first);
    let mut sums: BTreeMap<usize, Vec<f64>> =
        moved.iter().map(|&number| (number, vec![0.0; before[number].len()])).collect();
    let mut count = 0.0;
    for inputs in batches() {
        let of_batch = pass(&constants(&|_| 0.0), inputs);
        for (number, sum) in &mut sums {
            sum.iter_mut().zip(&of_batch[*number]).for_each(|(sum, value)| *sum += value);
        }
        count += 1.0;
    }
    for (number, sum) in &mut sums {
        let kept = (from_constants[*number][0] - of_first[*number][0]) / size(*number);
        sum.iter_mut().for_each(|value| *value /= count * (1.0 - kept));
    }
    with(&sums)
}

/// The numbers of a module's floats, each once; what Burn holds back of running statistics is in them.
fn floats<M: Module>(module: &M) -> Vec<Vec<f64>> {
    #[derive(Default)]
    struct Floats {
        numbers: HashMap<ParamId, usize>,
        found: Vec<Vec<f64>>,
    }
    impl ModuleVisitor for Floats {
        fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
            if self.numbers.insert(param.id, self.found.len()).is_none() {
                self.found.push(param.val().into_data().iter().collect());
            }
        }
    }
    let mut floats = Floats::default();
    module.valid().visit(&mut floats);
    floats.found
}

/// Moves statistics by shares and numbers.
struct Moves {
    moves: HashMap<usize, ([f64; 2], Tensor<1>)>,
    numbers: HashMap<ParamId, usize>,
}

impl ModuleMapper for Moves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let next = self.numbers.len();
        let number = *self.numbers.entry(param.id).or_insert(next);
        match self.moves.remove(&number) {
            Some(([keep, share], statistic)) => param.map(|running| {
                let statistic = statistic.to_device(&running.device()).reshape(running.dims());
                running * keep + statistic * share
            }),
            None => param,
        }
    }
}
