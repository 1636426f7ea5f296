//! `losscape init`: a configuration to begin with, for data that are looked at first.

use std::fmt::Write;
use std::path::{Path, PathBuf};

use losscape_lab::folder::write_whole;
use losscape_lab::{Document, Plan};
use losscape_model::Sample;
use losscape_model::data::{Dataset, Parts, Source, Target, Targets};
use losscape_report::number;

use crate::args::InitArgs;
use crate::data;
use crate::error::CliError;
use crate::terminal::{news, note, say};

/// Targets whose root mean square is beyond this, or below one over it, are better brought to about 1.
const FAR: f64 = 10.0;

/// Writes a configuration that trains as it stands.
pub fn run(args: &InitArgs) -> Result<(), CliError> {
    let (source, stem) = source(&args.data)?;
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{stem}.toml")));
    if out.exists() || out == Path::new("-") {
        return Err(CliError::Message(format!("{} is there already; --out names another file", out.display())));
    }
    let set = source.iter().chain(&args.set).map(|item| format!("data.{item}")).collect::<Vec<_>>();
    let document = Document::parse("the command line", "", &set).map_err(losscape_lab::LabError::from)?;
    let settings: toml::Table =
        document.section("data").map_err(losscape_lab::LabError::from)?.expect("the source was set");
    let parts = data::parts(&set)?;
    for notice in &parts.notices {
        note!("note: {notice}");
    }
    let spread = spread(&parts.train);
    if let Some(spread) = spread {
        let size = number(spread);
        note!("note: the targets have a root mean square of {size}: divide them by it, or the loss is far from 1");
    }
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    let text = text(&args.data, &placed(settings, folder.is_some()), &parts, spread);
    // What cannot be trained is no help to anyone.
    let document = Document::parse(out.display().to_string(), &text, &[]).map_err(losscape_lab::LabError::from)?;
    let label = out.file_stem().map_or_else(|| stem.clone(), |stem| stem.to_string_lossy().into_owned());
    Plan::of(&document, folder.unwrap_or(Path::new(".")), &label)?;
    write_whole(&out, text.as_bytes())?;
    say!("{}", out.display());
    news!("next: losscape train {}", out.display());
    Ok(())
}

/// The settings that name the data, a file by its ending or a set that comes with the program, and its name.
fn source(data: &str) -> Result<(Vec<String>, String), CliError> {
    let lower = data.to_lowercase();
    let of_file = |ending: &str, source: &str| {
        let name = Path::new(data).file_name()?.to_str()?;
        let stem = lower.ends_with(ending).then(|| &name[..name.len() - ending.len()])?;
        let path = toml::Value::from(data);
        Some((vec![format!("name={source}"), format!("path={path}")], stem.to_owned()))
    };
    let kinds = [".csv", ".csv.gz", ".tsv", ".tsv.gz", ".npz"];
    let found = kinds.iter().find_map(|ending| {
        let (mut settings, stem) = of_file(ending, if *ending == ".npz" { "npz" } else { "csv" })?;
        if ending.starts_with(".tsv") {
            settings.push("delimiter=tab".to_owned());
        }
        Some((settings, stem))
    });
    let set = Source::ALL.iter().find(|(name, _)| *name == data);
    found.or_else(|| set.map(|_| (vec![format!("name={data}")], data.to_owned()))).ok_or_else(|| {
        CliError::Message(format!(
            "{data} is neither a table (.csv, .tsv, also gzipped), nor an archive of NumPy (.npz), nor the name of a \
             dataset (losscape data list)"
        ))
    })
}

/// The settings with the paths of files made absolute, where the configuration stands in another folder.
fn placed(mut settings: toml::Table, elsewhere: bool) -> toml::Table {
    for (_, value) in settings.iter_mut().filter(|(key, _)| elsewhere && key.ends_with("path")) {
        if let Some(path) = value.as_str().and_then(|path| std::path::absolute(path).ok()) {
            *value = path.display().to_string().into();
        }
    }
    settings
}

/// The root mean square of the targets, where it is far from 1.
fn spread(train: &Dataset) -> Option<f64> {
    let Targets::Values(targets) = &train.targets else { return None };
    let square = targets.values.iter().map(|value| value * value).sum::<f64>() / targets.values.len().max(1) as f64;
    Some(square.sqrt()).filter(|size| !(1.0 / FAR..=FAR).contains(size) && *size > 0.0)
}

fn text(name: &str, settings: &toml::Table, parts: &Parts, spread: Option<f64>) -> String {
    let Parts { train, test, .. } = parts;
    let (sample, target) = (&train.sample, train.target());
    let what = match target {
        Target::Classes { classes, positions: 1 } => format!("{classes} classes"),
        Target::Classes { classes, positions } => format!("{classes} classes at each of {positions} positions"),
        Target::Numbers(1) => "a number as target".to_owned(),
        Target::Numbers(count) => format!("{count} numbers as target"),
    };
    let far = spread.map(|size| format!("# The targets have a root mean square of {}.\n", number(size)));
    let mut text = format!(
        "# {name:?}: {} training and {} test samples of {sample}, {what}.\n{}\
         # `losscape help KEY` explains a key, `losscape list models` and the like say what else there is.\n\
         seed = 0                     # of the initial weights and the order of samples\n\n[data]\n",
        train.len(),
        test.as_ref().map_or(0, Dataset::len),
        far.unwrap_or_default(),
    );
    text += &settings.to_string();
    let model = match sample {
        Sample::Numbers(_) => {
            "name = \"mlp\"\nhidden = [64, 64]            # widths; wider than needed is overparameterized\n\
             activation = \"tanh\"          # smooth, as second derivatives like it; or \"relu\", \"gelu\", …\n"
                .to_owned()
        }
        Sample::Image { height, width, .. } => {
            let layer = |at: u32| {
                let halves = height % (2 << at) == 0 && width % (2 << at) == 0;
                let pool = if halves { ", pool = 2" } else { "" };
                format!("{{ channels = {}{pool} }}", 16 << at)
            };
            format!(
                "name = \"cnn\"\nlayers = [{}, {}]  # of 3×3; pool = 2 halves images\n\
                 hidden = [64]                # widths behind them\n",
                layer(0),
                layer(1)
            )
        }
        Sample::Tokens { .. } => {
            // Where every position is to be continued, none may see what follows.
            let causal = if target.positions() > 1 {
                "causal = true                # no position sees those behind it\n"
            } else {
                ""
            };
            format!("name = \"transformer\"\nwidth = 64\ndepth = 2                    # blocks\nheads = 4\n{causal}")
        }
    };
    let loss = match target {
        Target::Classes { .. } => "name = \"cross-entropy\"       # or \"squared-error\" on one-hot labels\n",
        Target::Numbers(_) => "name = \"squared-error\"       # ½ · mean over samples of ‖F − y‖²\n",
    };
    let batch = if train.len() < 64 { "\"full\"" } else { "64" };
    let _ = write!(
        text,
        "\n[model]\n{model}\n[loss]\n{loss}\n\
         [optimizer]\nname = \"momentum\"            # or \"gd\", \"adam\", …; sam = {{ rho = 0.05 }} for SAM\n\
         learning_rate = 0.05         # smaller where training diverges\nmomentum = 0.9\n\n\
         [training]\nbatch_size = {batch}              # or \"full\"\nepochs = 20\n\n\
         # [track]                    # curvature along the way; the report draws it\n\
         # every = 100\n# measures = [\"sharpness\"]\n"
    );
    text
}
