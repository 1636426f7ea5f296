//! The search: Rayleigh-Ritz on a growing Krylov space, with restarts and probes.

use std::collections::VecDeque;

use burn::tensor::Tensor;
use rand::Rng;

use super::pairs::{Eigenpairs, Eigenvalue, error_bounds};
use super::unseen::{self, End, Look, Unseen};
use crate::basis::{Orthogonal, Products, Rows, host, norm};
use crate::dense::eigenpairs_of;
use crate::ended::Ended;
use crate::error::KrylovError;
use crate::lanczos::{breakdown, checked};
use crate::operator::{Space, SymmetricOperator};

/// What to look for, and how hard.
///
/// ```
/// use burn::tensor::{Device, Tensor};
/// use losscape_krylov::{Diagonal, Eigensolver};
/// use rand::{SeedableRng, rngs::ChaCha12Rng};
///
/// let diagonal: Vec<f32> = (0..400).map(|i| if i < 3 { 7.0 } else { 1.0 / i as f32 }).collect();
/// let operator = Diagonal(Tensor::from_data(diagonal.as_slice(), &Device::flex()));
/// let found = Eigensolver::top(4).solve(&operator, None, &mut ChaCha12Rng::seed_from_u64(0))?;
/// // The triple eigenvalue is found three times.
/// for (pair, expected) in found.top.iter().zip([7.0, 7.0, 7.0, 1.0 / 3.0]) {
///     assert!((pair.value - expected).abs() <= pair.error_bound);
/// }
/// # Ok::<(), losscape_krylov::KrylovError>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Eigensolver {
    /// How many of the largest eigenvalues.
    pub top: usize,
    /// How many of the smallest (most negative) ones.
    pub bottom: usize,
    /// Residual norms at most this, relative to the norm of the operator. Default: 1e-4. Where rounding is in the way,
    /// twice that of a product (`2 ϵ √n`, or `ϵ (√n + 30)` in few dimensions) is as much as is asked for.
    pub tolerance: f64,
    /// Products allowed, at least one for each eigenvalue. Default: 100 + 50 for each eigenvalue.
    pub max_products: usize,
    /// Vectors of the basis before a restart; as many products are kept beside them. Default: 60 + 4 for each
    /// eigenvalue.
    pub max_vectors: usize,
    /// Products that probes for missed eigenvalues may take without finding one, once everything has converged.
    /// Default: 24.
    pub probes: usize,
    /// The probability p that more hides than [`Unseen`] says. Default: 0.001.
    pub failure: f64,
}

impl Eigensolver {
    /// The `k` largest eigenvalues.
    #[must_use]
    pub fn top(k: usize) -> Self {
        Self::both(k, 0)
    }

    /// The `k` smallest eigenvalues.
    #[must_use]
    pub fn bottom(k: usize) -> Self {
        Self::both(0, k)
    }

    /// So many of the largest and of the smallest eigenvalues, from one Krylov space.
    #[must_use]
    pub fn both(top: usize, bottom: usize) -> Self {
        let wanted = top + bottom;
        Self {
            top,
            bottom,
            tolerance: 1e-4,
            max_products: 100 + 50 * wanted,
            max_vectors: 60 + 4 * wanted,
            probes: 24,
            failure: 1e-3,
        }
    }

