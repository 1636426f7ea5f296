//! Eigenpairs at either end of the spectrum, with bounds on their errors and on what may have been missed.
//!
//! # Method
//!
//! Rayleigh-Ritz on a growing Krylov space with full orthogonalization and thick restarts (Wu & Simon 2000; Stewart
//! 2001). The basis V and the products W = A V are both kept, so that the residual `‖A x − θ x‖` of a Ritz pair is
//! calculated from W and V, not taken from a recurrence.
//!
//! A Krylov space of one start vector holds only one vector of each eigenspace, so a multiple eigenvalue is found once,
//! and one whose eigenvector happens to be nearly orthogonal to the start may be overlooked. Therefore, when everything
//! asked for has converged, *probes* follow: a fresh random vector orthogonal to V starts a Krylov space of its own,
//! that of B, which is A restricted to the complement of V. What it brings to light joins the rest.
//!
//! [`unseen`](self::Unseen) says what may have been missed all the same.
//!
//! # What it costs
//!
//! In a Krylov space of one start a residual has the norm `‖r‖ |s_m|`, with the last remainder r and the last entry
//! `s_m` of the Ritz vector in the basis (Parlett 1998, §13.2). It costs little to look at it after every product.
//! Residuals are formed from W and V when it is low enough, once. The products that follow are those of the probes.
//!
//! # Error bounds
//!
//! For Ritz pairs with residual norms r_i there are as many eigenvalues, each paired with one θ_i, within the root of
//! the sum of r_i² over a cluster of overlapping intervals (Kahan; Parlett 1998, Theorem 11.5.1, with the Frobenius
//! norm for the spectral one). To this the rounding of a product is added, `ϵ √n ‖A‖`.
//!
//! A reported residual carries its rounding too, so that who calculates it again finds no more: that of a product, and
//! `ϵ √(m r)` after r restarts that each combined m vectors. A tolerance below twice the rounding of a product is
//! raised to that, since less cannot be reached.

mod pairs;
mod search;
mod unseen;

pub use pairs::{Eigenpairs, Eigenvalue};
pub use search::Eigensolver;
pub use unseen::Unseen;
