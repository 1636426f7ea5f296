#![doc = include_str!("../README.md")]

pub use losscape_analysis as analysis;
pub use losscape_claims as claims;
pub use losscape_exchange as exchange;
pub use losscape_flow as flow;
pub use losscape_krylov as krylov;
pub use losscape_lab as lab;
pub use losscape_model as model;
pub use losscape_optim as optim;
pub use losscape_report as report;
pub use losscape_study as study;
pub use losscape_tangent as tangent;