    /// Sets the tolerance.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: f64) -> Self {
        self.tolerance = tolerance;
        self
    }

    /// Finds them. `start`, rows of any length, are approximate eigenvectors from a similar operator; without them, a
    /// random vector is drawn.
    ///
    /// # Errors
    ///
    /// When more eigenvalues are asked for than the operator has, `start` has another number of columns, a setting is
    /// out of range, or a product is not finite.
    pub fn solve(
        &self,
        operator: &(impl SymmetricOperator + ?Sized),
        start: Option<&Tensor<2>>,
        random: &mut impl Rng,
    ) -> Result<Eigenpairs, KrylovError> {
        let space = operator.space();
        self.check(&space)?;
        if self.top + self.bottom == 0 {
            return Err(KrylovError::Setting { name: "top + bottom", value: 0.0, must: "at least one eigenvalue" });
        }
        let mut search = Search::new(operator, self);
        match start {
            Some(start) => search.warm(start)?,
            None => search.fresh(random),
        }
        search.run(random)
    }

    /// Bytes that a search takes at its peak beside those of a product, with vectors of `dim` entries of so many bytes:
    /// the basis, its products, and what of these leads out of it.
    #[must_use]
    pub fn memory(&self, dim: usize, bytes: usize) -> usize {
        (3 * self.max_vectors * bytes).saturating_mul(dim)
    }

    fn check(&self, space: &Space) -> Result<(), KrylovError> {
        let asked = self.top + self.bottom;
        if asked > space.dim {
            return Err(KrylovError::TooMany { asked, dim: space.dim });
        }
        let settings = [
            ("tolerance", self.tolerance, self.tolerance > 0.0, "positive"),
            ("failure", self.failure, self.failure > 0.0 && self.failure < 1.0, "a probability between 0 and 1"),
            ("max_products", self.max_products as f64, self.max_products >= asked, "one for each eigenvalue asked for"),
            (
                "max_vectors",
                self.max_vectors as f64,
                self.max_vectors >= (asked + 4).min(space.dim),
                "at least four more than the eigenvalues asked for",
            ),
        ];
        match settings.into_iter().find(|setting| !setting.2) {
            Some((name, value, _, must)) => Err(KrylovError::Setting { name, value, must }),
            None => Ok(()),
        }
    }
}

/// A vector waiting to join the basis, and the length of the basis that it is orthogonal to already.
struct Candidate {
    vector: Tensor<1>,
    against: usize,
    /// The length that its orthogonal part is to be compared with.
    scale: f64,
}

/// The Ritz pairs at one moment.
struct Ritz {
    /// Ascending.
    values: Vec<f64>,
    vectors: Vec<Vec<f64>>,
}

/// The wanted Ritz pairs as vectors of the whole space.
struct Formed {
    /// `V s`, in rows.
    vectors: Tensor<2>,
    /// `W s − θ V s`, in rows.
    remainders: Tensor<2>,
    /// Norms of the remainders, and their rounding.
    residuals: Vec<f64>,
}

/// A Krylov space started to see what is missing.
struct Probe {
    /// Where its vectors start in the basis.
    base: usize,
    /// `C Cᵀ` of the basis before it, row by row.
    coupling: Vec<f64>,
    /// The length that was left when it broke down.
    remainder: Option<f64>,
}

/// A search under way.
struct Search<'a, A: ?Sized> {
    settings: &'a Eigensolver,
    space: Space,
    products: Products<'a, A>,
    /// A power of two that products are divided by, near the norm of the first: what is searched is an operator of
    /// about norm one, whose residuals have squares in the float type's range.
    unit: Option<f64>,
    basis: Rows,
    images: Rows,
    /// `V A Vᵀ`: row j holds the products of image j with the basis up to j.
    projected: Vec<Vec<f64>>,
    queue: VecDeque<Candidate>,
    /// The largest |θ| or norm of a product with a unit vector met.
    size: f64,
    probe: Option<Probe>,
    /// Whether the basis holds more than one Krylov space: then what leads out of it is no longer one direction for
    /// all Ritz pairs.
    mixed: bool,
    /// Products spent on probes since the values asked for last changed.
    probed: usize,
    /// The values asked for when they last changed.
    settled: Vec<f64>,
    /// Restarts so far.
    restarts: usize,
    /// Looks at probes so far, and the products done at the last.
    looks: (usize, usize),
    unseen: Unseen,
}

impl<'a, A: SymmetricOperator + ?Sized> Search<'a, A> {
    fn new(operator: &'a A, settings: &'a Eigensolver) -> Self {
        let space = operator.space();
        Self {
            settings,
            products: Products { operator, done: 0 },
            unit: None,
            basis: Rows::new(space.clone()),
            images: Rows::new(space.clone()),
            projected: Vec::new(),
            queue: VecDeque::new(),
            size: 0.0,
            probe: None,
            mixed: false,
            probed: 0,
            settled: Vec::new(),
            restarts: 0,
            looks: (0, 0),
            unseen: Unseen { above: None, below: None, failure: settings.failure },
            space,
        }
    }

