//! Statements that are false, and what they would have measured: a check that such a statement passes shows nothing.

use super::{Evidence, Form, Pair};

/// A statement near a claim's that is false, with the numbers that it would give.
#[derive(Debug)]
pub struct FalseStatement {
    /// The statement, in words.
    pub says: &'static str,
    /// Words in the names of the effects, or of the checks of the exact form, that have to catch it.
    pub caught_by: &'static str,
    /// What would have been measured in place of what was.
    pub gives: Gives,
}

/// Numbers of a world in which something else is true, made of those of ours, so that their spread is a real one.
#[derive(Debug)]
pub enum Gives {
    /// For each pair of a check.
    Pairs(fn(Pair) -> Pair),
    /// For the samples of an effect.
    Samples(fn(&[f64]) -> Vec<f64>),
}

impl FalseStatement {
    /// One that checks have to catch.
    pub(super) const fn pairs(says: &'static str, caught_by: &'static str, gives: fn(Pair) -> Pair) -> Self {
        Self { says, caught_by, gives: Gives::Pairs(gives) }
    }

    /// One that effects have to catch.
    pub(super) const fn samples(says: &'static str, caught_by: &'static str, gives: fn(&[f64]) -> Vec<f64>) -> Self {
        Self { says, caught_by, gives: Gives::Samples(gives) }
    }

    /// The evidence of a world in which the statement is true, once for each check or effect that has to catch it, with
    /// the name of that one and whether it passes there.
    #[must_use]
    pub fn worlds(&self, evidence: &Evidence) -> Vec<(String, bool, Evidence)> {
        let mut worlds = Vec::new();
        match self.gives {
            Gives::Pairs(gives) => {
                for (at, check) in evidence.checks.iter().enumerate() {
                    if check.form != Form::Printed && check.name.contains(self.caught_by) {
                        let mut world = evidence.clone();
                        let check = &mut world.checks[at];
                        check.pairs.iter_mut().for_each(|pair| *pair = gives(*pair));
                        worlds.push((check.name.clone(), check.passes(), world));
                    }
                }
            }
            Gives::Samples(gives) => {
                for (at, effect) in evidence.effects.iter().enumerate() {
                    if effect.name.contains(self.caught_by) {
                        let mut world = evidence.clone();
                        let effect = &mut world.effects[at];
                        effect.samples = gives(&effect.samples);
                        worlds.push((effect.name.clone(), effect.supported() == Some(true), world));
                    }
                }
            }
        }
        worlds
    }
}

/// A bound that is tighter by a tenth, with what was measured kept: a case that attains the bound has to be among the
/// pairs. Both sides are positive, and the bound may be either.
pub(super) fn tighter(pair: Pair) -> Pair {
    Pair { right: 0.9 * pair.right, ..pair }
}

/// A factor per step, to the t on the right, that is tighter by a tenth in the exponent; both sides are shares of a
/// start.
pub(super) fn faster(pair: Pair) -> Pair {
    Pair { right: pair.right.powf(1.1), ..pair }
}

/// The left side twice what it is.
pub(super) fn doubled(pair: Pair) -> Pair {
    Pair { left: 2.0 * pair.left, ..pair }
}

/// Both sides exchanged.
pub(super) fn swapped(pair: Pair) -> Pair {
    Pair { left: pair.right, right: pair.left }
}

/// The samples around another mean: their spread is that of the measurement.
pub(super) fn around(samples: &[f64], centre: f64) -> Vec<f64> {
    let mean = samples.iter().sum::<f64>() / samples.len() as f64;
    samples.iter().map(|sample| sample - mean + centre).collect()
}

/// No effect at all.
pub(super) fn none(samples: &[f64]) -> Vec<f64> {
    around(samples, 0.0)
}

/// The opposite effect.
pub(super) fn negated(samples: &[f64]) -> Vec<f64> {
    samples.iter().map(|sample| -sample).collect()
}

/// Every sample times a factor.
pub(super) fn scaled(samples: &[f64], factor: f64) -> Vec<f64> {
    samples.iter().map(|sample| factor * sample).collect()
}
