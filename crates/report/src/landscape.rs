//! Measurements of the landscape: tables for the terminal and the report, and figures.

use losscape_lab::Analysis;
use losscape_lab::analysis::{Ended, KernelRecord, Spectrum};
use losscape_lab::claims::Heights;

use crate::compare::Table;
use crate::figure::{BLUE, Chart, Curve, Figure, GREEN, GREY, ORANGE, PURPLE, contours};
use crate::number;

/// A number, or a dash where there is none.
fn maybe(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), number)
}

/// A number with its error, where that reaches the digits shown.
fn with_error(value: f64, error: Option<f64>) -> String {
    match error {
        Some(error) if error > 1e-5 * value.abs() => format!("{}\u{a0}±\u{a0}{error:.1e}", number(value)),
        _ => number(value),
    }
}

/// In the place of a loss that overflows.
const NOT_FINITE: &str = "not finite";

/// A length in two digits.
fn short(length: f64) -> String {
    if (0.01..100.0).contains(&length) { format!("{length:.2}") } else { format!("{length:.1e}") }
}

/// A heading and rows of cells.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What it is about.
    pub title: &'static str,
    /// One sentence on what to read from it.
    pub reading: &'static str,
    /// The numbers.
    pub table: Table,
}

/// Everything measured, section by section.
#[must_use]
pub fn sections(analysis: &Analysis) -> Vec<Section> {
    [
        spectra(analysis),
        kernel(analysis),
        steps(analysis),
        sharpness(analysis),
        basin(analysis),
        norms(analysis),
        blocks(analysis),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// The sections as text.
#[must_use]
pub fn text(analysis: &Analysis) -> String {
    let mut text = format!(
        "{}: P = {}, n = {}, C = {}; loss {}, gradient norm {}\n",
        analysis.source,
        analysis.parameters,
        analysis.samples,
        analysis.outputs,
        number(analysis.loss.value),
        number(analysis.gradient_norm),
    );
    for (topic, words) in &analysis.setup {
        text += &format!("{topic}: {words}\n");
    }
    for section in sections(analysis) {
        text += &format!("\n{}\n{}", section.title, section.table);
    }
    text
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(cells).collect()
}

fn head<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(str::to_owned).to_vec()
}

fn spectra(analysis: &Analysis) -> Option<Section> {
    let all = [
        ("H", &analysis.hessian),
        ("G", &analysis.gauss_newton),
        ("R", &analysis.residual),
        ("Fisher", &analysis.fisher),
    ];
    let measured: Vec<_> = all.into_iter().filter_map(|(name, spectrum)| Some((name, spectrum.as_ref()?))).collect();
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
    let estimate = |estimate: Option<losscape_lab::analysis::Estimate>| {
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
        let above = |spectrum: &&Spectrum| unseen(spectrum, spectrum.unseen.above, !spectrum.top.is_empty());
        let below = |spectrum: &&Spectrum| unseen(spectrum, spectrum.unseen.below, !spectrum.bottom.is_empty());
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
        reading: "H = G + R: near a minimum of small residual R vanishes and H is G; negative eigenvalues of H come from R. Behind ±, bounds \
                  on the error of eigenvalues and standard errors of estimates.",
        table: Table { head: names, rows },
    })
}

fn kernel(analysis: &Analysis) -> Option<Section> {
    let mut rows = Vec::new();
    if let Some(KernelRecord { size, min, max, rank, condition, floor, trace, alignment, change, note, .. }) =
        &analysis.ntk
    {
        rows.push(row("size nC", [size.to_string()]));
        rows.push(row("λ max", [with_error(max.value, Some(max.error_bound))]));
        if let Some(min) = min {
            let rounding = if min.value > *floor { "" } else { " (rounding: below the floor)" };
            rows.push(row("λ min", [format!("{}{rounding}", number(min.value))]));
        }
        rows.push(row("floor", [number(*floor)]));
        if let Some(rank) = rank {
            rows.push(row("rank", [rank.to_string()]));
        }
        for (name, value) in [
            ("condition", condition),
            ("trace", trace),
            ("alignment with the targets", alignment),
            ("change since initialization", change),
        ] {
            if value.is_some() {
                rows.push(row(name, [maybe(*value)]));
            }
        }
        if let Some(note) = note {
            rows.push(row("note", [note.clone()]));
        }
    }
    if let Some(pl) = &analysis.pl_star {
        rows.push(row("PL ratio ‖g‖²/2L", [maybe(pl.ratio)]));
        if pl.applicable {
            rows.push(row("μ = λ min", [maybe(pl.mu)]));
            rows.push(row("slack of PL*", [maybe(pl.slack)]));
            rows.push(row("ball R = 2√(2βL)/μ, where β ≥ μ", [maybe(pl.radius)]));
            rows.push(row("path at η ≤ 1/β, below 2√(2L/μ)", [maybe(pl.path)]));
        } else {
            rows.push(row("PL*", [format!("not applicable: {}", pl.reason.clone().unwrap_or_default())]));
        }
    }
    (!rows.is_empty()).then(|| Section {
        title: "Tangent kernel K_c = c J Jᵀ and PL*",
        reading: "PL* holds here with μ = λ min when that is above the floor of rounding; the ratio is the constant that this point shows.",
        table: Table { head: head(["", ""]), rows },
    })
}

