//! A relu network can be made as sharp as one likes without changing what it does.

use burn::tensor::Tensor;
use losscape_analysis::sharpness::{Neighbourhood, worst_case};
use losscape_model::{Activation, Loss, MlpConfig};

use super::false_statement::doubled;
use super::problem::{draws, largest, log_slope, norm};
use super::{Check, Claim, Evidence, Expectation, FalseStatement, Family, Pair, Plot, Series, Workbench};
use losscape_lab::LabError;

pub const CLAIM: Claim = Claim {
    id: "reparameterization",
    family: Family::Flatness,
    printed: r"not in the notes, whose wide basins that generalize are wide in given coordinates",
    exact: concat!(
        r"$(aW_1,W_2/a)$ keeps the function of a relu network and raises $\lambda_{\max}(H)$ like $a^2$; sharpness ",
        r"relative to the weights does not change",
    ),
    source: "Dinh et al. 2017, Theorem 4; Kwon et al. 2021",
    expected: Expectation::Holds,
    false_statements: &[
        FalseStatement::pairs("the outputs change by a thousandth", "outputs are the same", |pair| Pair {
            left: 1e9 * pair.right,
            ..pair
        }),
        FalseStatement::pairs("λ_max grows like a", "log-log slope", |pair| Pair { left: 1.0, ..pair }),
        FalseStatement::pairs("sharpness relative to the weights grows too", "adaptive worst case", doubled),
    ],
    measure,
};

fn measure(bench: &Workbench) -> Result<Evidence, LabError> {
    let mut evidence = Evidence::default();
    let (mut outputs, mut adaptive, mut slopes, mut plotted) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for seed in 0..bench.effort.of(3, 20) {
        let seed = bench.seed_of(seed);
        let data = bench.teacher([30, 4], 0.1, seed)?;
        let config = MlpConfig::new([16]).with_activation(Activation::Relu).with_bias(false);
        let mut sharpnesses = Vec::new();
        let mut own: Option<(Tensor<2>, f64)> = None;
        for factor in [1.0, 3.0, 10.0, 64.0, 256.0] {
            let mut network = bench.network(&config, 4, 1, seed)?;
            for (layer, factor) in network.layers.iter_mut().zip([factor, 1.0 / factor]) {
                layer.weight = layer.weight.clone().map(|weight| weight * factor);
            }
            let objective = bench.on(network, &data, Loss::squared_error())?;
            let point = objective.here()?;
            let hood = Neighbourhood::AdaptiveBall { radius: 0.05 };
            let worst = worst_case(&point, hood, 20, &mut draws(seed, 18))?.rise.unwrap_or(f64::NAN);
            let (first, rise) = own.get_or_insert((point.outputs(), worst));
            let away = norm(&(point.outputs() - first.clone()).reshape([-1]));
            outputs.push((away, 1e-12 * norm(&first.clone().reshape([-1]))));
            adaptive.push((worst, *rise));
            sharpnesses.push((factor, largest(&point.hessian(), seed)?));
        }
        // At large a alone: at a = 1 both layers have their share.
        slopes.push((log_slope(&sharpnesses[2..]), 2.0));
        plotted = sharpnesses;
    }
    evidence.check(Check::at_most("outputs are the same to 1e-12", 0.0, outputs));
    evidence.check(Check::equal("log-log slope of λ_max against a = 2", 0.01, slopes));
    evidence.check(Check::equal("adaptive worst case = that of the original", 1e-8, adaptive));
    evidence.figure("λ_max at a = 256 over that at 1", plotted[4].1 / plotted[0].1);
    let square: Vec<(f64, f64)> = plotted.iter().map(|(a, _)| (*a, plotted[4].1 * (a / 256.0).powi(2))).collect();
    evidence.plot(Plot {
        title: "As sharp as one likes".to_owned(),
        reading: "The same function, in ever sharper coordinates: flatness alone cannot decide about generalization."
            .to_owned(),
        x: "a".to_owned(),
        y: "λ_max(H)".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("measured", plotted), Series::bound("a²", square)],
        ..Plot::default()
    });
    Ok(evidence)
}
