//! Every statement of the lecture notes, and some of the literature's, put to a measurement.
//!
//! A [`Claim`] has a statement as printed and one that is exact, and measures [`Evidence`]: checks of relations between
//! numbers, effects over seeds, key figures, plots. The [`Verdict`] is read from the evidence alone, by one rule for
//! all claims, so that other evidence gives another verdict. What theory expects of it stands in the registry, [`ALL`],
//! from before the measurement, and so do statements near it that are false, which its checks have to catch.
//! [`Workbench`] notes how inputs were prepared.
//!
//! Losses, kernels and factors of two follow the conventions of [`losscape_analysis`].

mod claim;
mod descent;
mod evidence;
mod false_statement;
mod flattens;
mod flows;
mod networks;
mod problem;
mod record;
mod settings;
mod training;
mod verdict;
mod workbench;

mod adam_moments;
mod basin_width_ratio;
mod batch_sharpness;
mod central_flow;
mod convergence_theorem;
mod descent_lemma;
mod edge;
mod edge_flow;
mod entropy_sgd_flattens;
mod flat_generalizes;
mod full_batch_sharper;
mod gradient_formula;
mod gradient_norm_rate;
mod hessian_width;
mod initialization_distance;
mod interpolating_sgd;
mod lazy_kernel;
mod linear_mode_connectivity;
mod lipschitz_pessimism;
mod llc_rank;
mod local_nonconvexity;
mod minimum_norm;
mod momentum_average;
mod momentum_rate;
mod momentum_variance;
mod nesterov_rate;
mod newton_step;
mod noise_covariance_hessian;
mod optimality_gap;
mod oscillation;
mod overparameterization;
mod pl_inequality;
mod pl_star;
mod progressive_sharpening;
mod quadratic_hessian;
mod reparameterization;
mod rmsprop_scaling;
mod rod_flow;
mod sam_flattens;
mod smoothness_bound;
mod spectrum_outliers;
mod step_bound;
mod swa_flattens;
mod tangent_kernel;

pub use claim::{Claim, Family};
pub use evidence::{Check, Effect, Evidence, Figure, Form, Heights, Interval, Pair, Plot, Relation, Series};
pub use false_statement::{FalseStatement, Gives};
pub use record::{ClaimFolder, ClaimRecord};
pub use settings::{ClaimSettings, Effort};
pub use verdict::{Expectation, Verdict, counterexample};
pub use workbench::Workbench;

/// Every claim, in the order of the notes.
pub const ALL: &[Claim] = &[
    gradient_formula::CLAIM,
    quadratic_hessian::CLAIM,
    step_bound::CLAIM,
    newton_step::CLAIM,
    smoothness_bound::CLAIM,
    gradient_norm_rate::CLAIM,
    basin_width_ratio::CLAIM,
    full_batch_sharper::CLAIM,
    flat_generalizes::CLAIM,
    sam_flattens::CLAIM,
    swa_flattens::CLAIM,
    entropy_sgd_flattens::CLAIM,
    linear_mode_connectivity::CLAIM,
    noise_covariance_hessian::CLAIM,
    llc_rank::CLAIM,
    oscillation::CLAIM,
    momentum_average::CLAIM,
    momentum_variance::CLAIM,
    momentum_rate::CLAIM,
    nesterov_rate::CLAIM,
    rmsprop_scaling::CLAIM,
    adam_moments::CLAIM,
    minimum_norm::CLAIM,
    overparameterization::CLAIM,
    local_nonconvexity::CLAIM,
    descent_lemma::CLAIM,
    optimality_gap::CLAIM,
    initialization_distance::CLAIM,
    lipschitz_pessimism::CLAIM,
    pl_inequality::CLAIM,
    tangent_kernel::CLAIM,
    pl_star::CLAIM,
    convergence_theorem::CLAIM,
    interpolating_sgd::CLAIM,
    edge::GD,
    edge::MOMENTUM,
    edge::NESTEROV,
    edge::ADAM,
    edge::SAM,
    edge::GRADIENT_NORM,
    progressive_sharpening::CLAIM,
    central_flow::CLAIM,
    rod_flow::CLAIM,
    edge_flow::CLAIM,
    batch_sharpness::CLAIM,
    lazy_kernel::CLAIM,
    hessian_width::CLAIM,
    reparameterization::CLAIM,
    spectrum_outliers::CLAIM,
];

/// The claim of that name.
#[must_use]
pub fn find(id: &str) -> Option<&'static Claim> {
    ALL.iter().find(|claim| claim.id == id)
}

/// The README's examples.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
pub struct Readme;
