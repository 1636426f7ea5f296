//! Running statistics of a network whose weights are trained as a vector: what Burn's batch norm does after a forward
//! in training mode, `r ← (1 − m) r + m s` with the batch's statistic s and the layer's share m.
//!
//! Burn keeps m to itself. It is read off what one forward did; where that was something else, there is no [`Running`].

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
    /// The shares, from a module before and after it passed the batch with these statistics. `None` if one of them was
    /// moved in another way or twice, or something else was moved.
    pub fn observed<M: Module>(before: &M, after: &M, batch: &Statistics) -> Option<Self> {
        let (before, after) = (floats(before), floats(after));
        let mut shares = HashMap::new();
        for (number, statistic) in batch {
            let rounding = if statistic.dtype() == DType::F64 { f64::EPSILON } else { f32::EPSILON.into() };
            let statistic: Vec<f64> = statistic.clone().into_data().iter().collect();
            let moves = before.get(*number)?.iter().zip(after.get(*number)?).zip(&statistic);
            let moves: Vec<[f64; 3]> = moves.map(|((&old, &new), &statistic)| [old, new, statistic]).collect();
            let far = |[old, _, statistic]: &[f64; 3]| (statistic - old).abs();
            let &[old, new, statistic] = moves.iter().max_by(|a, b| far(a).total_cmp(&far(b)))?;
            let share = (new - old) / (statistic - old);
            let size = moves.iter().flatten().fold(0.0, |size: f64, number| size.max(number.abs()));
            let agrees = |[old, new, statistic]: &[f64; 3]| {
                (old + share * (statistic - old) - new).abs() <= rounding.sqrt() * size
            };
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
