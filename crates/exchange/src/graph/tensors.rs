//! [`Tensors`]: what a network holds.

use std::collections::HashMap;

use crate::archive::Stored;

/// The tensors of a network, in PyTorch's order.
#[derive(Debug, Default)]
pub struct Tensors {
    pub parameters: Vec<Parameter>,
    /// Running mean and variance of each batch norm.
    pub statistics: Vec<Statistics>,
    /// Buffers and constants that no training changes.
    pub constants: Vec<Constant>,
}

/// A parameter, which may have several names.
#[derive(Debug)]
pub struct Parameter {
    pub names: Vec<String>,
    pub stored: Stored,
}

/// The running statistics of a batch norm.
#[derive(Debug)]
pub struct Statistics {
    /// Names and values of the mean and the variance.
    pub tensors: [(String, Stored); 2],
    /// Whether the layer takes the batch's statistics in training, as it was when it was exported.
    pub in_training: bool,
}

/// A tensor that stays as it is.
#[derive(Debug)]
pub struct Constant {
    /// Its name, where it is a buffer that belongs to the network's state.
    pub name: Option<String>,
    pub stored: Stored,
}

/// What a module of the network holds, by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Member {
    Parameter(usize),
    /// Whether the batch norm with this number is in training.
    Flag(usize),
    /// The running mean of a batch norm, or its variance.
    Statistic(usize),
}

impl Tensors {
    /// The modules of the network by their paths, each with its members by their names there, a tied parameter by its
    /// first. The flag of a batch norm is before its statistics: who visits them knows then how the layer works.
    pub fn layers(&self) -> Vec<(&str, Vec<(&str, Member)>)> {
        let parameters = self.parameters.iter().enumerate();
        let parameters = parameters.map(|(number, of)| (split(&of.names[0]), Member::Parameter(number)));
        let statistics = self.statistics.iter().enumerate().flat_map(|(number, of)| {
            let [mean, variance] = of.tensors.each_ref().map(|(name, _)| split(name));
            [
                ((mean.0, "training"), Member::Flag(number)),
                (mean, Member::Statistic(2 * number)),
                (variance, Member::Statistic(2 * number + 1)),
            ]
        });
        let mut layers: Vec<(&str, Vec<(&str, Member)>)> = Vec::new();
        let mut places: HashMap<&str, usize> = HashMap::new();
        for ((path, name), member) in parameters.chain(statistics) {
            let place = *places.entry(path).or_insert(layers.len());
            if place == layers.len() {
                layers.push((path, Vec::new()));
            }
            layers[place].1.push((name, member));
        }
        layers
    }
}

/// The module of a tensor, and its name there.
fn split(name: &str) -> (&str, &str) {
    name.rsplit_once('.').unwrap_or(("", name))
}
