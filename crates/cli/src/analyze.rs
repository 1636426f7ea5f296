//! `losscape analyze`.

use std::sync::Mutex;

use indicatif::{ProgressBar, ProgressStyle};
use losscape_lab::analysis::{AnalysisSettings, Measure, Progress, json};
use losscape_lab::config::Precision;
use losscape_lab::{Analysis, RunFolder, Subject};
use losscape_report::{landscape, page};

use crate::args::AnalyzeArgs;
use crate::error::CliError;
use crate::{device, memory};

/// Measures, writes what belongs to a run into its folder, and says what came out.
pub fn run(args: &AnalyzeArgs) -> Result<(), CliError> {
    let device = device::parse(&args.device)?;
    let settings = settings(args)?;
    let folder = args.run.as_ref().map(RunFolder::new);
    let subject = match (&folder, &args.weights, &args.data, &args.model) {
        (Some(folder), ..) => {
            let (subject, note) = Subject::of_run(folder, &device)?;
            if let Some(note) = note {
                anstream::eprintln!("{note}");
            }
            subject
        }
        (None, Some(weights), Some(data), Some(model)) => Subject::of_files(weights, data, model, &device)?,
        _ => return Err(CliError::Message("name a run folder, or --weights, --data and --model".to_owned())),
    };
    for notice in &subject.notices {
        anstream::eprintln!("note: {notice}");
    }
    let bar = Bar::new();
    let analysis = Analysis::measure(&subject, &settings, &|progress| bar.show(&progress));
    bar.clear();
    let analysis = analysis?;
    if let Some(folder) = &folder {
        analysis.write(folder)?;
        page::write(folder)?;
    }
    if args.json {
        anstream::println!("{}", json(&analysis));
        return Ok(());
    }
    anstream::print!("{}", landscape::text(&analysis));
    if let Some(folder) = folder {
        anstream::println!("{}", folder.report().display());
    }
    Ok(())
}

fn settings(args: &AnalyzeArgs) -> Result<AnalysisSettings, CliError> {
    let mut settings = AnalysisSettings {
        precision: if args.precision == "f32" { Precision::F32 } else { Precision::F64 },
        seed: args.seed,
        top: args.top,
        memory: args.memory.as_deref().map(memory::bytes).transpose()?,
        rise: args.rise,
        ..AnalysisSettings::default()
    };
    if !(args.rise > 0.0 && args.rise.is_finite()) {
        return Err(CliError::Message(format!("--rise {} is not possible: it must be positive", args.rise)));
    }
    if args.top == Some(0) {
        return Err(CliError::Message("--top 0 is not possible: it must be at least 1".to_owned()));
    }
    if !args.only.is_empty() {
        settings.only = args.only.iter().map(|name| measure(name)).collect::<Result<_, _>>()?;
        // Who names the kernel waits for it.
        if [Measure::Ntk, Measure::Pl].iter().any(|measure| settings.only.contains(measure)) {
            settings.kernel_size = usize::MAX;
        }
    }
    Ok(settings)
}

fn measure(name: &str) -> Result<Measure, CliError> {
    let found = Measure::ALL.iter().find(|(_, known, _)| *known == name);
    found.map(|(measure, ..)| *measure).ok_or_else(|| {
        let names: Vec<&str> = Measure::ALL.iter().map(|(_, known, _)| *known).collect();
        CliError::Message(format!("unknown measure `{name}`; known are {}", names.join(", ")))
    })
}

/// The progress bar; silent when standard error is no terminal.
struct Bar(Mutex<ProgressBar>);

impl Bar {
    fn new() -> Self {
        Self(Mutex::new(ProgressBar::new(0)))
    }

    fn show(&self, progress: &Progress) {
        let Ok(mut bar) = self.0.lock() else { return };
        match *progress {
            Progress::Begin(what, parts) => {
                bar.finish_and_clear();
                let template = if parts > 0 {
                    "{bar:28} {pos:>4}/{len:4} {elapsed:>4}  {msg}"
                } else {
                    "{spinner} {elapsed:>4}  {msg}"
                };
                let style = ProgressStyle::with_template(template).expect("the template is valid");
                *bar = ProgressBar::new(parts as u64).with_style(style).with_message(what.to_owned());
                bar.enable_steady_tick(std::time::Duration::from_millis(200));
            }
            Progress::Done(done) => {
                let done = done as u64;
                // Iterations end when they have converged: the length is a guess.
                if bar.length().is_some_and(|length| done > length) {
                    bar.set_length(done);
                }
                bar.set_position(done);
            }
        }
    }

    fn clear(&self) {
        if let Ok(bar) = self.0.lock() {
            bar.finish_and_clear();
        }
    }
}
