//! Curvature of tanh 64-512-512-10 on 1,797 digits in f32, beside PyTorch and JAX: `peers/landscape.py` runs both on the same weights.
//!
//! `cargo bench --bench landscape -- FOLDER [ROUNDS]`, where the folder holds `weights.safetensors` and `data.npz`. Prints one JSON object with the
//! medians of the rounds in seconds.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::{DType, Device};
use losscape::analysis::Objective;
use losscape::krylov::{Counted, Eigensolver, Quadrature, SymmetricOperator, trace};
use losscape::lab::Subject;
use losscape::model::random::{Purpose, stream};
use serde_json::{Value, json};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        // `cargo test` starts benches without arguments, to see whether they run.
        println!("name a folder with weights.safetensors and data.npz");
        return Ok(());
    };
    let rounds: usize = arguments.next().map_or(Ok(3), |rounds| rounds.parse())?;
    let model = std::env::temp_dir().join(format!("losscape-landscape-{}.toml", std::process::id()));
    std::fs::write(&model, "[model]\nname = \"mlp\"\nhidden = [512, 512]\n[loss]\nname = \"squared-error\"\n")?;
    let subject =
        Subject::of_files(&folder.join("weights.safetensors"), &folder.join("data.npz"), &model, &Device::flex())?;
    std::fs::remove_file(&model)?;
    let (x, y) = (&subject.data, DType::F64);
    let (x, y) = (x.input_tensor(&Device::flex(), y), x.target_tensor(&Device::flex(), y));
    let objective = Objective::new(subject.network, x, y, subject.loss)?.precision(DType::F32);
    // Inside the thread pool, as the tool works.
    let results = rayon::scope(|_| -> Result<Value, losscape::analysis::AnalysisError> {
        let point = objective.here()?;
        let mut results = serde_json::Map::new();
        let random = || stream(0, Purpose::Probes, 0);
        let mut measure = |name: &str, work: &dyn Fn() -> Result<Value, losscape::analysis::AnalysisError>| {
            let mut seconds = Vec::new();
            let mut result = Value::Null;
            for _ in 0..=rounds {
                let start = Instant::now();
                result = work()?;
                seconds.push(start.elapsed().as_secs_f64());
            }
            // The first round warms up.
            seconds.remove(0);
            seconds.sort_by(f64::total_cmp);
            results.insert(name.to_owned(), json!({ "seconds": seconds[seconds.len() / 2], "result": result }));
            Ok::<(), losscape::analysis::AnalysisError>(())
        };
        for (name, probes) in [("top 10", 0), ("top 10, with a bound on what is unseen", 24)] {
            measure(name, &|| {
                let solver = Eigensolver { probes, ..Eigensolver::top(10).with_tolerance(6e-4) };
                let hessian = point.hessian();
                let operator = Counted::new(&hessian);
                let found = solver.solve(&operator, None, &mut random())?;
                let largest = found.top.iter().map(|pair| pair.residual / pair.value).fold(0.0, f64::max);
                let values: Vec<f64> = found.top.iter().map(|pair| pair.value).collect();
                Ok(
                    json!({ "values": values, "products": operator.products(), "largest_relative_residual": largest, "unseen": found.unseen }),
                )
            })?;
        }
        let hessian = point.hessian();
        measure("trace, xtrace, 30 products", &|| Ok(json!(trace::xtrace(&hessian, 30, &mut random())?)))?;
        measure("trace, hutch++, 30 products", &|| Ok(json!(trace::hutch_plus_plus(&hessian, 30, &mut random())?)))?;
        measure("trace, hutchinson, 30 products", &|| Ok(json!(trace::hutchinson(&hessian, 30, &mut random())?.0)))?;
        measure("density, 50 steps", &|| {
            let density = Quadrature { probes: 1, steps: 50 }.run(&hessian, &mut random())?;
            Ok(json!({ "products": density.products, "range": density.range() }))
        })?;
        measure("one product", &|| {
            hessian.apply(point.gradient().clone()).into_data();
            Ok(Value::Null)
        })?;
        Ok(results.into())
    })?;
    println!("{results}");
    Ok(())
}
