//! NumPy's format for one array: a magic number, a header, the values.
//!
//! The header is a Python literal of one form (`{'descr': '<f8', 'fortran_order': False, 'shape': (3, 4), }`), and
//! nothing else is taken: in particular no nesting, as structured types have it.

use std::io::Read;

/// The longest header; NumPy's own limit (`max_header_size`).
const LONGEST_HEADER: usize = 10_000;

/// What an array's values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Signed,
    Unsigned,
    Float,
    /// Bytes, padded with zeros.
    Bytes,
    /// Code points of four bytes, padded with zeros.
    Unicode,
}

/// The header of an array.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) kind: Kind,
    /// Bytes of a value.
    pub(super) width: usize,
    big_endian: bool,
    /// Whether the first index runs fastest.
    fortran: bool,
    pub(super) shape: Vec<usize>,
    /// Bytes before the values.
    pub(super) bytes: usize,
}

impl Header {
    /// Reads magic number and header; problems come in words.
    pub(super) fn read(reader: &mut impl Read) -> Result<Self, String> {
        let mut start = [0; 8];
        reader.read_exact(&mut start).map_err(|error| error.to_string())?;
        if &start[..6] != b"\x93NUMPY" {
            return Err("it does not begin as NumPy's arrays do".to_owned());
        }
        let mut size = [0; 4];
        let size_bytes = match start[6..] {
            [1, 0] => 2,
            [2 | 3, 0] => 4,
            _ => return Err(format!("its format has version {}.{}; 1 to 3 are known", start[6], start[7])),
        };
        reader.read_exact(&mut size[..size_bytes]).map_err(|error| error.to_string())?;
        let length = u32::from_le_bytes(size) as usize;
        if length > LONGEST_HEADER {
            return Err(format!("its header has {length} bytes; NumPy's have at most {LONGEST_HEADER}"));
        }
        let mut text = vec![0; length];
        reader.read_exact(&mut text).map_err(|error| error.to_string())?;
        let text = String::from_utf8(text).ok().filter(|text| !text.trim_end().contains(char::is_control));
        let text = text.ok_or("its header is not text")?;
        Self::parse(&text, 8 + size_bytes + length)
    }

    fn parse(text: &str, bytes: usize) -> Result<Self, String> {
        let (mut descr, mut fortran, mut shape) = (None, None, None);
        let mut rest = Literal(text);
        rest.expect('{')?;
        while !rest.take('}') {
            let key = rest.string()?;
            rest.expect(':')?;
            let again = match key {
                "descr" => {
                    let words = "structured arrays are not read: save one array for the inputs, one for the targets";
                    descr.replace(rest.string().map_err(|error| format!("{error}; {words}"))?).is_some()
                }
                "fortran_order" => fortran.replace(rest.boolean()?).is_some(),
                "shape" => shape.replace(rest.shape()?).is_some(),
                _ => return Err(format!("its header has a key `{key}`")),
            };
            if again {
                return Err(format!("its header has `{key}` twice"));
            }
            if !rest.take(',') {
                rest.expect('}')?;
                break;
            }
        }
        if !rest.0.trim().is_empty() {
            return Err("its header goes on behind its end".to_owned());
        }
        let (Some(descr), Some(fortran), Some(shape)) = (descr, fortran, shape) else {
            return Err("its header lacks descr, fortran_order or shape".to_owned());
        };
        let (big_endian, kind) = match descr.strip_prefix(['<', '|', '=']) {
            Some(kind) => (false, kind),
            None => (descr.starts_with('>'), descr.strip_prefix('>').unwrap_or(descr)),
        };
        let unread = |words: &str| Err(format!("it has dtype {descr} ({words}); {READ}"));
        let (kind, width) = match kind.split_at_checked(1) {
            Some(("b", "1")) => (Kind::Bool, 1),
            Some(("i", width @ ("1" | "2" | "4" | "8"))) => (Kind::Signed, width.parse().unwrap_or(0)),
            Some(("u", width @ ("1" | "2" | "4" | "8"))) => (Kind::Unsigned, width.parse().unwrap_or(0)),
            Some(("f", width @ ("2" | "4" | "8"))) => (Kind::Float, width.parse().unwrap_or(0)),
            Some((letter @ ("S" | "U"), width)) => match width.parse::<usize>() {
                Ok(width) if width > 0 && letter == "S" => (Kind::Bytes, width),
                Ok(width) if width > 0 && width < 1 << 30 => (Kind::Unicode, 4 * width),
                _ => return unread("text without length"),
            },
            Some(("O", _)) => return unread("Python objects, pickled: save array.astype(str) or array.astype(float)"),
            Some(("f", _)) => return unread("extended precision: save array.astype(\"float64\")"),
            Some(("c", _)) => return unread("complex numbers"),
            Some(("M" | "m", _)) => return unread("dates or time spans"),
            Some(("V", _)) => return unread("raw bytes"),
            _ => return unread("unknown"),
        };
        Ok(Self { kind, width, big_endian, fortran, shape, bytes })
    }

    /// Number of values and of their bytes; none where they cannot be counted.
    pub(super) fn size(&self) -> Option<(usize, usize)> {
        let count = self.shape.iter().try_fold(1, |count: usize, &size| count.checked_mul(size))?;
        Some((count, count.checked_mul(self.width)?))
    }

