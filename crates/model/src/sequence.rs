//! Where the outputs of networks on sequences are read.

use burn::tensor::Tensor;

use crate::dense::Dense;
use crate::error::ModelError;
use crate::sample::Outputs;

/// Where the outputs of a network on sequences are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Read {
    /// At each of so many of the last positions.
    Last(usize),
    /// Of the mean over positions.
    Mean,
}

impl Read {
    /// For outputs at so many positions of sequences `[length, vocabulary]`: the last ones. One output for a whole
    /// sequence is read at the last position if that has seen all the others and they have not seen it.
    pub fn of([length, vocabulary]: [usize; 2], outputs: Outputs, causal: bool) -> Result<Self, ModelError> {
        let Outputs { positions, each } = outputs;
        for (size, layer) in [(length, "the sequence"), (vocabulary, "the vocabulary"), (each, "the output")] {
            if size == 0 {
                return Err(ModelError::ZeroWidth { layer: layer.to_owned() });
            }
        }
        if positions == 0 || positions > length {
            let problem = format!("{positions} positions have a target, of {length} tokens");
            return Err(ModelError::Layer { layer: "the output".to_owned(), key: "name", problem });
        }
        Ok(if positions == 1 && !causal { Self::Mean } else { Self::Last(positions) })
    }

    /// Outputs `[n, C]` of hidden vectors `[n, length, width]`.
    pub fn outputs(self, h: Tensor<3>, output: &Dense) -> Tensor<2> {
        let length = h.dims()[1];
        let read = match self {
            Self::Last(positions) => h.narrow(1, length - positions, positions),
            Self::Mean => h.mean_dim(1),
        };
        output.on_rows(read).flatten(1, 2)
    }
}
