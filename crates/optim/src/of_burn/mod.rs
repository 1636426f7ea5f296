//! Burn's own rules, with Burn's defaults unless a setting says otherwise: a file each.
//!
//! Burn reads their states in the device's default type, so that none comes back as it was in f64.
//!
//! A configuration that asks for one of them in f64 is therefore refused, and told why.

pub mod adafactor;
pub mod adagrad;
pub mod adam;
pub mod adamw;
pub mod adan;
pub mod lamb;
pub mod lion;
pub mod rmsprop;
pub mod sgd;
