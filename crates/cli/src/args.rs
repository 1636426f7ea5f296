//! The command line as types.

#![allow(rustdoc::broken_intra_doc_links, reason = "brackets of the help, which these comments are")]

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum, ValueHint};
use clap_complete::Shell;
use losscape_lab::measure::llc::ChainSettings;

/// Trains overparameterized networks and measures the loss landscape they move through.
#[derive(Parser)]
#[command(name = "losscape", version, arg_required_else_help = true, disable_help_subcommand = true)]
pub struct Cli {
    /// How much it says.
    #[command(flatten)]
    pub talk: Talk,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// How much the program says beside its results.
#[derive(Args, Clone, Copy)]
pub struct Talk {
    /// No progress, and no word but on what a result depends on or what went wrong
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub quiet: bool,
    /// Say also what is calculated with: device, threads, memory
    #[arg(short, long, global = true)]
    pub verbose: bool,
    /// Colours in the terminal
    #[arg(long, value_name = "WHEN", global = true, default_value = "auto")]
    pub color: Color,
}

/// When text is coloured.
#[derive(Clone, Copy, ValueEnum)]
pub enum Color {
    /// In a terminal, unless NO_COLOR is set
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

impl Color {
    /// Makes it the choice of the process.
    pub fn write_global(self) {
        match self {
            Self::Auto => anstream::ColorChoice::Auto,
            Self::Always => anstream::ColorChoice::Always,
            Self::Never => anstream::ColorChoice::Never,
        }
        .write_global();
    }
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train the network a configuration file describes; goes on by itself where an earlier start was stopped
    Train(TrainArgs),
    /// Write a configuration to begin with, for data that are looked at first
    Init(InitArgs),
    /// Train with flows beside: differential equations that predict loss, sharpness and path
    Flow(FlowArgs),
    /// Measure the loss landscape at trained parameters: curvature, tangent kernel, PL*, sharpness, slices
    Analyze(Box<AnalyzeArgs>),
    /// Put statements of lecture notes (docs/lecture-notes.md) and of the literature to a measurement
    #[command(subcommand)]
    Claims(ClaimsCommand),
    /// Do many runs that differ in chosen settings, measure them alike, and put them in one table
    #[command(subcommand)]
    Study(StudyCommand),
    /// Show or export datasets
    #[command(subcommand)]
    Data(DataCommand),
    /// List what a configuration can name
    List {
        /// Which names
        what: Names,
    },
    /// Write the figures and the HTML report of a run again from its records
    Report {
        /// Run folder
        #[arg(value_hint = ValueHint::DirPath)]
        run: PathBuf,
    },
    /// Show runs side by side: the settings in which they differ, and the results
    Compare(CompareArgs),
    /// List runs and studies: how far they are and what came out
    Ls(LsArgs),
    /// Follow a run while it trains
    Watch {
        /// Run folder
        #[arg(value_hint = ValueHint::DirPath)]
        run: PathBuf,
    },
    /// Look at what lies between two trained networks: barriers on the line and on a trained curve
    Connect(ConnectArgs),
    /// Print the JSON schema of a configuration, for editors
    Schema {
        /// As a page instead: docs/reference.md
        #[arg(long)]
        markdown: bool,
    },
    /// Explain a command, or a key of a configuration like optimizer.momentum, ema.decay or track
    Help {
        /// A command, a key, or the name of a choice
        words: Vec<String>,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Arguments of `train`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape train examples/digits.toml -s optimizer.learning_rate=0.02 -s seed=1
  losscape train examples/digits.toml -s optimizer.name=adam -s optimizer.learning_rate=1e-3

Values are written as in the file or as in Python. Another name takes the place of the file's: its keys that the
new choice does not know no longer count. KEY={ ... } takes the place of a whole table, KEY=false takes a table
away that need not be there.

A run that diverges is a result: the exit code is 0, and its summary.json says so. Ctrl-C, SIGTERM, SIGUSR1 and
SIGHUP (the terminal closes) write a checkpoint and exit with code 75; the same command then goes on from there.
A second Ctrl-C stops at once. To train a finished run further, set more steps or epochs and name it:
  losscape train examples/edge.toml -s training.steps=2000 --extend runs/edge-0123456789abcdef")]
pub struct TrainArgs {
    /// Configuration file; - is the standard input
    #[arg(value_hint = ValueHint::FilePath)]
    pub config: PathBuf,
    /// Set a key of the configuration; KEY=null or ~KEY takes one away; may be given more than once
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Memory that may be used, like 500M or 12GiB; what does not fit is refused before it begins [default: what is
    /// free]
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Throw away what an earlier start of the same run left
    #[arg(long)]
    pub fresh: bool,
    /// Go on from the end of this run, which has the same configuration but for its length
    #[arg(long, value_name = "RUN")]
    pub extend: Option<PathBuf>,
}

/// Arguments of `init`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape init measurements.csv -s target=price -s task=regression
  losscape init fashion-mnist --out fashion.toml")]
pub struct InitArgs {
    /// A table (.csv, .tsv, also gzipped), an archive of NumPy (.npz), or the name of a dataset
    #[arg(value_hint = ValueHint::FilePath)]
    pub data: String,
    /// File to write [default: the name of the data, with .toml]
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Set a key of the `data` table; may be given more than once
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
}

/// Arguments of `flow`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape flow examples/flow.toml
  losscape flow examples/flow.toml -s optimizer.learning_rate=0.5 -s 'flow.flows=[\"central\"]'

The configuration is that of a training on full batches with a [flow] table; losscape train does the same. losscape
list flows tells which flows there are. As train does, it goes on by itself where it was stopped.")]
pub struct FlowArgs {
    #[command(flatten)]
    pub train: TrainArgs,
}

/// Arguments of `analyze`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape analyze runs/digits-0123456789abcdef
  losscape analyze runs/digits-0123456789abcdef --only ntk,pl --memory 12GB
  losscape analyze --model net.pt2 --data data.npz --loss cross-entropy
  losscape analyze --model model.toml --data data.npz --weights net.safetensors --json

Of a run, the newest checkpoint is measured on its training data; results go to its folder and into its report,
each as soon as it is there: what was stopped goes on where it was.

Of a network made elsewhere: an archive of torch.export.save (docs/howto/pytorch.md), or a TOML file with the [model]
and [loss] tables of a training configuration and its weights, under names NAME.weight [out, in] and NAME.bias as in
the state dictionary of a PyTorch module, in the order of the numbers in the names or of --layers. D.npz holds x
[n, d] and y (labels [n] or targets [n, C]). With --out a folder like a run's is left.")]
pub struct AnalyzeArgs {
    /// Run folder
    #[arg(required_unless_present = "model", conflicts_with_all = ["weights", "data", "model", "out"])]
    pub run: Option<PathBuf>,
    /// A network made elsewhere: an archive of torch.export.save, or a TOML file that describes it
    #[arg(long, value_name = "M.pt2", requires = "data")]
    pub model: Option<PathBuf>,
    /// Data for it, a NumPy archive
    #[arg(long, value_name = "D.npz", requires = "model")]
    pub data: Option<PathBuf>,
    /// Its loss, where it is an archive; `losscape list losses` tells what there is
    #[arg(long, value_name = "LOSS", requires = "model")]
    pub loss: Option<String>,
    /// Its weights, a safetensors file [default: those of the archive]
    #[arg(long, value_name = "W.safetensors", requires_all = ["data", "model"])]
    pub weights: Option<PathBuf>,
    /// Their layers from input to output, without .weight and .bias [default: by the numbers in their names]
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "weights")]
    pub layers: Vec<String>,
    /// Tensors of the file to leave out, such as buffers
    #[arg(long, value_name = "NAME", value_delimiter = ',', requires = "weights")]
    pub ignore: Vec<String>,
    /// Axis of the images that has their channels, for data [n, C, H, W] or [n, H, W, C]
    #[arg(long, value_name = "AXIS", requires = "model", value_parser = ["first", "last"])]
    pub channels: Option<String>,
    /// Number of different tokens, for data [n, L] of whole numbers that are sequences of these
    #[arg(long, value_name = "V", requires = "model")]
    pub vocabulary: Option<usize>,
    /// Folder for the results of a network made elsewhere [default: they are printed only]
    #[arg(long, value_name = "DIR", requires = "model")]
    pub out: Option<PathBuf>,
    /// Measure the average of the run's weights that [average] asked for, instead of the last ones
    #[arg(long, requires = "run")]
    pub average: bool,
    /// Measure only these; `losscape list measures` tells what there is [default: all but `llc`]
    #[arg(long, value_name = "MEASURE", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Print the results as one JSON object instead of tables
    #[arg(long)]
    pub json: bool,
    /// Eigenvalues wanted at each end of each spectrum [default: 10 largest, 5 smallest]
    #[arg(short = 'k', long, value_name = "K")]
    pub top: Option<usize>,
    /// Float type to measure in: f64 or f32
    #[arg(long, default_value = "f64", value_parser = ["f64", "f32"])]
    pub precision: String,
    /// What batch norm goes by: running statistics (evaluation), or those of all samples as one batch (batch)
    #[arg(long, default_value = "evaluation", value_parser = ["evaluation", "batch"])]
    pub mode: String,
    /// Memory that may be used, like 500M or 12GiB [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Rise of the loss that defines basin width
    #[arg(long, value_name = "DELTA", default_value_t = 0.1)]
    pub rise: f64,
    /// Draws of each chain that the local learning coefficient is made of
    #[arg(long, value_name = "N", default_value_t = ChainSettings::default().draws)]
    pub draws: usize,
    /// How firmly these chains are held at the weights: the precision of a normal distribution around them
    #[arg(long, value_name = "GAMMA", default_value_t = ChainSettings::default().localization)]
    pub localization: f64,
    /// Seed of probes and directions
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// Arguments of `compare`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape compare runs/edge-*
  losscape compare runs/edge-* --out compare.html")]
pub struct CompareArgs {
    /// Run folders
    #[arg(required = true, num_args = 2.., value_hint = ValueHint::DirPath)]
    pub runs: Vec<PathBuf>,
    /// Print the results as a JSON array, an object a run
    #[arg(long)]
    pub json: bool,
    /// Write a page with the table and the curves of all runs
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// Arguments of `ls`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape ls
  losscape ls runs --where optimizer.name=adam --show optimizer.learning_rate --sort test_accuracy
  losscape ls studies/flatness/runs --out index.html

A KEY is folder, state, steps, updated_unix_s, a quantity of summary.json like test_loss, or a dotted key of the
configuration like optimizer.learning_rate.")]
pub struct LsArgs {
    /// Runs, studies, or folders that they are in [default: runs and studies]
    #[arg(value_hint = ValueHint::DirPath)]
    pub folders: Vec<PathBuf>,
    /// Only those that have this value; may be given more than once
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub filters: Vec<String>,
    /// Sort by this, the largest last
    #[arg(long, value_name = "KEY", default_value = "folder")]
    pub sort: String,
    /// Show this as a further column; may be given more than once
    #[arg(long, value_name = "KEY", value_delimiter = ',')]
    pub show: Vec<String>,
    /// Print a JSON array, an object a run or study, with all settings
    #[arg(long)]
    pub json: bool,
    /// Write a page that leads to theirs
    #[arg(long, value_name = "FILE.html")]
    pub out: Option<PathBuf>,
}

/// Arguments of `connect`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape connect runs/a runs/b
  losscape connect runs/a runs/b --curve 2000 --out between

The barrier is the largest rise of the loss above the straight line between the losses of the ends. Of multilayer
perceptrons the line is looked at again after the units of one are put in the order of the other's.")]
pub struct ConnectArgs {
    /// Two run folders: of one network under one loss on one data set
    #[arg(required = true, num_args = 2)]
    pub runs: Vec<PathBuf>,
    /// Equal steps on each way; more are looked at around the highest point
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub steps: usize,
    /// Steps of Adam that a Bézier curve is trained for, four gradients each; 0 for no curve
    #[arg(long, value_name = "STEPS", default_value_t = 500)]
    pub curve: usize,
    /// The rate that they begin at; it falls to 0 in a line
    #[arg(long, default_value_t = 0.01)]
    pub rate: f64,
    /// Take the averages of the runs' weights that [average] asked for, instead of the last ones
    #[arg(long)]
    pub average: bool,
    /// What batch norm goes by: running statistics (evaluation), or those of all samples as one batch (batch)
    #[arg(long, default_value = "evaluation", value_parser = ["evaluation", "batch"])]
    pub mode: String,
    /// Float type to calculate in: f64 or f32
    #[arg(long, default_value = "f64", value_parser = ["f64", "f32"])]
    pub precision: String,
    /// Seed of the order in which layers are matched, and of the points on the curve
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Folder for the results: connection.json and its figure [default: they are printed only]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Print the results as one JSON object
    #[arg(long)]
    pub json: bool,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// What to do with claims.
#[derive(Subcommand)]
pub enum ClaimsCommand {
    /// List the claims with what theory expects of each, and where each is from
    ///
    /// "The notes" are a student's notes on optimization and overparameterization, docs/lecture-notes.md; other sources
    /// are papers.
    List,
    /// Measure claims and say which hold
    Run(ClaimsArgs),
}

/// Arguments of `claims run`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape claims run
  losscape claims run pl-star convergence-theorem --full --seed 3

Evidence goes to one file a claim, and to report.html. What this program has measured before with the same
settings is kept, so a run that was stopped goes on where it was. The exit code is 1 when a verdict is not the
one that theory expects.")]
pub struct ClaimsArgs {
    /// Claims to measure [default: all]
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Spend a few minutes on all of them, on two cores [default]
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Spend many times as long: more seeds, widths and steps, and other networks
    #[arg(long)]
    pub full: bool,
    /// Seed of everything random
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Measure anew what the folder has already
    #[arg(long)]
    pub fresh: bool,
    /// Print the results as a JSON array instead of a table
    #[arg(long)]
    pub json: bool,
    /// Folder for evidence and report
    #[arg(long, value_name = "DIR", default_value = "claims")]
    pub out: PathBuf,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// What to do with a study.
#[derive(Subcommand)]
#[command(after_help = "\
Example:
  losscape study run examples/studies/flatness.toml -j 2

A study is a training configuration with a [study] table: its axes are keys of the configuration with the values
they take.")]
pub enum StudyCommand {
    /// Write down the runs of a study without doing them; a study planned before may grow
    Plan(StudyArgs),
    /// Do the runs that are missing, each in a process of its own; then merge and report
    Run(StudyRunArgs),
    /// Say how far the runs are
    Status(StudyArgs),
    /// Let `run` do again what failed
    Retry {
        /// The study
        #[command(flatten)]
        study: StudyArgs,
        /// Runs that failed [default]
        #[arg(long)]
        failed: bool,
    },
    /// Write results.csv and results.parquet, one row a run; exit code 1 when runs are missing
    Merge {
        /// The study
        #[command(flatten)]
        study: StudyArgs,
        /// Write the table also when runs are missing
        #[arg(long)]
        partial: bool,
    },
    /// Weigh which measure goes with which outcome, and write report.html, from the runs there are
    Report(StudyArgs),
    /// Hand the runs to a cluster
    Submit(SubmitArgs),
    /// One run of a study, for `run`
    #[command(hide = true)]
    Worker {
        /// Study folder
        folder: PathBuf,
        /// Place of the run in the plan
        index: usize,
        /// Device to calculate on
        #[arg(long)]
        device: String,
        /// Bytes that it may measure in
        #[arg(long)]
        memory: Option<usize>,
    },
}

/// Which study.
#[derive(Args)]
pub struct StudyArgs {
    /// Configuration file with a [study] table, or the folder it was planned into
    pub study: PathBuf,
    /// Folder that study folders are made in
    #[arg(long, value_name = "DIR", default_value = "studies")]
    pub out: PathBuf,
}

/// Arguments of `study run`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape study run examples/studies/flatness.toml -j 2
  losscape study run studies/flatness --index 3 --chunk 10      runs 30 to 39, as a task of an array

Finished runs are kept, stopped ones go on from their checkpoints, failed ones wait for `losscape study retry`.
A run that diverged is a result. Ctrl-C and SIGTERM stop all runs with checkpoints; the exit code is then 75,
and 1 when a run failed.")]
pub struct StudyRunArgs {
    /// Which study
    #[command(flatten)]
    pub study: StudyArgs,
    /// Runs at a time [default: one for each core]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub jobs: Option<u16>,
    /// Threads of each run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// Do only a part of the plan: the I-th chunk, counted from 0
    #[arg(long, value_name = "I")]
    pub index: Option<usize>,
    /// Runs of a chunk
    #[arg(long, value_name = "K", default_value = "1", requires = "index")]
    pub chunk: NonZeroUsize,
    /// Memory that each run may measure in, like 4G or 4GiB; what does not fit is refused before it begins [default:
    /// what is free, divided by the jobs]
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// Arguments of `study submit`.
#[derive(Args)]
#[command(after_help = "\
Example:
  losscape study submit examples/studies/flatness.toml --launcher slurm --limit 100 --option partition=cpu

Scripts go to the study's folder, which all nodes must see. A task that reaches its time limit writes
checkpoints and goes back into the queue; one that is cancelled writes them and ends.")]
pub struct SubmitArgs {
    /// Which study
    #[command(flatten)]
    pub study: StudyArgs,
    /// What takes the jobs
    #[arg(long)]
    pub launcher: Launcher,
    /// Write the scripts and say how to submit them, without doing it
    #[arg(long)]
    pub dry_run: bool,
    /// Runs of a task [default: so many that there are at most 1,000 tasks]
    #[arg(long, value_name = "K")]
    pub chunk: Option<NonZeroUsize>,
    /// Tasks at a time [default: no limit]
    #[arg(long, value_name = "N")]
    pub limit: Option<NonZeroUsize>,
    /// A further option of sbatch, without its dashes, like time=01:00:00; may be given more than once
    #[arg(long = "option", value_name = "NAME=VALUE")]
    pub options: Vec<String>,
    /// Container image with losscape in it, for kubernetes
    #[arg(long, default_value = "losscape:latest")]
    pub image: String,
    /// Threads of each run
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: u16,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// What takes jobs.
#[derive(Clone, Copy, ValueEnum)]
pub enum Launcher {
    /// A job array with a job behind it that merges
    Slurm,
    /// An indexed Job; the manifest is written, not applied
    Kubernetes,
}

/// What to do with datasets.
#[derive(Subcommand)]
pub enum DataCommand {
    /// List the names of datasets, or the keys of one
    #[command(after_help = "\
Example:
  losscape data list csv")]
    List {
        /// Name of the dataset whose keys are shown, with their defaults
        name: Option<String>,
    },
    /// Write a dataset, split and standardized as for training, as a NumPy archive
    #[command(after_help = "\
Example:
  losscape data export spirals --out spirals.npz -s classes=5 -s samples=2000

The archive holds x [n, d] and y (labels [n] or targets [n, C]), and x_test and y_test if there is a test part.")]
    Export {
        /// Name of the dataset
        name: String,
        /// File to write
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Set a key of the `data` table; may be given more than once
        #[arg(short, long = "set", value_name = "KEY=VALUE")]
        set: Vec<String>,
    },
}

/// What can be listed.
#[derive(Clone, Copy, ValueEnum)]
pub enum Names {
    /// Update rules for `[optimizer]`
    Optimizers,
    /// Learning-rate schedules for `[optimizer] schedule`
    Schedules,
    /// Averages of weights for `[average]`
    Averages,
    /// Networks for `[model]`
    Models,
    /// Activations for `[model]`
    Activations,
    /// Losses for `[loss]`
    Losses,
    /// Datasets for `[data]`
    Data,
    /// Measures for `analyze --only`
    Measures,
    /// Flows for `[flow] flows`
    Flows,
    /// Every key of a configuration
    Keys,
}