    /// Begins a Krylov space of a random vector.
    fn fresh(&mut self, random: &mut impl Rng) {
        let vector = self.space.normal(random);
        let scale = norm(&vector);
        self.queue = VecDeque::from([Candidate { vector, against: 0, scale }]);
    }

    /// Takes approximate eigenvectors into the basis; the search goes on from the residuals of their Ritz pairs.
    fn warm(&mut self, start: &Tensor<2>) -> Result<(), KrylovError> {
        for row in 0..start.dims()[0].min(self.settings.max_vectors.saturating_sub(2)) {
            let vector: Tensor<1> = start.clone().narrow(0, row, 1).squeeze_dim(0);
            let vector = vector.to_device(&self.space.device).cast(self.space.dtype);
            let scale = checked(&self.space, &vector)?;
            self.queue.push_back(Candidate { vector, against: 0, scale });
            self.expand()?;
            self.queue.clear();
        }
        self.mixed = true;
        Ok(())
    }

    fn run(mut self, random: &mut impl Rng) -> Result<Eigenpairs, KrylovError> {
        let wanted = self.settings.top + self.settings.bottom;
        let mut look_at = wanted;
        // Products done when the queue was last filled with residuals.
        let mut refilled = None;
        loop {
            let length = self.basis.len();
            if self.queue.is_empty() || length >= look_at {
                let ritz = self.ritz(0)?;
                self.size = ritz.values.iter().fold(0.0, |size: f64, value| size.max(value.abs()));
                if self.is_far(&ritz) {
                    look_at = self.next_look(self.stride());
                    continue;
                }
                let pairs = self.form(&ritz);
                let open: Vec<usize> =
                    (0..pairs.residuals.len()).filter(|&at| pairs.residuals[at] > self.allowed()).collect();
                let converged = length >= wanted && open.is_empty();
                if length == self.space.dim {
                    return self.finish(&ritz, pairs, Ended::InvariantSubspace);
                }
                if converged {
                    self.settle(&ritz);
                }
                if converged && (self.probed >= self.settings.probes || self.is_certain(&ritz)?) {
                    return self.finish(&ritz, pairs, Ended::Converged);
                }
                if self.products.done >= self.settings.max_products {
                    return self.finish(&ritz, pairs, Ended::Budget);
                }
                let full = length >= self.settings.max_vectors;
                if !open.is_empty() && (self.queue.is_empty() || self.mixed) {
                    if refilled == Some(self.products.done) {
                        return self.finish(&ritz, pairs, Ended::Stagnated);
                    }
                    refilled = Some(self.products.done);
                    self.end_probe(&ritz)?;
                    self.queue = open.into_iter().map(|at| self.candidate(&pairs.remainders, at)).collect();
                }
                let probes = self.queue.is_empty() || converged && self.probe.is_none();
                if full || probes && length + self.shortest_probe() > self.settings.max_vectors {
                    self.end_probe(&ritz)?;
                    self.restart(&ritz);
                }
                if probes || converged && self.probe.is_none() {
                    self.end_probe(&ritz)?;
                    self.probe = Some(Probe { base: self.basis.len(), coupling: self.coupling(), remainder: None });
                    self.mixed = true;
                    self.fresh(random);
                }
                let step = match &self.probe {
                    // Before that a probe bounds nothing.
                    Some(probe) if probe.base == self.basis.len() => self.shortest_probe(),
                    _ => self.stride(),
                };
                let left = self.settings.probes.saturating_sub(self.probed).max(1);
                let step = if self.probe.is_some() { step.min(left) } else { step };
                look_at = self.next_look(step);
            }
            self.expand()?;
        }
    }

    /// Products from one look to the next: a look at one Krylov space costs little, see [`is_far`](Self::is_far), one
    /// at several about half a product.
    fn stride(&self) -> usize {
        if self.mixed { (self.basis.len() / 8).max(3) } else { (self.basis.len() / 16).max(1) }
    }

