//! The central flow, beside gradient descent at its edge.

use losscape_flow::Kind;

use super::{Claim, Expectation, Family, flows};

pub const CLAIM: Claim = Claim {
    id: "central-flow",
    family: Family::Edge,
    printed: "not in the notes: steps are taken to be small enough for gradient flow",
    exact: concat!(
        "at the edge of stability, over 1,200 steps, the loss and the sharpness of gradient descent, averaged over ",
        "its oscillation, are those of the central flow to 10 and 5 %, while gradient flow's sharpness is beyond it ",
        "by more than 10 %",
    ),
    source: "Cohen, Damian, Talwalkar, Kolter & Lee 2025",
    expected: Expectation::Supported,
    false_statements: flows::FALSE,
    measure: |bench| flows::beside(bench, Kind::Central),
};
