//! The command line as types.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

/// Trains overparameterized networks and measures the loss landscape they move through.
#[derive(Parser)]
#[command(name = "losscape", version, arg_required_else_help = true)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Subcommand)]
pub enum Command {
    /// Train the network a configuration file describes; goes on by itself where an earlier start was stopped
    Train(TrainArgs),
    /// Measure the loss landscape at trained parameters: curvature, tangent kernel, PL*, sharpness, slices
    Analyze(AnalyzeArgs),
    /// Put the statements of the lecture notes to a measurement
    #[command(subcommand)]
    Claims(ClaimsCommand),
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
        run: PathBuf,
    },
    /// Show runs side by side: the settings in which they differ, and the results
    Compare {
        /// Run folders
        #[arg(required = true, num_args = 2..)]
        runs: Vec<PathBuf>,
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
Example:
  losscape train examples/digits.toml -s optimizer.learning_rate=0.02 -s seed=1

Ctrl-C, SIGTERM and SIGUSR1 write a checkpoint and exit with code 75; the same command then goes on from there.
A second Ctrl-C stops at once.")]
pub struct TrainArgs {
    /// Configuration file
    pub config: PathBuf,
    /// Set a key of the configuration; may be given more than once
    #[arg(short, long = "set", value_name = "KEY=VALUE")]
    pub set: Vec<String>,
    /// Folder that run folders are made in
    #[arg(long, value_name = "DIR", default_value = "runs")]
    pub out: PathBuf,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
    /// Throw away what an earlier start of the same run left
    #[arg(long)]
    pub fresh: bool,
}

/// Arguments of `analyze`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  losscape analyze runs/digits-0123456789abcdef
  losscape analyze runs/digits-0123456789abcdef --only ntk,pl --memory 12GB
  losscape analyze --weights net.safetensors --data data.npz --model model.toml --json

Of a run, the newest checkpoint is measured on its training data; results go to its folder and into its report.
Of weights trained elsewhere: names N.weight [out, in] and N.bias in increasing order of N, with or without a prefix (the state dictionary of a
PyTorch nn.Sequential); D.npz holds x [n, d] and y (labels [n] or targets [n, C]); M.toml the [model] and [loss] tables of a training
configuration.")]
pub struct AnalyzeArgs {
    /// Run folder
    #[arg(required_unless_present = "weights", conflicts_with_all = ["weights", "data", "model"])]
    pub run: Option<PathBuf>,
    /// Weights trained elsewhere, a safetensors file
    #[arg(long, value_name = "W.safetensors", requires_all = ["data", "model"])]
    pub weights: Option<PathBuf>,
    /// Data for them, a NumPy archive
    #[arg(long, value_name = "D.npz", requires = "weights")]
    pub data: Option<PathBuf>,
    /// Description of their network, a TOML file
    #[arg(long, value_name = "M.toml", requires = "weights")]
    pub model: Option<PathBuf>,
    /// Measure only these; `losscape list measures` tells what there is [default: all]
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
    /// Memory that may be used, like 500MB or 12GB [default: no limit]
    #[arg(long, value_name = "BYTES")]
    pub memory: Option<String>,
    /// Rise of the loss that defines basin width
    #[arg(long, value_name = "DELTA", default_value_t = 0.1)]
    pub rise: f64,
    /// Seed of probes and directions
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Device to calculate on: flex, ndarray, cuda or wgpu, with an index like cuda:1
    #[arg(long, default_value = "flex")]
    pub device: String,
}

/// What to do with claims.
#[derive(Subcommand)]
pub enum ClaimsCommand {
    /// List the claims with what theory expects of each
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

Evidence goes to one file a claim, and to report.html. What this program has measured before with the same settings is kept, so a run that was
stopped goes on where it was. The exit code is 1 when a verdict is not the one that theory expects.")]
pub struct ClaimsArgs {
    /// Claims to measure [default: all]
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
    /// Spend three minutes on all of them [default]
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Spend half an hour on all of them: more seeds, widths and steps
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

/// What to do with datasets.
#[derive(Subcommand)]
pub enum DataCommand {
    /// List the names of datasets
    List,
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
}
