//! What one run leaves for the table of its study.

use std::collections::BTreeMap;
use std::io::ErrorKind;

use burn::tensor::Device;
use losscape_analysis::sharpness::Neighbourhood;
use losscape_krylov::{Eigenvalue, Estimate};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::design::{Measuring, StudyConfig};
use super::folder::{PlannedRun, StudyFolder};
use crate::analysis::{Analysis, AnalysisSettings, Measure};
use crate::document;
use crate::folder::{lock, read_json, write_json};
use crate::plan::Plan;
use crate::records::{SCHEMA, State, Summary};
use crate::trainer::batch_size;
use crate::{LabError, RunFolder, Subject};

/// `result.json`: a run as a row. Written when the run is trained, and again, last of all, when its network is measured.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunResult {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run's identity.
    pub run_id: String,
    /// Done or diverged.
    pub outcome: State,
    /// Why it ended.
    pub reason: String,
    /// The resolved configuration: a value for every dotted key.
    pub config: BTreeMap<String, Value>,
    /// Numbers of training; see [`Summary`]. `batch_size` is in samples. Derived are `test_error = 1 − test_accuracy`, `loss_gap = test_loss − train_loss` and
    /// `error_gap = train_accuracy − test_accuracy`.
    pub training: BTreeMap<String, f64>,
    /// How the network was measured; absent until it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measuring>,
    /// What was measured of the trained network, see [`measures`]; of a diverged run nothing.
    pub measures: BTreeMap<String, f64>,
}