    /// The length of the basis at which to look again, after so many products more.
    fn next_look(&self, step: usize) -> usize {
        let step = step.min(self.settings.max_products - self.products.done);
        let wanted = self.settings.top + self.settings.bottom;
        (self.basis.len() + step).max(wanted).min(self.settings.max_vectors).min(self.space.dim)
    }

    /// Whether residuals need not be formed to see that some are too large: with a basis of one Krylov space, whose
    /// remainder is `r`, the residual of the Ritz pair of `s` has the norm `‖r‖ |s_m|` (Parlett 1998, §13.2).
    fn is_far(&self, ritz: &Ritz) -> bool {
        let length = self.basis.len();
        let (1, false) = (self.queue.len(), self.mixed) else { return false };
        let last = length >= self.settings.max_vectors.min(self.space.dim);
        if last || self.products.done >= self.settings.max_products {
            return false;
        }
        let remainder = norm(&self.queue[0].vector);
        let residual = |at: usize| remainder * ritz.vectors[at].last().map_or(0.0, |last| last.abs());
        self.wanted(ritz.values.len()).into_iter().any(|at| residual(at) > self.allowed())
    }

    /// Multiplies the next candidate, if it leads out of the basis, and takes it in; what the product adds is a
    /// candidate in its turn.
    fn expand(&mut self) -> Result<(), KrylovError> {
        let Some(Candidate { vector, against, scale }) = self.queue.pop_front() else { return Ok(()) };
        let (vector, length) = if against == self.basis.len() {
            let length = norm(&vector);
            (vector, length)
        } else {
            let Orthogonal { rest, length, .. } = self.basis.orthogonalize(vector);
            (rest, length)
        };
        if length <= breakdown(&self.space, scale) {
            if let Some(probe) = &mut self.probe {
                probe.remainder = Some(length);
            }
            return Ok(());
        }
        let vector = vector / length;
        let image = self.product(vector.clone())?;
        self.probed += usize::from(self.probe.is_some());
        self.size = self.size.max(norm(&image));
        self.basis.push(vector);
        self.images.push(image.clone());
        let Orthogonal { rest, along, .. } = self.basis.orthogonalize(image);
        self.projected.push(along);
        self.queue.push_back(Candidate { vector: rest, against: self.basis.len(), scale: self.size });
        Ok(())
    }

    /// The operator's product over the unit.
    fn product(&mut self, vector: Tensor<1>) -> Result<Tensor<1>, KrylovError> {
        let image = self.products.apply(vector)?;
        let unit = match self.unit {
            Some(unit) => unit,
            None => {
                let length = norm(&image);
                let unit = if length > 0.0 { length.log2().round().exp2() } else { return Ok(image) };
                // Ordinary operators stay as they are.
                *self.unit.insert(if (1e-3..=1e3).contains(&unit) { 1.0 } else { unit })
            }
        };
        Ok(if unit == 1.0 { image } else { image / unit })
    }

    /// Begins to count probes anew when they have changed what was asked for.
    fn settle(&mut self, ritz: &Ritz) {
        let values: Vec<f64> = self.wanted(ritz.values.len()).into_iter().map(|at| ritz.values[at]).collect();
        let moved = |(now, before): (&f64, &f64)| (now - before).abs() > self.allowed();
        if values.len() != self.settled.len() || values.iter().zip(&self.settled).any(moved) {
            (self.settled, self.probed) = (values, 0);
        }
    }

    /// The residual of a wanted pair as a candidate.
    fn candidate(&self, remainders: &Tensor<2>, at: usize) -> Candidate {
        let vector = remainders.clone().narrow(0, at, 1).squeeze_dim(0);
        Candidate { vector, against: 0, scale: self.size }
    }

    /// The projection on the basis vectors in a range, row by row.
    fn projection(&self, range: std::ops::Range<usize>) -> Vec<f64> {
        let entry = |row: usize, column: usize| self.projected[row.max(column)][row.min(column)];
        range.clone().flat_map(|row| range.clone().map(move |column| entry(row, column))).collect()
    }

    /// Eigenpairs of the projection on the basis vectors from `first` on.
    fn ritz(&self, first: usize) -> Result<Ritz, KrylovError> {
        let (values, vectors) = eigenpairs_of(self.basis.len() - first, &self.projection(first..self.basis.len()))?;
        Ok(Ritz { values, vectors })
    }

