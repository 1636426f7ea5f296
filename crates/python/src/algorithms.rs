//! What is learned by applying an operator: the algorithms of `losscape-krylov`, over any target.

use losscape_analysis::spectrum::{Spectrum, SpectrumSettings};
use losscape_krylov::trace::{hutch_plus_plus, hutchinson, xtrace};
use losscape_krylov::{ConjugateGradient, Eigensolver, KrylovError, MinRes, Quadrature, Shifted};
use pyo3::prelude::*;
use rand::SeedableRng;
use rand::rngs::ChaCha12Rng;
use serde_json::json;

use crate::error::Error;
use crate::operator::Target;
use crate::vector::{Numbers, block, matrix};
use crate::work::{Caller, run};

/// Eigenpairs at both ends: a record, and the unit vectors in rows.
#[pyfunction]
#[pyo3(signature = (
    operator, top, bottom, *, tolerance, probes, max_products, max_vectors, failure, seed, start, progress, dim, dtype
))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn eigenpairs<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    top: usize,
    bottom: usize,
    tolerance: f64,
    probes: usize,
    max_products: Option<usize>,
    max_vectors: Option<usize>,
    failure: f64,
    seed: u64,
    start: Option<&Bound<'py, PyAny>>,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<(String, Bound<'py, PyAny>)> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    let usual = Eigensolver::both(top, bottom);
    let solver = Eigensolver {
        tolerance,
        probes,
        failure,
        max_products: max_products.unwrap_or(usual.max_products),
        max_vectors: max_vectors.unwrap_or(usual.max_vectors),
        ..usual
    };
    let start = start.map(|start| block(start, &target.space())).transpose()?;
    let pairs = run(py, &Caller { matvec, progress }, move |desk| {
        let operator = target.on(desk, "eigenvalues", 0);
        Ok(solver.solve(&operator, start.as_ref(), &mut ChaCha12Rng::seed_from_u64(seed))?)
    })?;
    let record = json!({
        "top": pairs.top, "bottom": pairs.bottom, "unseen": pairs.unseen, "norm": pairs.norm,
        "products": pairs.products, "ended": pairs.ended, "tolerance": tolerance,
    });
    Ok((record.to_string(), matrix(py, pairs.vectors)?))
}

/// Both ends, trace, Frobenius norm and density: a record.
#[pyfunction]
#[pyo3(signature = (operator, top, bottom, *, tolerance, probes, trace, density, dense, seed, progress, dim, dtype))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn spectrum<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    top: usize,
    bottom: usize,
    tolerance: f64,
    probes: usize,
    trace: usize,
    density: Option<(usize, usize)>,
    dense: Option<usize>,
    seed: u64,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<String> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    let density = density.map(|(probes, steps)| Quadrature { probes, steps });
    let usual = SpectrumSettings::default();
    let settings =
        SpectrumSettings { top, bottom, tolerance, probes, trace, density, dense: dense.unwrap_or(usual.dense) };
    // Of a function it is not known what a product costs.
    let settings = match (&target, dense) {
        (_, Some(_)) => settings,
        (Target::Held(_, entries), None) => settings.for_products_of(*entries),
        (Target::Function(_), None) => settings.for_products_of(usize::MAX),
    };
    let spectrum = run(py, &Caller { matvec, progress }, move |desk| {
        let dim = target.space().dim;
        let operator = target.on(desk, "spectrum", if dim <= settings.dense { dim } else { settings.products() });
        Ok(Spectrum::measure(&operator, &settings, &mut ChaCha12Rng::seed_from_u64(seed))?)
    })?;
    Ok(serde_json::to_string(&spectrum).expect("records have only string keys"))
}

/// The spectral density: a record.
#[pyfunction]
#[pyo3(signature = (operator, probes, steps, *, seed, progress, dim, dtype))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn density<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    probes: usize,
    steps: usize,
    seed: u64,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<String> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    let density = run(py, &Caller { matvec, progress }, move |desk| {
        let operator = target.on(desk, "density", probes * steps);
        Ok(Quadrature { probes, steps }.run(&operator, &mut ChaCha12Rng::seed_from_u64(seed))?)
    })?;
    Ok(serde_json::to_string(&density).expect("records have only string keys"))
}

/// The trace from so many products: a record.
#[pyfunction]
#[pyo3(signature = (operator, products, *, method, seed, progress, dim, dtype))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn trace<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    products: usize,
    method: &str,
    seed: u64,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<String> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    type Estimator =
        fn(&crate::operator::Watched, usize, &mut ChaCha12Rng) -> Result<losscape_krylov::Estimate, KrylovError>;
    let estimator: Estimator = match method {
        "hutchinson" => |operator, products, random| Ok(hutchinson(operator, products, random)?.0),
        "hutch++" => |operator, products, random| hutch_plus_plus(operator, products, random),
        "xtrace" => |operator, products, random| xtrace(operator, products, random),
        _ => {
            let words = format!("no estimator `{method}`; known are hutchinson, hutch++, xtrace");
            return Err(Error::new_err(words));
        }
    };
    let estimate = run(py, &Caller { matvec, progress }, move |desk| {
        let operator = target.on(desk, "trace", products);
        Ok(estimator(&operator, products, &mut ChaCha12Rng::seed_from_u64(seed))?)
    })?;
    Ok(serde_json::to_string(&estimate).expect("records have only string keys"))
}

/// The diagonal from so many products: entries, their standard errors, probes, products.
#[pyfunction]
#[pyo3(signature = (operator, products, *, seed, progress, dim, dtype))]
pub fn diagonal<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    products: usize,
    seed: u64,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<(Bound<'py, PyAny>, Bound<'py, PyAny>, usize, usize)> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    let found = run(py, &Caller { matvec, progress }, move |desk| {
        let operator = target.on(desk, "diagonal", products);
        Ok(losscape_krylov::diagonal(&operator, products, &mut ChaCha12Rng::seed_from_u64(seed))?)
    })?;
    let array = |tensor| Numbers::of(tensor).into_array(py);
    Ok((array(found.values), array(found.sem), found.probes, found.products))
}

/// The solution of `(A + damping) x = b`: x, and a record.
#[pyfunction]
#[pyo3(signature = (operator, b, *, method, damping, tolerance, max_products, progress, dim, dtype))]
#[expect(clippy::too_many_arguments, reason = "they have names in Python")]
pub fn solve<'py>(
    py: Python<'py>,
    operator: &Bound<'py, PyAny>,
    b: &Bound<'py, PyAny>,
    method: &str,
    damping: f64,
    tolerance: f64,
    max_products: usize,
    progress: Option<Bound<'py, PyAny>>,
    dim: Option<usize>,
    dtype: &str,
) -> PyResult<(Bound<'py, PyAny>, String)> {
    let (target, matvec) = Target::read(operator, dim, dtype)?;
    let definite = match method {
        "cg" => true,
        "minres" => false,
        _ => return Err(Error::new_err(format!("no method `{method}`; known are cg, minres"))),
    };
    let b = Numbers::extract(b, target.space().dtype)?.into_tensor(&target.space());
    let solution = run(py, &Caller { matvec, progress }, move |desk| {
        let operator = Shifted { operator: target.on(desk, "solution", 0), shift: damping };
        Ok(if definite {
            ConjugateGradient { tolerance, max_products }.solve(&operator, &b)?
        } else {
            MinRes { tolerance, max_products }.solve(&operator, &b)?
        })
    })?;
    let record = json!({
        "residual": solution.residual, "products": solution.products, "ended": solution.ended, "tolerance": tolerance,
    });
    Ok((Numbers::of(solution.x).into_array(py), record.to_string()))
}
