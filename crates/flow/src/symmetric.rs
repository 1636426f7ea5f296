//! Small symmetric matrices on the host, as vectors in which the Frobenius product is the usual one.

use losscape_krylov::KrylovError;
use losscape_krylov::dense::eigenpairs_of;

/// A symmetric k × k matrix as `(x_11, √2 x_12, …, x_22, …)`, its upper triangle row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct Symmetric {
    pub size: usize,
    pub entries: Vec<f64>,
}

/// The places of the upper triangle, row by row.
pub fn places(size: usize) -> impl Iterator<Item = (usize, usize)> {
    (0..size).flat_map(move |row| (row..size).map(move |column| (row, column)))
}

/// By what an entry of the upper triangle is multiplied in the vector.
pub fn weight((row, column): (usize, usize)) -> f64 {
    if row == column { 1.0 } else { std::f64::consts::SQRT_2 }
}

impl Symmetric {
    pub fn zeros(size: usize) -> Self {
        Self { size, entries: vec![0.0; size * (size + 1) / 2] }
    }

    /// With these entries in the upper triangle.
    pub fn of(size: usize, mut entry: impl FnMut(usize, usize) -> f64) -> Self {
        let entries = places(size).map(|at| weight(at) * entry(at.0, at.1)).collect();
        Self { size, entries }
    }

    /// Its entries, row by row.
    pub fn rows(&self) -> Vec<f64> {
        let mut rows = vec![0.0; self.size * self.size];
        for (at, entry) in places(self.size).zip(&self.entries) {
            rows[at.0 * self.size + at.1] = entry / weight(at);
            rows[at.1 * self.size + at.0] = entry / weight(at);
        }
        rows
    }

    pub fn trace(&self) -> f64 {
        places(self.size).zip(&self.entries).filter(|((row, column), _)| row == column).map(|(_, entry)| entry).sum()
    }

    pub fn norm(&self) -> f64 {
        self.inner(self).sqrt()
    }

    pub fn inner(&self, other: &Self) -> f64 {
        self.entries.iter().zip(&other.entries).map(|(a, b)| a * b).sum()
    }

    /// `self + factor other`.
    pub fn plus(&self, factor: f64, other: &Self) -> Self {
        let entries = self.entries.iter().zip(&other.entries).map(|(a, b)| a + factor * b).collect();
        Self { size: self.size, entries }
    }

    /// Eigenvalues in ascending order with their eigenvectors.
    pub fn eigenpairs(&self) -> Result<(Vec<f64>, Vec<Vec<f64>>), KrylovError> {
        eigenpairs_of(self.size, &self.rows())
    }

    /// The nearest matrix without negative eigenvalues.
    pub fn positive_part(&self) -> Result<Self, KrylovError> {
        let (values, vectors) = self.eigenpairs()?;
        Ok(Self::of(self.size, |row, column| {
            let pairs = values.iter().zip(&vectors).filter(|(value, _)| **value > 0.0);
            pairs.map(|(value, vector)| value * vector[row] * vector[column]).sum()
        }))
    }
}