    /// Indices of the wanted pairs among so many in ascending order: the largest in descending order, then the smallest
    /// in ascending order.
    fn wanted(&self, found: usize) -> Vec<usize> {
        let top = self.settings.top.min(found);
        let bottom = self.settings.bottom.min(found - top);
        (0..top).map(|at| found - 1 - at).chain(0..bottom).collect()
    }

    /// The wanted pairs.
    fn form(&self, ritz: &Ritz) -> Formed {
        let wanted = self.wanted(ritz.values.len());
        let coefficients: Vec<Vec<f64>> = wanted.iter().map(|&at| ritz.vectors[at].clone()).collect();
        let values = self.space.matrix(wanted.iter().map(|&at| ritz.values[at]).collect(), [wanted.len(), 1]);
        let vectors = self.basis.combine(&coefficients);
        let remainders = self.images.combine(&coefficients) - vectors.clone() * values;
        // Restarts leave the basis orthonormal to less than rounding.
        let lengths = vectors.clone().square().sum_dim(1).sqrt();
        let (vectors, remainders) = (vectors / lengths.clone(), remainders / lengths);
        let drift = self.drift();
        let residuals =
            host(remainders.clone().square().sum_dim(1).sqrt()).into_iter().map(|norm| norm + drift).collect();
        Formed { vectors, remainders, residuals }
    }

    /// The rounding of a product.
    fn floor(&self) -> f64 {
        self.space.rounding() * self.size
    }

    /// The rounding of a product that is kept, and combined with others at every restart.
    fn drift(&self) -> f64 {
        let combined = (self.restarts * self.settings.max_vectors) as f64;
        self.floor() + self.space.epsilon() * combined.sqrt() * self.size
    }

    /// The residual norm that counts as converged.
    fn allowed(&self) -> f64 {
        let reachable = self.drift() + self.floor().max(30.0 * self.space.epsilon() * self.size);
        (self.settings.tolerance * self.size).max(reachable)
    }

    /// Replaces the basis by the Ritz vectors nearest to either end that is asked for: all wanted ones, and a third of
    /// the rest of the room.
    fn restart(&mut self, ritz: &Ritz) {
        self.restarts += 1;
        for candidate in &mut self.queue {
            candidate.vector = self.basis.orthogonalize(candidate.vector.clone()).rest;
        }
        let (found, top, bottom) = (ritz.values.len(), self.settings.top, self.settings.bottom);
        let ends = usize::from(top > 0) + usize::from(bottom > 0);
        // A space that broke down early may hold fewer than are asked for.
        let extra = found.saturating_sub(top + bottom) / (3 * ends);
        let more = |asked: usize| if asked > 0 { (asked + extra).min(found) } else { 0 };
        let low = more(bottom);
        let kept: Vec<usize> = (0..low).chain((found - more(top)).max(low)..found).collect();
        let coefficients: Vec<Vec<f64>> = kept.iter().map(|&at| ritz.vectors[at].clone()).collect();
        self.basis = self.basis.rotate(&coefficients);
        self.images = self.images.rotate(&coefficients);
        self.projected = kept
            .iter()
            .enumerate()
            .map(|(row, &at)| {
                let mut along = vec![0.0; row + 1];
                along[row] = ritz.values[at];
                along
            })
            .collect();
        for candidate in &mut self.queue {
            candidate.against = self.basis.len();
        }
    }

    /// `C Cᵀ`, from `C = W − H V`: the difference of `W Wᵀ` and `H²` would leave only half of the digits.
    fn coupling(&self) -> Vec<f64> {
        let size = self.basis.len();
        let projection: Vec<Vec<f64>> = self.projection(0..size).chunks(size.max(1)).map(<[f64]>::to_vec).collect();
        self.images.minus(&self.basis, &projection).gram()
    }

