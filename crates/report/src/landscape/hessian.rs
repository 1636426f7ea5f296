//! Spectra of Hessian, Gauss-Newton matrix, residual part and Fisher matrix, and their densities.

use losscape_lab::Analysis;
use losscape_lab::measure::hessian::{Ended, Estimate, FISHER, GAUSS_NEWTON, HESSIAN, RESIDUAL, Spectrum};

use super::{Page, Section, row, with_error};
use crate::figure::{BLUE, Chart, Curve, Figure, GREEN, ORANGE};
use crate::number;
use crate::table::Table;

pub(super) const PAGE: Page =
    Page { measure: "hessian", section, figures: |analysis| density(analysis).into_iter().collect() };

fn section(analysis: &Analysis) -> Option<Section> {
    let all = [("H", HESSIAN), ("G", GAUSS_NEWTON), ("R", RESIDUAL), ("Fisher", FISHER)];
    let measured = all.into_iter().filter_map(|(name, section)| Some((name, analysis.get(section)?)));
    let measured: Vec<(&str, Spectrum)> = measured.collect();
    let most = measured.iter().map(|(_, spectrum)| spectrum.top.len()).max()?;
    let mut rows = Vec::new();
    for at in 0..most {
        let cell = |spectrum: &Spectrum| {
            spectrum.top.get(at).map_or_else(String::new, |pair| with_error(pair.value, Some(pair.error_bound)))
        };
        rows.push(row(&format!("λ{}", at + 1), measured.iter().map(|(_, spectrum)| cell(spectrum))));
    }
    let most = measured.iter().map(|(_, spectrum)| spectrum.bottom.len()).max().unwrap_or(0);
    for at in (0..most).rev() {
        let cell = |spectrum: &Spectrum| {
            spectrum.bottom.get(at).map_or_else(String::new, |pair| with_error(pair.value, Some(pair.error_bound)))
        };
        let name = if at == 0 { "smallest".to_owned() } else { format!("smallest but {at}") };
        rows.push(row(&name, measured.iter().map(|(_, spectrum)| cell(spectrum))));
    }
    let estimate = |estimate: Option<Estimate>| {
        estimate.map_or_else(String::new, |estimate| with_error(estimate.mean, estimate.sem))
    };
    rows.push(row("trace", measured.iter().map(|(_, spectrum)| estimate(spectrum.trace))));
    rows.push(row("Frobenius norm", measured.iter().map(|(_, spectrum)| estimate(spectrum.frobenius))));
    // How large an eigenvalue can be that was not found, if that is known.
    let unseen = |spectrum: &Spectrum, bound: Option<f64>, asked: bool| match bound {
        _ if spectrum.ended == Ended::InvariantSubspace || !asked => String::new(),
        Some(bound) => number(bound),
        None => "unknown".to_owned(),
    };
    if measured.iter().any(|(_, spectrum)| spectrum.ended != Ended::InvariantSubspace) {
        let above = |spectrum: &Spectrum| unseen(spectrum, spectrum.unseen.above, !spectrum.top.is_empty());
        let below = |spectrum: &Spectrum| unseen(spectrum, spectrum.unseen.below, !spectrum.bottom.is_empty());
        rows.push(row("no others above", measured.iter().map(|(_, spectrum)| above(spectrum))));
        rows.push(row("no others below", measured.iter().map(|(_, spectrum)| below(spectrum))));
    }
    let ended = |spectrum: &Spectrum| match spectrum.ended {
        Ended::InvariantSubspace => "exact".to_owned(),
        Ended::Converged => "converged".to_owned(),
        Ended::Stagnated => "stagnated: wide bounds".to_owned(),
        _ => "out of products: wide bounds".to_owned(),
    };
    rows.push(row("ended", measured.iter().map(|(_, spectrum)| ended(spectrum))));
    let outliers = |spectrum: &Spectrum| spectrum.outliers.map_or_else(String::new, |count| count.to_string());
    rows.push(row("above the widest gap", measured.iter().map(|(_, spectrum)| outliers(spectrum))));
    rows.push(row("products", measured.iter().map(|(_, spectrum)| spectrum.products.to_string())));
    let names = std::iter::once(String::new()).chain(measured.iter().map(|(name, _)| (*name).to_owned())).collect();
    Some(Section {
        title: "Spectra",
        reading: "H = G + R: near a minimum of small residual R vanishes and H is G; negative eigenvalues of H come \
                  from R. Behind ±, bounds on the error of eigenvalues and standard errors of estimates.",
        table: Table { head: names, rows },
    })
}

/// The density of eigenvalues, smoothed by a hundredth of their range, or by what their quadrature resolves.
fn density(analysis: &Analysis) -> Option<Figure> {
    const GRID: usize = 300;
    let of = [("Hessian", BLUE, HESSIAN), ("Gauss-Newton", ORANGE, GAUSS_NEWTON), ("residual part", GREEN, RESIDUAL)];
    let densities: Vec<_> = of
        .into_iter()
        .filter_map(|(name, color, section)| Some((name, color, analysis.get(section)?.density?)))
        .collect();
    let (low, high) =
        densities.iter().map(|(.., density)| density.range()).reduce(|a, b| (a.0.min(b.0), a.1.max(b.1)))?;
    let sigma =
        densities.iter().map(|(.., density)| density.resolution()).fold((high - low).max(1e-12) / 100.0, f64::max);
    let (low, high) = (low - 4.0 * sigma, high + 4.0 * sigma);
    let axis = format!("eigenvalue, smoothed with σ = {}", number(sigma));
    // Below one eigenvalue in a hundred of the whole there is nothing but the tails of the smoothing.
    let curves = densities.into_iter().map(|(name, color, density)| {
        let least = 1e-2 / (density.dim as f64 * sigma);
        let points = (0..GRID).map(|at| {
            let x = low + (high - low) * at as f64 / (GRID - 1) as f64;
            (x, density.at(x, sigma).mean.max(least))
        });
        Curve::new(name, color, points.collect())
    });
    Some(Figure::new(
        "spectral-density",
        "Spectral density",
        "A bulk at zero and a few outliers to the right is what trained networks look like; what reaches left of zero \
         is negative curvature. The base line stands for less than a hundredth of one eigenvalue.",
        Chart::new(axis, "density", true, curves.collect())?.draw(),
    ))
}
