//! How far a flow's predictions are off.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::kind::Kind;

/// How far a flow is from its method over the last half of the steps.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Errors {
    /// `|mean of predicted losses − mean of averaged losses|` over the latter.
    pub loss: f64,
    /// The mean of `|λ_max on the flow's path − λ_max at the method's middle|` over the latter.
    pub sharpness: f64,
    /// The largest distance from the flow's path to the method's middle.
    pub distance: f64,
}

/// The errors of a flow over the last half of what was looked at, by step and quantities as a
/// [`Look`](crate::Look) has them; none where the flow did not come to the end.
pub fn errors<'a>(kind: Kind, looks: impl IntoIterator<Item = (usize, &'a BTreeMap<String, f64>)>) -> Option<Errors> {
    let looks: Vec<_> = looks.into_iter().collect();
    let end = looks.last()?.0;
    let late: Vec<_> = looks.into_iter().filter(|(step, _)| 2 * step >= end).map(|(_, at)| at).collect();
    let of = |name: &str| late.iter().map(|at| at.get(name).copied()).collect::<Option<Vec<f64>>>();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let own = |name: &str| of(&format!("{kind}_{name}"));
    let (loss, predicted) = (mean(&of("averaged_loss")?), mean(&own("loss")?));
    let pairs: Vec<f64> =
        of("sharpness")?.iter().zip(own("sharpness")?).map(|(it, flow)| ((flow - it) / it).abs()).collect();
    let distance = own("distance")?.into_iter().fold(0.0, f64::max);
    Some(Errors { loss: ((predicted - loss) / loss).abs(), sharpness: mean(&pairs), distance })
}
