//! Numbers that training drops.

use super::{Call, Operation, Results, one, unread};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("dropout", DROPPED, "x m / (1 − p), m = 0 with probability p in training, else x", |call| {
        dropout(call, false)
    })
    .dropping("p", Some("train"))
    .view(),
    Operation::new("feature_dropout", DROPPED, "the same with one m for each channel of a sample", |call| {
        dropout(call, true)
    })
    .dropping("p", Some("train"))
    .view(),
    Operation::new("native_dropout", DROPPED, "as dropout", |call| Ok(unread(dropout(call, false)?, 1)))
        .dropping("p", Some("train")),
    Operation::new("alpha_dropout", DROPPED, "x; refused in training", alpha_dropout).view(),
    Operation::new("feature_alpha_dropout", DROPPED, "x; refused in training", alpha_dropout).view(),
];

const DROPPED: &[&str] = &["input", "self", "p", "train"];

/// The mask has a number for each, or one for each channel of a sample.
fn dropout(call: &Call, by_channel: bool) -> Results {
    // The one that writes over its argument calls it otherwise.
    let x = call.array(if call.argument("self").is_some() { "self" } else { "input" })?;
    if !call.flag("train", true)? {
        return one(x);
    }
    let mut mask = x.shape();
    if by_channel {
        if mask.len() < 2 {
            return Err(format!("{mask:?} has no channels"));
        }
        mask[2..].fill(1);
    }
    one(call.dropped(x, call.number("p", 0.5)?, &mask)?)
}

/// Only what it is at inference: its mask has other moments than zeros give.
fn alpha_dropout(call: &Call) -> Results {
    let p = call.number("p", 0.5)?;
    if call.flag("train", true)? && p != 0.0 {
        return Err("alpha dropout is not drawn here; export after model.eval()".to_owned());
    }
    one(call.array(if call.argument("self").is_some() { "self" } else { "input" })?)
}