    /// What the probe under way tells, if it has begun. A look spends a share of the failure probability; looking again
    /// at the same costs nothing.
    fn look(&mut self) -> Result<Option<Look<'_>>, KrylovError> {
        let done = self.products.done;
        let Some(base) = self.probe.as_ref().map(|probe| probe.base) else { return Ok(None) };
        if self.looks.1 != done {
            self.looks = (self.looks.0 + 1, done);
        }
        if self.basis.len() == base {
            return Ok(None);
        }
        let (values, projection) = (self.ritz(base)?.values, self.projection(0..base));
        let (left, failure) = (self.space.dim - base, self.failure(self.looks.0));
        let (smallest, floor) = (self.space.epsilon() * self.size, self.floor());
        Ok(self.probe.as_ref().map(|probe| Look {
            values,
            remainder: probe.remainder.map(|remainder| remainder.max(smallest)),
            projection,
            coupling: &probe.coupling,
            left,
            failure,
            floor,
        }))
    }

    /// The failure probability that one bound at one end may have at look i.
    fn failure(&self, look: usize) -> f64 {
        self.settings.failure / (4 * look * (look + 1)) as f64
    }

    /// Steps after which a probe has an ε of 0.4, and bounds the complement's spectrum by six times its own width.
    fn shortest_probe(&self) -> usize {
        let epsilon = unseen::epsilon(self.failure(self.looks.0 + 1), 1, self.space.dim);
        (epsilon / 0.4).sqrt().midpoint(1.0).ceil() as usize
    }

    /// The ends that are asked for, with how many values and the last of them (for the lower end, of −A).
    fn ends(&self, ritz: &Ritz) -> Vec<(End, usize, f64)> {
        let (top, bottom) = (self.settings.top, self.settings.bottom);
        let mut ends = Vec::new();
        if top > 0 {
            ends.push((End::Top, top, ritz.values[ritz.values.len() - top]));
        }
        if bottom > 0 {
            ends.push((End::Bottom, bottom, -ritz.values[bottom - 1]));
        }
        ends
    }

    /// Whether nothing can hide beyond the last value asked for by more than the tolerance.
    fn is_certain(&mut self, ritz: &Ritz) -> Result<bool, KrylovError> {
        let (ends, allowed) = (self.ends(ritz), self.allowed());
        let Some(look) = self.look()? else { return Ok(false) };
        for (end, asked, last) in ends {
            if !look.none_beyond(end, asked, last + allowed)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Ends the probe under way; what it bounds stays.
    fn end_probe(&mut self, ritz: &Ritz) -> Result<(), KrylovError> {
        if ritz.values.len() >= self.settings.top + self.settings.bottom {
            let (ends, allowed, size) = (self.ends(ritz), self.allowed(), self.size);
            let mut bounds = Vec::new();
            if let Some(look) = self.look()? {
                for (end, asked, last) in ends {
                    bounds.push((end, look.bound(end, asked, last + allowed, last + 4.0 * size, 1e-3 * size)?));
                }
            }
            bounds.into_iter().for_each(|(end, bound)| self.unseen.lower(end, bound));
        }
        self.probe = None;
        Ok(())
    }

    fn finish(mut self, ritz: &Ritz, formed: Formed, ended: Ended) -> Result<Eigenpairs, KrylovError> {
        let Formed { vectors, residuals, .. } = formed;
        let wanted = self.wanted(ritz.values.len());
        let floor = self.floor();
        self.end_probe(ritz)?;
        if ended == Ended::InvariantSubspace {
            for (end, _, last) in self.ends(ritz) {
                self.unseen.lower(end, Some(last + floor));
            }
        }
        let unit = self.unit.unwrap_or(1.0);
        let values: Vec<f64> = wanted.iter().map(|&at| ritz.values[at]).collect();
        let bounds = error_bounds(&values, &residuals, floor);
        let mut pairs = values.iter().zip(residuals).zip(bounds).map(|((value, residual), bound)| Eigenvalue {
            value: value * unit,
            residual: residual * unit,
            error_bound: bound * unit,
        });
        let top = pairs.by_ref().take(self.settings.top).collect();
        Ok(Eigenpairs {
            top,
            bottom: pairs.collect(),
            vectors,
            unseen: self.unseen.in_units_of(unit),
            norm: self.size * unit,
            products: self.products.done,
            ended,
        })
    }
}