fn steps(analysis: &Analysis) -> Option<Section> {
    let bounds = analysis.bounds.as_ref()?;
    let steps = &bounds.steps;
    let mut rows = vec![
        row("2/β", [maybe(steps.two_over_beta)]),
        row("2 gᵀg / gᵀHg", [maybe(steps.cauchy)]),
        row("2/λ max(K_c)", [maybe(steps.kernel)]),
        row("curvature along g", [maybe(steps.gradient_curvature)]),
    ];
    if let Some(edge) = &bounds.edge {
        let batches = if edge.full_batch { "" } else { " (of full-batch steps; this run took mini-batches)" };
        rows.push(row("learning rate", [number(edge.learning_rate)]));
        rows.push(row("its own edge", [format!("{}{batches}", number(edge.edge))]));
        rows.push(row("sharpness / edge", [number(edge.ratio)]));
    }
    Some(Section {
        title: "Step sizes",
        reading: "Gradient descent is stable below 2/β; a step up to Cauchy's bound lowers the quadratic model; at a ratio of one the method is \
                  at its own edge of stability.",
        table: Table { head: head(["", ""]), rows },
    })
}

fn sharpness(analysis: &Analysis) -> Option<Section> {
    use losscape_lab::analysis::Neighbourhood;
    let sharpness = analysis.sharpness.as_ref()?;
    let mut rows = Vec::new();
    for worst in &sharpness.worst {
        let name = match worst.neighbourhood {
            Neighbourhood::Ball { radius } => format!("worst case, ‖e‖ ≤ {}", number(radius)),
            Neighbourhood::AdaptiveBall { radius } => format!("worst case, ‖e/w‖ ≤ {}", number(radius)),
            Neighbourhood::Box { size } => format!("Keskar's box {}: 100 (max L − L)/(1 + L)", number(size)),
        };
        let value = if matches!(worst.neighbourhood, Neighbourhood::Box { .. }) { worst.keskar } else { worst.rise };
        rows.push(row(&name, [value.map_or_else(|| NOT_FINITE.to_owned(), number)]));
    }
    for (name, average) in [("average", &sharpness.average), ("adaptive average", &sharpness.adaptive_average)] {
        let name = format!("{name}, σ = {}", number(average.sigma));
        let rise = average.rise.map_or_else(|| NOT_FINITE.to_owned(), |rise| with_error(rise.mean, rise.sem));
        rows.push(row(&name, [rise]));
    }
    let rise = number(sharpness.rise);
    for (name, sigma, sem) in [
        ("σ", sharpness.pac_bayes_sigma, sharpness.pac_bayes_sigma_sem),
        ("adaptive σ", sharpness.adaptive_pac_bayes_sigma, sharpness.adaptive_pac_bayes_sigma_sem),
    ] {
        let value = sigma.map_or_else(|| maybe(None), |sigma| with_error(sigma, sem));
        rows.push(row(&format!("{name} for a rise of {rise}"), [value]));
    }
    Some(Section {
        title: "Sharpness",
        reading: "How much the loss can rise nearby; the adaptive measures do not change when weights are rescaled without changing the function.",
        table: Table { head: head(["", "rise of the loss"]), rows },
    })
}

fn basin(analysis: &Analysis) -> Option<Section> {
    let basin = analysis.basin.as_ref()?;
    let rows = basin.widths.iter().map(|width| row(&width.direction, [maybe(width.forward), maybe(width.backward)]));
    Some(Section {
        title: "Basin width",
        reading: "The distance to a rise of the loss by Δ, along a direction and against it; a dash where it never rises so far.",
        table: Table {
            head: vec![format!("Δ = {}", number(basin.rise)), "along".into(), "against".into()],
            rows: rows.collect(),
        },
    })
}

fn norms(analysis: &Analysis) -> Option<Section> {
    let norms = analysis.norms.as_ref()?;
    let rows = vec![
        row("‖w‖", [number(norms.l2)]),
        row("distance from initialization", [maybe(norms.distance)]),
        row("Fisher-Rao wᵀGw", [number(norms.fisher_rao)]),
        row("product of spectral norms", [number(norms.spectral_product)]),
        row("product of Frobenius norms", [number(norms.frobenius_product)]),
    ];
    Some(Section {
        title: "Norms",
        reading: "Sizes of the solution that studies of generalization compare.",
        table: Table { head: head(["", ""]), rows },
    })
}

fn blocks(analysis: &Analysis) -> Option<Section> {
    let blocks = analysis.blocks.as_ref()?;
    let rows = blocks.iter().map(|block| {
        row(&block.name, [block.parameters.to_string(), number(block.top.value), number(block.bottom.value)])
    });
    Some(Section {
        title: "Hessian blocks",
        reading: "Curvature within each parameter alone: where the sharpness sits.",
        table: Table { head: head(["", "entries", "λ max", "λ min"]), rows: rows.collect() },
    })
}

