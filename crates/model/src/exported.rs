//! Networks from PyTorch: archives of `torch.export.save` ([`losscape_exchange`]).
//!
//! The initial weights are those of the archive, whatever the seed. Outputs `[n, C]` are those of a sample, `[n, L, C]`
//! those at each of L positions; axes of length one behind the first are passed over.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use burn::tensor::{DType, Device, Tensor};
use losscape_exchange::{ExchangeError, Kind};
pub use losscape_exchange::{Exported, Further, Program};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::error::ModelError;
use crate::input::ModelInput;
use crate::network::{Network, Settings, Size};
use crate::sample::{Outputs, Sample};

/// Configuration of a network from PyTorch.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ExportedConfig {
    /// The archive, which is read once, when something of it is first asked for.
    pub path: PathBuf,
    #[serde(skip)]
    program: Arc<OnceLock<Result<Program, ExchangeError>>>,
}

/// The same archive; what was read of it does not count.
impl PartialEq for ExportedConfig {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl ExportedConfig {
    /// The network of this archive.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), program: Arc::default() }
    }

    /// The network of an archive that was read before; `name` stands for its path.
    pub fn of(name: impl Into<PathBuf>, program: Program) -> Self {
        Self { path: name.into(), program: Arc::new(OnceLock::from(Ok(program))) }
    }

    /// What the archive holds.
    ///
    /// # Errors
    ///
    /// When it cannot be read, or not as a network.
    pub fn program(&self) -> Result<&Program, ModelError> {
        let program = self.program.get_or_init(|| Program::read(&self.path));
        program.as_ref().map_err(|problem| self.error(problem.clone()))
    }

    fn error(&self, problem: ExchangeError) -> ModelError {
        ModelError::Exported { path: self.path.clone(), problem }
    }

    /// The outputs that the network has for such samples.
    ///
    /// # Errors
    ///
    /// When the archive cannot be read, or the network does not take them.
    pub fn outputs(&self, sample: &Sample) -> Result<Outputs, ModelError> {
        Ok(self.measure(sample)?.0)
    }

    fn measure(&self, sample: &Sample) -> Result<(Outputs, usize), ModelError> {
        let program = self.program()?;
        let [input] = program.inputs() else {
            let problem = format!("it takes {} inputs, and samples here are one", program.inputs().len());
            return Err(self.error(ExchangeError::Graph(problem)));
        };
        let takes = match input.kind {
            Kind::Float => "numbers",
            Kind::Int => "tokens",
            Kind::Bool => return Err(self.error(ExchangeError::Graph("it takes conditions, not numbers".to_owned()))),
        };
        if (input.kind == Kind::Int) != matches!(sample, Sample::Tokens { .. }) {
            return Err(ModelError::Samples { takes, found: sample.to_string(), help: "" });
        }
        if let (Sample::Tokens { vocabulary, .. }, Some(rows)) = (sample, input.rows)
            && *vocabulary > rows
        {
            let problem = format!("its embedding has {rows} rows, and samples have tokens out of {vocabulary}");
            return Err(self.error(ExchangeError::Graph(problem)));
        }
        // Samples [H, W] are images of one channel unless the network takes them as they are.
        let shape = match *sample {
            Sample::Image { channels: 1, height, width } if input.sample.len() == 2 => vec![height, width],
            _ => sample.shape(),
        };
        let extent = program.check(&[shape]).map_err(|problem| self.error(problem))?;
        let lengths: Vec<usize> = extent.output.iter().copied().filter(|length| *length != 1).collect();
        let outputs = match lengths.as_slice() {
            [] => Outputs::from(1),
            &[each] => Outputs::from(each),
            &[positions, each] => Outputs { positions, each },
            _ => {
                let problem = format!("its output for a sample is {:?}, not a row, or a row a position", extent.output);
                return Err(self.error(ExchangeError::Graph(problem)));
            }
        };
        Ok((outputs, extent.numbers))
    }
}

impl Settings for ExportedConfig {
    type Network = Exported;

    type Takes = Sample;

    const FLAT: bool = false;

    fn takes(sample: &Sample) -> Result<Sample, ModelError> {
        Ok(sample.clone())
    }

    /// None while the archive cannot be read, which [`size`](Settings::size) reports.
    fn pytorch_names(&self) -> Vec<String> {
        self.program().map(Program::names).unwrap_or_default()
    }

    fn folded(network: Exported) -> Exported {
        network
    }

    fn size(&self, sample: Sample, outputs: Outputs) -> Result<Size, ModelError> {
        let (own, numbers) = self.measure(&sample)?;
        // Two positions of one output each are one position of two.
        if own != outputs && !(own.total() == outputs.total() && (own.each == 1 || outputs.each == 1)) {
            let problem = format!("it has {}, and the targets are for {}", in_words(own), in_words(outputs));
            return Err(self.error(ExchangeError::Graph(problem)));
        }
        let program = self.program()?;
        let parameters = program.parameters();
        Ok(Size { parameters, widest: program.widest(), units: numbers.saturating_add(sample.size()) })
    }

    fn build(&self, _: Sample, _: Outputs, _: u64, device: &Device, dtype: DType) -> Result<Exported, ModelError> {
        Ok(self.program()?.init(device, dtype))
    }
}

fn in_words(outputs: Outputs) -> String {
    match outputs.positions {
        1 => format!("{} outputs", outputs.each),
        positions => format!("{} outputs at each of {positions} positions", outputs.each),
    }
}

/// Outputs `[n, C]`.
///
/// # Errors
///
/// For inputs that the program does not take ([`ExportedConfig::outputs`] says which it takes), or from whose numbers
/// it makes places that are out of range.
pub fn outputs(network: &Exported, input: ModelInput) -> Result<Tensor<2>, ExchangeError> {
    let input = match input {
        ModelInput::Numbers(x) => x.into_dispatch(),
        ModelInput::Images(x) => x.into_dispatch(),
        ModelInput::Tokens(x) => x.into_dispatch(),
    };
    network.forward_rows(input).map(Tensor::from_dispatch)
}

impl Network for Exported {
    type Input = ModelInput;

    /// # Panics
    ///
    /// Where [`outputs`] has an error.
    fn forward(&self, input: ModelInput) -> Tensor<2> {
        outputs(self, input).unwrap_or_else(|problem| panic!("{problem}"))
    }

    fn reseed(&self, seed: u64) {
        Exported::reseed(self, seed);
    }
}
