//! [`Input`]: what a network is applied to.

use std::collections::HashMap;
use std::fmt;

use crate::array::Kind;
use crate::error::ExchangeError;
use crate::schema::{Length, Range, TensorMeta};

/// A tensor that the network is applied to; samples lie along its first axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Its name in the program.
    pub name: String,
    /// What its elements are.
    pub kind: Kind,
    /// Lengths of the axes of a sample.
    pub sample: Vec<Axis>,
    /// Rows of the smallest table of weights that its whole numbers choose from.
    pub rows: Option<usize>,
}

/// The length of an axis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Axis {
    /// This one.
    Fixed(usize),
    /// Any within bounds, the same wherever the symbol stands.
    Open {
        /// Its symbol.
        symbol: String,
        /// The shortest.
        least: usize,
        /// The longest.
        most: usize,
    },
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            Kind::Float => "floats",
            Kind::Int => "whole numbers",
            Kind::Bool => "conditions",
        };
        let lengths = self.sample.iter().map(|axis| match axis {
            Axis::Fixed(length) => length.to_string(),
            Axis::Open { least, most: usize::MAX, .. } => format!("{least} or more"),
            Axis::Open { least, most, .. } => format!("{least} to {most}"),
        });
        let lengths: Vec<String> = ["n".to_owned()].into_iter().chain(lengths).collect();
        write!(f, "`{}`, {kind} [{}]", self.name, lengths.join(", "))
    }
}

/// What the program says of an input.
pub fn of(name: String, meta: &TensorMeta, ranges: &HashMap<String, Range>) -> Result<Input, ExchangeError> {
    let wrong = |problem: String| ExchangeError::Graph(format!("its input `{name}`: {problem}"));
    let kind = kind(meta.dtype).map_err(wrong)?;
    match meta.sizes.as_slice() {
        [Length::AsExpr(_), ..] => {}
        [Length::AsInt(samples), ..] => {
            return Err(wrong(format!(
                "it was exported for exactly {samples} samples; export it for any number, by \
                 dynamic_shapes=({{0: torch.export.Dim.DYNAMIC}},), which names what stands in the way"
            )));
        }
        [] => return Err(wrong("it is a number without axes, where samples lie along the first".to_owned())),
    }
    let samples = match &meta.sizes[0] {
        Length::AsExpr(formula) => symbol(&formula.expr_str),
        Length::AsInt(_) => None,
    };
    // PyTorch takes a single sample for a case of its own, and says "2 or more" where one would do as well.
    let any = |range: &Range| range.min_val.is_none_or(|least| least <= 2) && range.max_val.is_none();
    let Some(samples) = samples.filter(|symbol| ranges.get(*symbol).is_none_or(any)) else {
        return Err(wrong(
            "it was exported for some numbers of samples alone; export it for any number, by \
             dynamic_shapes=({0: torch.export.Dim.DYNAMIC},)"
                .to_owned(),
        ));
    };
    let axis = |length: &Length| match length {
        Length::AsInt(length) => {
            usize::try_from(*length).map(Axis::Fixed).map_err(|_| wrong(format!("a length of {length}")))
        }
        Length::AsExpr(formula) => {
            let symbol = symbol(&formula.expr_str).filter(|symbol| *symbol != samples);
            let symbol = symbol.ok_or_else(|| wrong(format!("a length of {} is not known here", formula.expr_str)))?;
            let range = ranges.get(symbol).copied().unwrap_or(Range { min_val: None, max_val: None });
            let bound = |value: Option<i64>| value.and_then(|value| usize::try_from(value).ok());
            let (least, most) = (bound(range.min_val).unwrap_or(1), bound(range.max_val).unwrap_or(usize::MAX));
            Ok(Axis::Open { symbol: symbol.to_owned(), least, most })
        }
    };
    let sample = meta.sizes[1..].iter().map(axis).collect::<Result<_, _>>()?;
    Ok(Input { name, kind, sample, rows: None })
}

/// The symbol of a length that is nothing else: `s77`, or `Symbol('s77', positive=True, integer=True)`.
fn symbol(formula: &str) -> Option<&str> {
    let inner = match formula.strip_prefix("Symbol('") {
        Some(rest) => rest.split('\'').next()?,
        None => formula,
    };
    let is_name = !inner.is_empty() && inner.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(inner)
}

pub fn fixed(length: &Length) -> Option<usize> {
    match length {
        Length::AsInt(length) => usize::try_from(*length).ok(),
        Length::AsExpr(_) => None,
    }
}

/// What PyTorch's type is here: there is one kind of float, one of whole numbers.
pub fn kind(dtype: u64) -> Result<Kind, String> {
    match dtype {
        // Smaller ones wrap around, which nothing here does.
        4 | 5 => Ok(Kind::Int),
        6..=8 | 13 => Ok(Kind::Float),
        12 => Ok(Kind::Bool),
        other => Err(format!("PyTorch's type {other} is not calculated with here")),
    }
}