impl RunResult {
    /// The result of a planned run in its folder, if there is one.
    ///
    /// # Errors
    ///
    /// When it is damaged, of another schema, or that of another run.
    pub fn of(folder: &RunFolder, run: &PlannedRun) -> Result<Option<Self>, LabError> {
        let path = folder.path().join("result.json");
        let result: Self = match read_json(&path) {
            Ok(result) => result,
            Err(LabError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        if result.schema != SCHEMA {
            let problem = format!("it has schema version {}, this program reads {SCHEMA}", result.schema);
            return Err(LabError::Damaged { path, problem });
        }
        if result.run_id != run.run_id {
            let path = folder.path().to_owned();
            return Err(LabError::OtherRun { path, expected: run.run_id.clone(), found: result.run_id });
        }
        Ok(Some(result))
    }
}

/// Measures a run that has been trained, within so many bytes of memory, and writes its result.
///
/// # Errors
///
/// When something cannot be measured, or the folder cannot be written.
pub fn finish(
    study: &StudyFolder,
    run: &PlannedRun,
    plan: &Plan,
    device: &Device,
    memory: Option<usize>,
) -> Result<RunResult, LabError> {
    let folder = study.run_folder(run);
    // Training has let go of it.
    let _lock = lock(&folder.lock(), folder.path())?;
    let summary = folder.read_summary()?;
    let config = study.config()?;
    let wanted = config.check_measures(&study.document(&[])?)?;
    let path = folder.path().join("result.json");
    let mut result = RunResult {
        schema: SCHEMA,
        run_id: run.run_id.clone(),
        outcome: summary.outcome,
        reason: summary.reason.clone(),
        config: flattened(plan),
        training: training(&summary, plan),
        measured: None,
        measures: BTreeMap::new(),
    };
    if summary.outcome == State::Done && !wanted.is_empty() {
        // Whatever becomes of the measuring, what was trained has its row.
        write_json(&path, &result)?;
        let (mut subject, notes) = Subject::of_run(&folder, device)?;
        // A table must not take one checkpoint for another.
        if !notes.is_empty() {
            return Err(LabError::Damaged { path: folder.checkpoints(), problem: notes.join("; ") });
        }
        if let Some(samples) = config.samples.filter(|samples| *samples < subject.data.len()) {
            subject.data = subject.data.select(&(0..samples).collect::<Vec<_>>());
        }
        let settings = AnalysisSettings { memory, ..settings(&config, wanted) };
        let (analysis, failed) = Analysis::measure_in(&folder, &subject, &settings, &|_| {})?;
        failed.map_or(Ok(()), Err)?;
        result.measures = measures(&analysis);
    }
    result.measured = Some(config.measuring());
    write_json(&path, &result)?;
    Ok(result)
}

fn settings(config: &StudyConfig, only: Vec<Measure>) -> AnalysisSettings {
    let kernel = [Measure::Ntk, Measure::Pl].iter().any(|measure| only.contains(measure));
    let default = AnalysisSettings::default();
    // Who names the kernel waits for it.
    let kernel_size = if kernel { usize::MAX } else { default.kernel_size };
    AnalysisSettings { only, precision: config.precision, top: config.top, kernel_size, ..default }
}

/// The resolved configuration as it stands in a file, each value under its dotted key.
fn flattened(plan: &Plan) -> BTreeMap<String, Value> {
    fn collect(prefix: &str, table: &toml::Table, into: &mut BTreeMap<String, Value>) {
        for (key, value) in table {
            let key = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => collect(&key, table, into),
                toml::Value::String(text) => drop(into.insert(key, Value::from(text.as_str()))),
                toml::Value::Integer(number) => drop(into.insert(key, Value::from(*number))),
                toml::Value::Float(number) => drop(into.insert(key, Value::from(*number))),
                toml::Value::Boolean(flag) => drop(into.insert(key, Value::from(*flag))),
                other => drop(into.insert(key, Value::from(other.to_string()))),
            }
        }
    }
    let mut flat = BTreeMap::new();
    let table: toml::Table = toml::from_str(&document::write(&plan.config)).expect("what was written can be read");
    collect("", &table, &mut flat);
    flat
}

fn training(summary: &Summary, plan: &Plan) -> BTreeMap<String, f64> {
    let minus = |a: Option<f64>, b: Option<f64>| Some(a? - b?);
    let all = [
        ("parameters", Some(summary.parameters as f64)),
        ("batch_size", batch_size(&plan.config.training, summary.samples).ok().map(|size| size as f64)),
        ("steps", Some(summary.steps as f64)),
        ("epochs", Some(summary.epochs)),
        ("train_loss", summary.train_loss),
        ("train_accuracy", summary.train_accuracy),
        ("train_grad_norm", summary.train_grad_norm),
        ("test_loss", summary.test_loss),
        ("test_accuracy", summary.test_accuracy),
        ("test_error", minus(Some(1.0), summary.test_accuracy)),
        ("loss_gap", minus(summary.test_loss, summary.train_loss)),
        ("error_gap", minus(summary.train_accuracy, summary.test_accuracy)),
        ("wall_s", Some(summary.wall_s)),
        ("steps_per_s", Some(summary.steps_per_s)),
    ];
    all.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

/// The scalars of an analysis by name, those that are finite.
///
/// An eigenvalue is named after its operator (`hessian_max`), an estimate after its quantity, with its standard error behind it
/// (`hessian_trace`, `hessian_trace_sem`), a basin's width after its direction, as the mean of both ways.
#[must_use]
pub fn measures(analysis: &Analysis) -> BTreeMap<String, f64> {
    let mut found = BTreeMap::new();
    let mut put = |name: String, value: Option<f64>| {
        if let Some(value) = value.filter(|value| value.is_finite()) {
            found.insert(name, value);
        }
    };
    let value = |eigenvalue: Option<&Eigenvalue>| eigenvalue.map(|eigenvalue| eigenvalue.value);
    put("gradient_norm".to_owned(), Some(analysis.gradient_norm));
    put("measured_loss".to_owned(), Some(analysis.loss.value));
    let spectra = [
        ("hessian", &analysis.hessian),
        ("gauss_newton", &analysis.gauss_newton),
        ("residual", &analysis.residual),
        ("fisher", &analysis.fisher),
    ];
    for (name, spectrum) in spectra {
        let Some(spectrum) = spectrum else { continue };
        put(format!("{name}_max"), value(spectrum.top.first()));
        put(format!("{name}_min"), value(spectrum.bottom.first()));
        for (quantity, estimate) in [("trace", &spectrum.trace), ("frobenius", &spectrum.frobenius)] {
            put(format!("{name}_{quantity}"), estimate.as_ref().map(|estimate| estimate.mean));
            put(format!("{name}_{quantity}_sem"), estimate.as_ref().and_then(|estimate: &Estimate| estimate.sem));
        }
        put(format!("{name}_outliers"), spectrum.outliers.map(|count| count as f64));
    }
    if let Some(ntk) = &analysis.ntk {
        put("ntk_max".to_owned(), Some(ntk.max.value));
        put("ntk_min".to_owned(), value(ntk.min.as_ref()));
        put("ntk_floor".to_owned(), Some(ntk.floor));
        put("ntk_trace".to_owned(), ntk.trace);
        put("ntk_condition".to_owned(), ntk.condition);
        put("ntk_rank".to_owned(), ntk.rank.map(|rank| rank as f64));
        put("ntk_alignment".to_owned(), ntk.alignment);
        put("ntk_change".to_owned(), ntk.change);
    }
    if let Some(pl) = &analysis.pl_star {
        put("pl_ratio".to_owned(), pl.ratio);
        put("pl_mu".to_owned(), pl.mu);
        put("pl_radius".to_owned(), pl.radius);
    }
    if let Some(bounds) = &analysis.bounds {
        put("hessian_max".to_owned(), Some(bounds.steps.beta.value));
        put("gradient_curvature".to_owned(), bounds.steps.gradient_curvature);
        if let Some(edge) = &bounds.edge {
            put("sharpness".to_owned(), Some(edge.sharpness.value));
            put("edge".to_owned(), Some(edge.edge));
            put("sharpness_over_edge".to_owned(), Some(edge.ratio));
        }
    }
    if let Some(sharpness) = &analysis.sharpness {
        for worst in &sharpness.worst {
            match worst.neighbourhood {
                Neighbourhood::Ball { radius } => put(format!("worst_case_{radius}"), worst.rise),
                Neighbourhood::AdaptiveBall { radius } => put(format!("adaptive_worst_case_{radius}"), worst.rise),
                Neighbourhood::Box { size } => put(format!("keskar_{size}"), worst.keskar),
            }
        }
        let mean = |rise: &Option<Estimate>| rise.as_ref().map(|rise| rise.mean);
        put(format!("average_{}", sharpness.average.sigma), mean(&sharpness.average.rise));
        put(format!("adaptive_average_{}", sharpness.adaptive_average.sigma), mean(&sharpness.adaptive_average.rise));
        put("pac_bayes_sigma".to_owned(), sharpness.pac_bayes_sigma);
        put("adaptive_pac_bayes_sigma".to_owned(), sharpness.adaptive_pac_bayes_sigma);
    }
    if let Some(basin) = &analysis.basin {
        for width in &basin.widths {
            let mean = width.forward.zip(width.backward).map(|(forward, backward)| f64::midpoint(forward, backward));
            put(format!("basin_width_{}", width.direction.replace(' ', "_")), mean);
        }
    }
    if let Some(norms) = &analysis.norms {
        put("parameter_norm".to_owned(), Some(norms.l2));
        put("distance".to_owned(), norms.distance);
        put("fisher_rao".to_owned(), Some(norms.fisher_rao));
        put("spectral_product".to_owned(), Some(norms.spectral_product));
        put("frobenius_product".to_owned(), Some(norms.frobenius_product));
    }
    found
}
