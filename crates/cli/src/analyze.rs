//! `losscape analyze`.

use losscape_lab::config::{Mode, Precision};
use losscape_lab::folder::no_link;
use losscape_lab::measure::llc::ChainSettings;
use losscape_lab::measure::{AnalysisSettings, Measure, Progress};
use losscape_lab::nearest::meant;
use losscape_lab::open::{Files, Made};
use losscape_lab::pytorch::Layout;
use losscape_lab::{Analysis, RunFolder, Subject};
use losscape_model::data::npz::{Channels, Npz};
use losscape_model::{Loss, LossKind};
use losscape_report::{landscape, page};

use crate::args::AnalyzeArgs;
use crate::error::CliError;
use crate::progress::Measuring;
use crate::terminal::{self, note, say, show};
use crate::{device, memory};

/// Measures, keeps each measurement in the folder as soon as it is made, and says what came out.
pub fn run(args: &AnalyzeArgs) -> Result<(), CliError> {
    let device = device::parse(&args.device)?;
    let (measures, settings) = (measures(args)?, settings(args)?);
    let folder = args.run.as_ref().or(args.out.as_ref()).map(RunFolder::new);
    let trained = folder.clone().filter(|_| args.run.is_some());
    // What is measured of an average has a folder of its own in that of the run.
    let folder = if args.average { folder.map(|folder| folder.average()) } else { folder };
    let (subject, notes) = match (&trained, &args.data, &args.model) {
        (_, Some(data), Some(model)) => {
            let files = Files {
                weights: args.weights.clone(),
                layout: Layout { layers: args.layers.clone(), ignored: args.ignore.clone() },
                data: Npz {
                    path: data.clone(),
                    channels: args.channels.as_deref().map(|axis| match axis {
                        "last" => Channels::Last,
                        _ => Channels::First,
                    }),
                    vocabulary: args.vocabulary,
                    ..Npz::default()
                },
                model: Made::File(model.clone()),
                loss: args.loss.as_deref().map(loss).transpose()?,
            };
            (Subject::of_files(&files, &device)?, Vec::new())
        }
        (Some(run), ..) if args.average => Subject::of_average(run, &device)?,
        (Some(run), ..) => Subject::of_run(run, &device)?,
        _ => return Err(CliError::Message("name a run folder, or --model and --data".to_owned())),
    };
    let subject = if args.mode == "batch" { subject.in_mode(Mode::Batch)? } else { subject };
    for note in subject.notices.iter().chain(&notes) {
        note!("note: {note}");
    }
    let bar = Measuring::new();
    let show = |progress: Progress| bar.show(&progress);
    let begun = |folder: &RunFolder| {
        // A run's own folder may be reached by a link, one within it may not.
        let own = if args.average { no_link(folder.path()) } else { Ok(()) };
        own.and_then(|()| folder.begin_analysis(subject.mode))
            .map_err(|error| note!("{error}; the results are printed, and not kept"))
            .is_ok()
    };
    let folder = folder.filter(begun);
    let (analysis, unkept) = match &folder {
        None => (Analysis::measure(&subject, &measures, &settings, &show)?, None),
        Some(folder) => Analysis::measure_in(folder, &subject, &measures, &settings, &show)?,
    };
    bar.clear();
    if args.json {
        terminal::out(&(analysis.json() + "\n"));
    } else {
        show!("{}", landscape::text(&analysis, terminal::columns()));
    }
    if let Some(error) = unkept {
        return Err(error.into());
    }
    if let Some(folder) = folder {
        if args.run.is_some() && !args.average {
            page::write(&folder)?;
        } else {
            page::write_landscape(&folder, &analysis)?;
        }
        if !args.json {
            say!("{}", folder.report().display());
        }
    }
    Ok(())
}

fn loss(name: &str) -> Result<LossKind, CliError> {
    LossKind::named(name).ok_or_else(|| {
        let known: Vec<&str> = Loss::ALL.iter().map(|(name, _)| *name).collect();
        let meant = meant(name, known.iter().copied());
        CliError::Message(format!("unknown loss `{name}`; known are {}{meant}", known.join(", ")))
    })
}

fn settings(args: &AnalyzeArgs) -> Result<AnalysisSettings, CliError> {
    let default = AnalysisSettings::default();
    let settings = AnalysisSettings {
        precision: if args.precision == "f32" { Precision::F32 } else { Precision::F64 },
        seed: args.seed,
        top: args.top,
        memory: args.memory.as_deref().map(memory::bytes).transpose()?,
        // Who names a measure that a kernel is decomposed for waits for it.
        kernel_size: default.kernel_size.filter(|_| args.only.is_empty()),
        rise: args.rise,
        chains: ChainSettings { draws: args.draws, localization: args.localization, ..default.chains },
    };
    if !(args.rise > 0.0 && args.rise.is_finite()) {
        return Err(CliError::Message(format!("--rise {} is not possible: it must be positive", args.rise)));
    }
    if args.top == Some(0) {
        return Err(CliError::Message("--top 0 is not possible: it must be at least 1".to_owned()));
    }
    Ok(settings)
}

/// The measures asked for, or all but those that have to be.
fn measures(args: &AnalyzeArgs) -> Result<Vec<&'static Measure>, CliError> {
    if args.only.is_empty() {
        Ok(Measure::usual().collect())
    } else {
        args.only.iter().map(|name| named(name)).collect()
    }
}

fn named(name: &str) -> Result<&'static Measure, CliError> {
    Measure::named(name).ok_or_else(|| CliError::Message(Measure::unknown(name)))
}
