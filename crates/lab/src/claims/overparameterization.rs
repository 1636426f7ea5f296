//! When every target can be met.

use losscape_analysis::kernel::KernelSpectrum;

use super::problem::solve;
use super::{Check, Claim, ClaimSettings, Effect, Evidence, Expectation, Family, Plot, Series};
use crate::LabError;

pub const CLAIM: Claim = Claim {
    id: "overparameterization",
    family: Family::PolyakLojasiewicz,
    printed: r"overparameterization gives basins of global minima",
    exact: r"zero loss needs $P\ge nC$ generically, and is reached with $P\gg nC$; there $\lambda_{\min}(K_c)>0$, while $\mathrm{rank}\,K\le P$",
    source: "lecture notes, Role of Overparameterization; Liu, Zhu & Belkin 2020, §2",
    expected: Expectation::Supported,
    measure,
};

/// Noise as targets: nothing but parameters can meet them.
fn measure(settings: &ClaimSettings) -> Result<Evidence, LabError> {
    use burn::tensor::DType;
    use losscape_model::data::generate::TeacherStudent;
    use losscape_model::{Loss, MlpConfig, Parameterization};
    const SAMPLES: usize = 40;
    let mut evidence = Evidence::default();
    let widths = settings.effort.of(vec![2, 4, 8, 16, 32, 64], vec![2, 3, 4, 6, 8, 11, 16, 32, 64, 128, 256]);
    let seeds = settings.effort.of(4, 20);
    let (mut reached, mut smallest, mut largest) = (Vec::new(), Vec::new(), Vec::new());
    let mut ranks = Vec::new();
    let (mut wide, mut narrow) = (vec![Vec::new(); seeds], vec![Vec::new(); seeds]);
    for &width in &widths {
        let parameters = width * 4 + width + width + 1;
        let (mut hits, mut least, mut most) = (0, f64::INFINITY, 0f64);
        for seed in 0..seeds {
            let noise = TeacherStudent { samples: SAMPLES, inputs: 4, outputs: 1, teacher_width: 32, noise: 1.0 };
            let data = noise.generate(settings.seed + seed as u64)?;
            let config = MlpConfig::new([width]).with_parameterization(Parameterization::Ntk);
            let network = config.init(4, 1, settings.seed + seed as u64, &settings.device, DType::F64)?;
            let objective = settings.on(network, &data, Loss::squared_error())?;
            let kernel = KernelSpectrum::of(objective.kernel(&objective.parameters())?, objective.targets())?;
            ranks.push((kernel.rank as f64, parameters as f64));
            (least, most) = (least.min(kernel.trusted_min()), most.max(kernel.max));
            let loss = solve(&objective, objective.parameters(), 1e-8, settings.effort.of(100, 400))?.1;
            let hit = f64::from(u8::from(loss < 1e-8));
            hits += usize::from(loss < 1e-8);
            if parameters >= 4 * SAMPLES {
                wide[seed].push(hit);
            } else if parameters < SAMPLES {
                narrow[seed].push(hit);
            }
        }
        let ratio = parameters as f64 / SAMPLES as f64;
        reached.push((ratio, hits as f64 / seeds as f64));
        smallest.push((width as f64, least));
        largest.push((width as f64, most));
    }
    let share = |runs: &[Vec<f64>]| -> Vec<f64> {
        runs.iter().map(|hits| hits.iter().sum::<f64>() / hits.len() as f64).collect()
    };
    let positive =
        smallest.iter().filter(|at| (at.0 * 6.0 + 1.0) >= 4.0 * SAMPLES as f64).map(|at| (f64::MIN_POSITIVE, at.1));
    evidence.check(Check::at_most("rank of K ≤ P", 0.0, ranks));
    evidence.check(Check::at_most("P ≥ 4nC: λ_min(K_c) > 0, above rounding", 0.0, positive.collect::<Vec<_>>()));
    evidence.check(Check::equal(
        "P < nC: share of runs below 1e-8 = 0",
        0.0,
        share(&narrow).into_iter().map(|share| (share, 0.0)),
    ));
    evidence.effect(Effect::above("P ≥ 4nC: share of runs below 1e-8", 0.9, share(&wide)));
    evidence.figure("share of the widest networks that reach 1e-8", reached[reached.len() - 1].1);
    evidence.plot(Plot {
        title: "Who reaches zero loss".to_owned(),
        reading: "Targets that are noise can be met only with more parameters than there are of them.".to_owned(),
        x: "P / nC".to_owned(),
        y: "share of seeds with L < 1e-8".to_owned(),
        log_x: true,
        log_y: false,
        series: vec![Series::measured("tanh networks, damped Gauss-Newton", reached)],
    });
    evidence.plot(Plot {
        title: "The kernel against the width".to_owned(),
        reading:
            "λ max hardly changes; λ min leaves rounding when there are more parameters than targets, and settles."
                .to_owned(),
        x: "width".to_owned(),
        y: "eigenvalue of K_c".to_owned(),
        log_x: true,
        log_y: true,
        series: vec![Series::measured("λ max", largest), Series::measured("λ min", smallest)],
    });
    Ok(evidence)
}