    /// The values, in the order in which the last index runs fastest.
    pub(super) fn values<T: Clone>(
        &self,
        reader: &mut impl Read,
        value: impl Fn(&[u8]) -> Result<T, String>,
    ) -> Result<Vec<T>, String> {
        let (count, _) = self.size().ok_or("its shape is larger than memory")?;
        let mut values = Vec::with_capacity(count);
        // A few thousand values at once.
        let mut piece = vec![0; self.width * (1 << 16).min(count).min(1 + (1 << 20) / self.width)];
        while values.len() < count {
            let bytes = (self.width * (count - values.len())).min(piece.len());
            reader.read_exact(&mut piece[..bytes]).map_err(|error| error.to_string())?;
            for bytes in piece[..bytes].chunks_exact(self.width) {
                values.push(value(bytes)?);
            }
        }
        Ok(if self.fortran && self.shape.len() > 1 { by_rows(&values, &self.shape) } else { values })
    }

    /// Whether values are text.
    pub(super) fn is_text(&self) -> bool {
        matches!(self.kind, Kind::Bytes | Kind::Unicode)
    }

    /// A value as a floating-point number.
    pub(super) fn number(&self, bytes: &[u8]) -> f64 {
        let bits = self.bits(bytes);
        match (self.kind, self.width) {
            (Kind::Float, 2) => half(bits as u16),
            (Kind::Float, 4) => f64::from(f32::from_bits(bits as u32)),
            (Kind::Float, _) => f64::from_bits(bits),
            _ => self.integer(bytes) as f64,
        }
    }

    /// A value of a whole or Boolean type.
    pub(super) fn integer(&self, bytes: &[u8]) -> i128 {
        let bits = self.bits(bytes);
        match (self.kind, self.width) {
            (Kind::Bool, _) => i128::from(bits != 0),
            (Kind::Signed, width) => {
                let unused = 64 - 8 * width;
                i128::from(((bits << unused) as i64) >> unused)
            }
            _ => i128::from(bits),
        }
    }

    /// A value of a type of text.
    pub(super) fn text(&self, bytes: &[u8]) -> Result<String, String> {
        let text: Option<String> = match self.kind {
            Kind::Unicode => bytes.chunks_exact(4).map(|point| char::from_u32(self.bits(point) as u32)).collect(),
            _ => String::from_utf8(bytes.to_vec()).ok(),
        };
        let text = text.ok_or("it holds text that is not Unicode; save array.astype(str)")?;
        let text = text.trim_end_matches('\0');
        match text.chars().find(|c| c.is_control()) {
            None => Ok(text.to_owned()),
            Some(c) => Err(format!("it holds text with a control character, {}", c.escape_unicode())),
        }
    }

    /// Up to eight bytes as a number without sign.
    fn bits(&self, bytes: &[u8]) -> u64 {
        let join = |bits: u64, byte: &u8| bits << 8 | u64::from(*byte);
        if self.big_endian { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }
}

const READ: &str = "whole numbers, bool, float16 to float64 and strings are read";

/// A number of 16 bits: IEEE 754 binary16.
fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let size = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { size } else { -size }
}

/// Values stored with the first index running fastest, in the order in which the last one does.
fn by_rows<T: Clone>(values: &[T], shape: &[usize]) -> Vec<T> {
    let mut strides: Vec<usize> = Vec::with_capacity(shape.len());
    let mut stride = 1;
    for size in shape {
        strides.push(stride);
        stride *= size;
    }
    let mut index = vec![0; shape.len()];
    let mut at = 0;
    let mut ordered = Vec::with_capacity(values.len());
    while ordered.len() < values.len() {
        ordered.push(values[at].clone());
        for axis in (0..shape.len()).rev() {
            index[axis] += 1;
            at += strides[axis];
            if index[axis] < shape[axis] {
                break;
            }
            at -= strides[axis] * shape[axis];
            index[axis] = 0;
        }
    }
    ordered
}

/// What is left of a Python literal.
struct Literal<'a>(&'a str);

impl<'a> Literal<'a> {
    fn take(&mut self, sign: char) -> bool {
        let rest = self.0.trim_start().strip_prefix(sign);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, sign: char) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(self.expected(&format!("`{sign}`"))) }
    }

    fn expected(&self, what: &str) -> String {
        let found: String = self.0.trim_start().chars().take(12).collect();
        format!("its header has `{}` where {what} should be", found.escape_debug())
    }

    fn string(&mut self) -> Result<&'a str, String> {
        for quote in ['\'', '"'] {
            if let Some(rest) = self.0.trim_start().strip_prefix(quote)
                && let Some((string, rest)) = rest.split_once(quote)
            {
                self.0 = rest;
                return Ok(string);
            }
        }
        Err(self.expected("a string"))
    }

    fn boolean(&mut self) -> Result<bool, String> {
        for (word, value) in [("True", true), ("False", false)] {
            if let Some(rest) = self.0.trim_start().strip_prefix(word) {
                self.0 = rest;
                return Ok(value);
            }
        }
        Err(self.expected("True or False"))
    }

    /// A flat tuple of whole numbers.
    fn shape(&mut self) -> Result<Vec<usize>, String> {
        self.expect('(')?;
        let mut shape = Vec::new();
        while !self.take(')') {
            let text = self.0.trim_start();
            let digits = text.len() - text.trim_start_matches(|c: char| c.is_ascii_digit()).len();
            let size = text[..digits].parse().map_err(|_| self.expected("a size"))?;
            self.0 = &text[digits..];
            shape.push(size);
            if shape.len() > 64 {
                return Err("its shape has more than 64 sizes".to_owned());
            }
            if !self.take(',') {
                // (3) is a number, not a tuple.
                if shape.len() == 1 {
                    return Err(self.expected("`,`"));
                }
                self.expect(')')?;
                break;
            }
        }
        Ok(shape)
    }
}
