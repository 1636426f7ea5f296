//! Running statistics of a network whose weights are trained as a vector: what Burn's batch norm does after a forward
//! in training mode, `r ← (1 − m) r + m s` with the batch's statistic s and the layer's share m.
//!
//! Who visits a module does not see m. It is read off what one forward does to statistics that are zero; where that is
//! something else, there is no [`Running`].

use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{DType, Tensor};

/// What a batch has in the place of running statistics: the number of each among a module's float parameters and
/// running statistics, each counted once, and its numbers.
pub type Statistics = Vec<(usize, Tensor<1>)>;

/// The layers' shares, by the number of the statistic.
#[derive(Debug, Default)]
pub struct Running {
    shares: HashMap<usize, f64>,
}

impl Running {
    /// The shares: `pass` has the copy of a module that is given to it, whose statistics are zero, pass the batch with
    /// these statistics. `None` if one of them is moved in another way or twice, or something else is moved.
    pub fn observed<M: Module>(copy: M, batch: &Statistics, pass: impl FnOnce(&M)) -> Option<Self> {
        let all = Self { shares: batch.iter().map(|(number, _)| (*number, 1.0)).collect() };
        let zeros = batch.iter().map(|(number, statistic)| (*number, statistic.zeros_like())).collect();
        let copy = all.step(copy, zeros);
        let before = floats(&copy);
        pass(&copy);
        let after = floats(&copy);
        let mut shares = HashMap::new();
        for (number, statistic) in batch {
            let rounding = if statistic.dtype() == DType::F64 { f64::EPSILON } else { f32::EPSILON.into() };
            let statistic: Vec<f64> = statistic.clone().into_data().iter().collect();
            let moves: Vec<(f64, f64)> = statistic.into_iter().zip(after.get(*number)?.iter().copied()).collect();
            let &(largest, moved) = moves.iter().max_by(|a, b| a.0.abs().total_cmp(&b.0.abs()))?;
            let share = moved / largest;
            let agrees =
                |(statistic, moved): &(f64, f64)| (share * statistic - moved).abs() <= rounding.sqrt() * largest.abs();
            if !moves.iter().all(agrees) || shares.insert(*number, share).is_some() {
                return None;
            }
        }
        let moved =
            |number: usize| before[number].iter().zip(&after[number]).any(|(old, new)| old.to_bits() != new.to_bits());
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
    moves: HashMap<usize, (f64, Tensor<1>)>,
    numbers: HashMap<ParamId, usize>,
}

impl ModuleMapper for Moves {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let next = self.numbers.len();
        let number = *self.numbers.entry(param.id).or_insert(next);
        match self.moves.remove(&number) {
            Some((share, statistic)) => param.map(|running| {
                let statistic = statistic.to_device(&running.device()).reshape(running.dims());
                running * (1.0 - share) + statistic * share
            }),
            None => param,
        }
    }
}
