//! Curves of a run: loss, accuracy, gradient norm, learning rate and tracked curvature against the step.

use kuva::plot::legend::LegendPosition;
use losscape_lab::records::{Metric, Split, Tracked};

use crate::figure::{AMBER, BLUE, Chart, Curve, Figure, GREEN, GREY, ORANGE, PURPLE};

/// A quantity of the records of a split.
pub(crate) fn curve(
    metrics: &[Metric],
    name: &str,
    color: &'static str,
    split: Split,
    quantity: impl Fn(&Metric) -> Option<f64>,
) -> Curve {
    let of = metrics.iter().filter(|record| record.split == split);
    Curve::new(name, color, of.filter_map(|record| Some((record.step as f64, quantity(record)?))).collect())
}

fn loss(metrics: &[Metric]) -> Option<Chart> {
    let curve = |name, color, split| curve(metrics, name, color, split, |record| Some(record.loss));
    let curves = vec![
        curve("batch", GREY, Split::Batch),
        curve("train", BLUE, Split::Train),
        curve("test", ORANGE, Split::Test),
        curve("average, train", BLUE, Split::AverageTrain).dashed(),
        curve("average, test", ORANGE, Split::AverageTest).dashed(),
    ];
    Chart::new("step", "loss", true, curves)
}

/// A tracked quantity.
fn tracked(metrics: &[Metric], name: &str, color: &'static str, quantity: fn(&Tracked) -> Option<f64>) -> Curve {
    curve(metrics, name, color, Split::Track, |record| quantity(record.tracked.as_ref()?))
}

/// All figures that the records allow.
#[must_use]
pub fn curves(metrics: &[Metric]) -> Vec<Figure> {
    let accuracy = vec![
        curve(metrics, "train", BLUE, Split::Train, |record| record.accuracy),
        curve(metrics, "test", ORANGE, Split::Test, |record| record.accuracy),
        curve(metrics, "average, train", BLUE, Split::AverageTrain, |record| record.accuracy).dashed(),
        curve(metrics, "average, test", ORANGE, Split::AverageTest, |record| record.accuracy).dashed(),
    ];
    let norm = vec![curve(metrics, "batch", BLUE, Split::Batch, |record| record.grad_norm)];
    let rate = vec![curve(metrics, "learning rate", BLUE, Split::Batch, |record| record.learning_rate)];
    let sharpness = vec![
        tracked(metrics, "edge of the method", ORANGE, |at| at.get("edge")).dashed(),
        tracked(metrics, "sharpness", BLUE, |at| at.get("sharpness")),
        tracked(metrics, "along the step", GREEN, |at| at.get("directional_sharpness")),
        tracked(metrics, "along it, from losses", PURPLE, |at| at.get("critical_sharpness")),
        tracked(metrics, "along batches", AMBER, |at| at.get("batch_sharpness")),
    ];
    let change = vec![tracked(metrics, "‖K − K₀‖/‖K₀‖", BLUE, |at| at.get("ntk_change"))];
    let distance = vec![tracked(metrics, "‖w − w₀‖", BLUE, |at| at.get("distance"))];
    let turn = vec![tracked(metrics, "cosine", BLUE, |at| at.get("step_cosine"))];
    let kernel = vec![
        tracked(metrics, "λ max", ORANGE, |at| at.get("ntk_max")),
        tracked(metrics, "λ min", BLUE, |at| {
            at.get("ntk_min").filter(|min| at.get("ntk_floor").is_some_and(|floor| *min > floor))
        }),
        tracked(metrics, "floor of rounding", GREY, |at| at.get("ntk_floor")).dashed(),
    ];
    let pl = vec![
        tracked(metrics, "ratio ‖g‖²/2L", BLUE, |at| at.get("pl_ratio")),
        tracked(metrics, "μ = λ min", GREEN, |at| at.get("pl_mu")),
    ];
    let trace = vec![tracked(metrics, "tr H", BLUE, |at| at.get("hessian_trace"))];
    let noise = vec![tracked(metrics, "tr C/‖ḡ‖²", BLUE, |at| at.get("noise_scale"))];
    let alignment = vec![tracked(metrics, "(ḡᵀv)²/‖ḡ‖²", BLUE, |at| at.get("gradient_alignment"))];
    let charts = [
        (
            "loss",
            "Loss",
            "A gap that opens between training and test is what overfitting looks like; grey is the noise of single \
             batches.",
            loss(metrics),
        ),
        (
            "accuracy",
            "Accuracy",
            "The share of samples whose largest output is that of their label.",
            Chart::new("step", "accuracy", false, accuracy)
                .map(|chart| chart.legend(LegendPosition::InsideBottomRight)),
        ),
        (
            "sharpness",
            "Sharpness and edge",
            "Full-batch training drives the sharpness up to the edge of its method and then hovers there (Cohen et \
             al. 2021). Of an adaptive method both are of the preconditioned Hessian.",
            Chart::new("step", "sharpness", false, sharpness).map(Chart::headroom),
        ),
        (
            "kernel",
            "Tangent kernel",
            "Of the samples that [track] names: while λ min is above the floor of rounding, their outputs can be \
             moved independently of each other; flat curves mean a lazy network.",
            Chart::new("step", "eigenvalues of K_c", true, kernel).map(Chart::headroom),
        ),
        (
            "kernel-change",
            "Change of the tangent kernel",
            "Since initialization, relative and in the Frobenius norm; near zero a network is lazy.",
            Chart::new("step", "‖K − K₀‖/‖K₀‖", false, change),
        ),
        (
            "distance",
            "Distance from the start",
            "How far the weights are from where they began.",
            Chart::new("step", "‖w − w₀‖", false, distance),
        ),
        (
            "turn",
            "Turn of the steps",
            "The cosine of a step with the one before: near 1 training goes straight on, below 0 it swings.",
            Chart::new("step", "cosine", false, turn),
        ),
        (
            "pl",
            "PL ratio",
            "Of the same samples, the constant that each point shows. PL* says that it never falls below μ, which \
             squared error has; how far above it runs is how pessimistic the bound is.",
            Chart::new("step", "PL constant", true, pl).map(Chart::headroom),
        ),
        (
            "trace",
            "Trace of the Hessian",
            "The sum of all curvatures, estimated from ten products; its standard error stands in metrics.jsonl.",
            Chart::new("step", "tr H", false, trace),
        ),
        (
            "noise",
            "Noise scale",
            "The batch size from which on a batch's gradient is more mean than noise (McCandlish et al. 2018).",
            Chart::new("step", "tr C/‖ḡ‖²", true, noise),
        ),
        (
            "alignment",
            "Gradient and sharpest direction",
            "The share of the squared gradient that lies along the eigenvector of the largest eigenvalue.",
            Chart::new("step", "(ḡᵀv)²/‖ḡ‖²", false, alignment),
        ),
        (
            "gradient-norm",
            "Gradient norm",
            "Norm of each batch's gradient: small at a critical point, and as noisy as the batches are small.",
            Chart::new("step", "‖g‖", true, norm),
        ),
        (
            "learning-rate",
            "Learning rate",
            "The rate of each step, as the schedule gave it.",
            Chart::new("step", "learning rate", false, rate),
        ),
    ];
    charts
        .into_iter()
        .filter_map(|(name, title, reading, chart)| Some(Figure::new(name, title, reading, chart?.draw())))
        .collect()
}

/// The loss on training and test part drawn with characters, `columns` wide, coloured by ANSI codes.
#[must_use]
pub fn terminal(metrics: &[Metric], columns: usize) -> Option<String> {
    loss(metrics)?.terminal(columns)
}
