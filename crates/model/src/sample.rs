//! What one sample's input is: numbers, an image, a sequence of tokens; and what is said of it.

use std::fmt;

use serde::Serialize;

use crate::error::ModelError;

/// Shape and kind of one sample's input.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sample {
    /// Numbers in an array of this shape. Which axis of `[32, 32, 3]` has the channels is not known: it is no image.
    Numbers(Vec<usize>),
    /// An image, channels first.
    Image {
        /// Channels, the first axis.
        channels: usize,
        /// Rows of pixels.
        height: usize,
        /// Columns of pixels.
        width: usize,
    },
    /// A sequence of whole numbers from 0 to below `vocabulary`.
    Tokens {
        /// Tokens in a sample.
        length: usize,
        /// Number of different tokens.
        vocabulary: usize,
    },
}

impl Sample {
    /// An image of one channel.
    #[must_use]
    pub fn gray(height: usize, width: usize) -> Self {
        Self::Image { channels: 1, height, width }
    }

    /// Sizes of its axes.
    #[must_use]
    pub fn shape(&self) -> Vec<usize> {
        match self {
            Self::Numbers(shape) => shape.clone(),
            Self::Image { channels, height, width } => vec![*channels, *height, *width],
            Self::Tokens { length, .. } => vec![*length],
        }
    }

    /// How many numbers it has; saturating.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shape().into_iter().fold(1, usize::saturating_mul)
    }

    /// The numbers of a sample for a network that takes them in a row, whatever shape they have.
    ///
    /// # Errors
    ///
    /// [`ModelError::Samples`] for tokens, whose numbers are names.
    pub fn numbers(&self) -> Result<usize, ModelError> {
        match self {
            Self::Numbers(_) | Self::Image { .. } => Ok(self.size()),
            Self::Tokens { .. } => Err(self.instead_of("numbers")),
        }
    }

    /// `[channels, height, width]` for a network that takes images.
    ///
    /// # Errors
    ///
    /// [`ModelError::Samples`] for all else, [`ModelError::ZeroWidth`] for an image without pixels.
    pub fn image(&self) -> Result<[usize; 3], ModelError> {
        match *self {
            Self::Image { channels, height, width } if self.size() > 0 => Ok([channels, height, width]),
            Self::Image { .. } => Err(ModelError::ZeroWidth { layer: "the input".to_owned() }),
            _ => Err(self.instead_of("images")),
        }
    }

    /// `[length, vocabulary]` for a network that takes tokens.
    ///
    /// # Errors
    ///
    /// [`ModelError::Samples`] for all else.
    pub fn tokens(&self) -> Result<[usize; 2], ModelError> {
        match *self {
            Self::Tokens { length, vocabulary } => Ok([length, vocabulary]),
            _ => Err(self.instead_of("tokens")),
        }
    }

    fn instead_of(&self, takes: &'static str) -> ModelError {
        let unknown = matches!(self, Self::Numbers(shape) if shape.len() == 3) && takes == "images";
        let help = if unknown {
            "; of an NPZ archive, channels = \"first\" or \"last\" in [data] says which axis has the channels"
        } else {
            ""
        };
        ModelError::Samples { takes, found: self.to_string(), help }
    }
}

/// What a network says of one sample: so many numbers at each of its positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Outputs {
    /// Positions that have a target each: 1, or the tokens of a sequence.
    pub positions: usize,
    /// Outputs for each.
    pub each: usize,
}

impl Outputs {
    /// C, all outputs of a sample; saturating.
    #[must_use]
    pub fn total(self) -> usize {
        self.positions.saturating_mul(self.each)
    }
}

/// Outputs of a sample as a whole.
impl From<usize> for Outputs {
    fn from(each: usize) -> Self {
        Self { positions: 1, each }
    }
}

/// So many numbers in a row.
impl From<usize> for Sample {
    fn from(numbers: usize) -> Self {
        Self::Numbers(vec![numbers])
    }
}

impl fmt::Display for Sample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(shape) if shape.len() == 1 => write!(f, "rows of {} numbers", shape[0]),
            Self::Numbers(shape) => {
                let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
                write!(f, "arrays of {} numbers", sizes.join("×"))
            }
            Self::Image { channels: 1, height, width } => write!(f, "images of {height}×{width} pixels"),
            Self::Image { channels, height, width } => {
                write!(f, "images of {height}×{width} pixels with {channels} channels")
            }
            Self::Tokens { length, vocabulary } => write!(f, "sequences of {length} tokens out of {vocabulary}"),
        }
    }
}
