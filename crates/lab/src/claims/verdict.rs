//! What evidence says about a claim.

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
    /// There are too few seeds to say.
    Inconclusive,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Holds => "holds",
            Self::HoldsAsCorrected => "holds as corrected",
            Self::Violated => "violated",
            Self::Supported => "supported",
            Self::NotSupported => "not supported",
            Self::Inconclusive => "inconclusive",
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
    /// The literature is divided: any verdict but a violation.
    Any,
}

impl Expectation {
    /// Whether a verdict is the one expected.
    #[must_use]
    pub fn is_met_by(self, verdict: Verdict) -> bool {
        match self {
            Self::Holds => verdict == Verdict::Holds,
            Self::HoldsAsCorrected => verdict == Verdict::HoldsAsCorrected,
            Self::Supported => verdict == Verdict::Supported,
            Self::Any => verdict != Verdict::Violated,
        }
    }
}

impl Verdict {
    /// Reads the verdict from evidence: a violated check of the exact form decides; then effects; then checks of the printed form. Evidence
    /// without any check or effect of the exact form shows nothing and counts as a violation.
    #[must_use]
    pub fn of(evidence: &Evidence) -> Self {
        let exact = evidence.exact().count();
        if exact + evidence.effects.len() == 0 || !evidence.exact().all(Check::passes) {
            return Self::Violated;
        }
        let effects: Vec<Option<bool>> = evidence.effects.iter().map(Effect::supported).collect();
        if effects.contains(&Some(false)) {
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