/// The figures that the measurements allow.
#[must_use]
pub fn figures(analysis: &Analysis) -> Vec<Figure> {
    [density(analysis), kernel_spectrum(analysis), lines(analysis), plane(analysis)].into_iter().flatten().collect()
}

/// The density of eigenvalues, smoothed by a hundredth of their range, or by what their quadrature resolves.
fn density(analysis: &Analysis) -> Option<Figure> {
    const GRID: usize = 300;
    let of = [
        ("Hessian", BLUE, &analysis.hessian),
        ("Gauss-Newton", ORANGE, &analysis.gauss_newton),
        ("residual part", GREEN, &analysis.residual),
    ];
    let densities: Vec<_> = of
        .into_iter()
        .filter_map(|(name, color, spectrum)| Some((name, color, spectrum.as_ref()?.density.as_ref()?)))
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
    Some(Figure {
        name: "spectral-density",
        title: "Spectral density",
        reading: "A bulk at zero and a few outliers to the right is what trained networks look like; what reaches left of zero is negative \
                  curvature. The base line stands for less than a hundredth of one eigenvalue.",
        svg: Chart::new(axis, "density", true, curves.collect())?.svg("spectral-density"),
    })
}

fn kernel_spectrum(analysis: &Analysis) -> Option<Figure> {
    let ntk = analysis.ntk.as_ref()?;
    let count = ntk.eigenvalues.len();
    let points = ntk.eigenvalues.iter().rev().enumerate().map(|(at, &value)| ((at + 1) as f64, value));
    let floor = vec![(1.0, ntk.floor), (count.max(2) as f64, ntk.floor)];
    let curves =
        vec![Curve::new("eigenvalues", BLUE, points.collect()), Curve::new("floor of rounding", GREY, floor).dashed()];
    if count < 2 {
        return None;
    }
    Some(Figure {
        name: "kernel-spectrum",
        title: "Spectrum of the tangent kernel",
        reading: "The faster it falls, the more slowly gradient descent learns its last directions; what lies at the dashed floor is rounding.",
        svg: Chart::new("rank", "eigenvalue of K_c", true, curves)?
            .log_x()
            .legend(kuva::plot::legend::LegendPosition::InsideBottomLeft)
            .svg("kernel-spectrum"),
    })
}

fn lines(analysis: &Analysis) -> Option<Figure> {
    let slices = analysis.slices.as_ref()?;
    let colors = [BLUE, ORANGE, GREEN, PURPLE];
    let curves = slices.lines.iter().zip(colors).map(|(line, color)| {
        // Each line on a scale of its own: from −1 to 1 as far as it was looked along.
        let reach = line.steps.iter().fold(0.0, |reach: f64, step| reach.max(step.abs())).max(1e-300);
        let points = line.steps.iter().zip(&line.losses).filter_map(|(step, loss)| Some((step / reach, (*loss)?)));
        Curve::new(format!("{} (±{})", line.direction, short(reach)), color, points.collect())
    });
    Some(Figure {
        name: "lines",
        title: "Loss along lines",
        reading: "The narrower a valley, the sharper the direction; each line is drawn on its own scale, whose end is in brackets.",
        svg: Chart::new("distance, relative to the end of the line", "loss", true, curves.collect())?
            .headroom()
            .svg("lines"),
    })
}

fn plane(analysis: &Analysis) -> Option<Figure> {
    let plane = &analysis.slices.as_ref()?.plane;
    let all = || plane.losses.iter().flatten().copied().flatten();
    let (low, high) = (all().fold(f64::INFINITY, f64::min), all().fold(f64::NEG_INFINITY, f64::max));
    if low >= high {
        return None;
    }
    // Levels in equal ratios above the lowest point, as losses of a network span orders of magnitude.
    let base = low.max(high * 1e-4).max(1e-300);
    let levels: Vec<f64> = (1..=12).map(|at| base * (high / base).powf(f64::from(at) / 13.0)).collect();
    // What is not finite is as high as the highest that is.
    let row = |row: &Vec<Option<f64>>| row.iter().map(|loss| loss.unwrap_or(high)).collect();
    let values = plane.losses.iter().map(row).collect();
    let heights = Heights { columns: plane.columns.clone(), rows: plane.rows.clone(), values, levels };
    let axes = [plane.directions[0].as_str(), plane.directions[1].as_str()];
    Some(Figure {
        name: "plane",
        title: "Loss on a plane",
        reading: "Lines of equal loss, in equal ratios, around the solution (dot), along two random directions with filters as long as the \
                  network's own (Li et al. 2018); plots of different networks can be compared.",
        svg: contours("plane", axes, &heights, &[Curve::new("", ORANGE, vec![(0.0, 0.0)])])?,
    })
}
