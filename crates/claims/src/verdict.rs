//! What evidence says about a claim.
//!
//! One rule reads the verdict of every claim, from the evidence alone: so a test can break any check of any claim and
//! see another verdict.

use serde::{Deserialize, Serialize};

use super::evidence::{Check, Effect, Evidence, Pair};

/// What evidence says about a claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// No violation was found, of neither form.
    Holds,
    /// The printed form fails, the exact one does not.
    HoldsAsCorrected,
    /// The exact form fails.
    Violated,
    /// Over seeds, the effect is there.
    Supported,
    /// Over seeds, the effect is not there, or the other way round.
    NotSupported,
    /// There are too few seeds to say, or a condition of the measurement was not met.
    Inconclusive,
    /// Something that was to be measured gave no number: a run that diverged or did not arrive, or an error.
    Unmeasured,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::HoldsAsCorrected => "holds as corrected",
            Self::Violated => "violated",
            Self::Supported => "supported",
            Self::NotSupported => "not supported",
            Self::Inconclusive => "inconclusive",
            Self::Unmeasured => "unmeasured",
        })
    }
}

/// What theory expects, set before anything was measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Expectation {
    /// [`Verdict::Holds`].
    Holds,
    /// [`Verdict::HoldsAsCorrected`].
    HoldsAsCorrected,
    /// [`Verdict::Supported`].
    Supported,
    /// The literature is divided: any verdict but a violation, from numbers.
    Any,
}

impl std::fmt::Display for Expectation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Holds => Verdict::Holds.fmt(f),
            Self::HoldsAsCorrected => Verdict::HoldsAsCorrected.fmt(f),
            Self::Supported => Verdict::Supported.fmt(f),
            Self::Any => f.pad("divided"),
        }
    }
}

impl Expectation {
    /// Whether a verdict is the one expected.
    #[must_use]
    pub fn is_met_by(self, verdict: Verdict) -> bool {
        match self {
            Self::Holds => verdict == Verdict::Holds,
            Self::HoldsAsCorrected => verdict == Verdict::HoldsAsCorrected,
            Self::Supported => verdict == Verdict::Supported,
            Self::Any => !matches!(verdict, Verdict::Violated | Verdict::Unmeasured),
        }
    }
}

impl Verdict {
    /// Reads the verdict from evidence: a violated check of the exact form decides; then whatever gave no number; then
    /// conditions; then effects; then checks of the printed form. Evidence without any check or effect of the exact
    /// form shows nothing.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let effects: Vec<Option<bool>> = evidence.effects.iter().map(Effect::supported).collect();
        let unmeasured = evidence.checks.iter().any(|check| check.outcome().is_none())
            || !evidence.effects.iter().all(Effect::is_measured)
            || evidence.exact().count() + effects.len() == 0;
        if evidence.exact().any(|check| check.outcome() == Some(false)) {
            Self::Violated
        } else if unmeasured {
            Self::Unmeasured
        } else if !evidence.conditions().all(Check::passes) {
            Self::Inconclusive
        } else if effects.contains(&Some(false)) {
            Self::NotSupported
        } else if effects.contains(&None) {
            Self::Inconclusive
        } else if !evidence.printed().all(Check::passes) {
            Self::HoldsAsCorrected
        } else if !effects.is_empty() {
            Self::Supported
        } else {
            Self::Holds
        }
    }
}

/// The pair that a failing check fails worst at.
#[must_use]
pub fn counterexample(check: &Check) -> Option<Pair> {
    if check.passes() { None } else { check.tightest().map(|(pair, _)| pair) }
}
