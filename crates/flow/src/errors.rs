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

/// The errors of a flow over the last half of so many steps, from what was looked at, by step and quantities as a
/// [`Look`](crate::Look) has them; none where the flow did not come to the end, or where they are no numbers.
///
/// Means of a look reach back to the look before: the first one counted is that whose mean begins in the last half.
pub fn errors<'a>(
    kind: Kind,
    steps: usize,
    looks: impl IntoIterator<Item = (usize, &'a BTreeMap<String, f64>)>,
) -> Option<Errors> {
    let looks: Vec<_> = looks.into_iter().collect();
    let begins = std::iter::once(0).chain(looks.iter().map(|(step, _)| *step));
    let late: Vec<_> =
        looks.iter().zip(begins).filter(|(_, begin)| 2 * begin >= steps).map(|((_, at), _)| *at).collect();
    let of = |name: &str| late.iter().map(|at| at.get(name).copied()).collect::<Option<Vec<f64>>>();
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    let own = |name: &str| of(&format!("{kind}_{name}"));
    let (loss, predicted) = (mean(&of("averaged_loss")?), mean(&own("loss")?));
    let pairs = of("sharpness")?.into_iter().zip(own("sharpness")?);
    let sharpness = mean(&pairs.map(|(it, flow)| ((flow - it) / it).abs()).collect::<Vec<_>>());
    let distance = own("distance")?.into_iter().fold(0.0, f64::max);
    let errors = Errors { loss: ((predicted - loss) / loss).abs(), sharpness, distance };
    [errors.loss, errors.sharpness, errors.distance].iter().all(|error| error.is_finite()).then_some(errors)
}
