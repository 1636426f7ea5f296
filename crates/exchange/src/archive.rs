//! The archive of `torch.export.save`: a zip file (PT2 Archive Spec) with the program as JSON and the tensors raw.
//!
//! | entry under the archive's root | what it is |
//! |---|---|
//! | `byteorder` | `little`, or absent |
//! | `models/NAME.json` | the program (`schema`) |
//! | `data/weights/NAME_weights_config.json` | where each parameter and buffer lies, its shape, strides and type |
//! | `data/constants/NAME_constants_config.json` | the same of tensors that the program has as constants |
//! | `data/weights/*`, `data/constants/*` | their numbers, little endian |
//!
//! All else is passed over: compiled code, pickled samples and objects. Nothing of an archive is ever run, and nothing
//! is written to disk. PyTorch stores without compression, so what is read is never larger than the file.

use std::collections::HashMap;
use std::io::{Cursor, Read};

use burn::tensor::{BoolStore, DType, TensorData};
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use zip::read::{ArchiveOffset, Config};
use zip::{CompressionMethod, ZipArchive};

use crate::error::ExchangeError;
use crate::schema::{Length, Payload, Payloads, Program, TensorMeta};

/// Major version of the schema, of PyTorch 2.6 and later.
const SCHEMA: u64 = 8;

/// The most bytes of a program's JSON: a network of a thousand layers has a tenth of it.
const MOST_JSON: u64 = 1 << 26;

/// Elements that a tensor may have beyond those of its file, by strides of zero.
const REPEATED: usize = 1 << 20;

/// Bytes that tensors may have beyond those of the archive: those of tied and repeated ones.
const MOST_MADE: usize = 1 << 28;

/// What an archive holds.
#[derive(Debug)]
pub struct Archive {
    pub program: Program,
    /// Parameters and buffers by their names.
    pub weights: HashMap<String, Stored>,
    /// Constants by their names.
    pub constants: HashMap<String, Stored>,
    /// SHA-256 of the file, in hex.
    pub digest: String,
}

/// A tensor of the archive.
#[derive(Debug, Clone)]
pub struct Stored {
    /// Its numbers, in row-major order: floats of 32 or 64 bits, whole numbers of 64, or booleans.
    pub data: TensorData,
    /// Its shape, which may have no axis.
    pub shape: Vec<usize>,
    /// Whether PyTorch trains it.
    pub trainable: bool,
    /// The file it lies in and where there: the same for tensors that are one.
    pub place: Place,
}

/// Where the numbers of a tensor lie: a file, an offset, strides.
pub type Place = (String, usize, Vec<usize>);

impl Archive {
    /// Reads an archive from its bytes.
    pub fn read(bytes: &[u8]) -> Result<Self, ExchangeError> {
        let damaged = |problem: String| ExchangeError::Archive(problem);
        // The samples of an archive can be a zip file themselves, whose end must not be taken for this one's beginning.
        let config = Config { archive_offset: ArchiveOffset::Known(0) };
        let zip = ZipArchive::with_config(config, Cursor::new(bytes)).map_err(|error| damaged(error.to_string()))?;
        let names: Vec<String> = zip.file_names().filter_map(|name| Some(name.ok()?.into_owned())).collect();
        let mut files = Files { zip, root: root(&names)?, left: bytes.len() as u64, made: bytes.len() + MOST_MADE };
        let own = |folder: &str| {
            let start = format!("{}/{folder}", files.root);
            let of = names.iter().filter_map(move |name| Some(name.strip_prefix(&start)?.to_owned()));
            of.collect::<Vec<_>>()
        };
        if names.iter().any(|name| name.ends_with("serialized_exported_program.json")) {
            return Err(damaged(
                "it was saved by a PyTorch before 2.8, with weights as a pickle, which is code; load it with \
                 torch.export.load and save it with a newer one"
                    .to_owned(),
            ));
        }
        let models: Vec<String> =
            own("models/").iter().filter_map(|name| Some(name.strip_suffix(".json")?.to_owned())).collect();
        let [name] = models.as_slice() else {
            return Err(damaged(format!("it holds {} programs ({}), not one", models.len(), models.join(", "))));
        };
        if own("byteorder").iter().any(String::is_empty) {
            let order = files.bytes("byteorder", 64)?;
            if order.trim_ascii() != b"little" {
                let order = String::from_utf8_lossy(&order).into_owned();
                return Err(damaged(format!("its numbers are stored in {order} byte order, not little")));
            }
        }
        let program: Version = files.json(&format!("models/{name}.json"))?;
        let found = program.schema_version;
        if found.major != SCHEMA {
            let found = format!("{}.{}", found.major, found.minor);
            return Err(ExchangeError::Schema { found, known: "versions 8.0 and up, of PyTorch 2.6 and later," });
        }
        let program: Program = files.json(&format!("models/{name}.json"))?;
        let weights = files.tensors("data/weights", &format!("{name}_weights_config.json"))?;
        let constants = files.tensors("data/constants", &format!("{name}_constants_config.json"))?;
        let digest = Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self { program, weights, constants, digest })
    }
}

/// The version alone: another one's program is not looked at.
#[derive(serde::Deserialize)]
struct Version {
    schema_version: crate::schema::Version,
}

/// The folder that everything lies in.
fn root(names: &[String]) -> Result<String, ExchangeError> {
    let root = names.iter().find_map(|name| name.split_once('/')).map(|(root, _)| root);
    root.map(str::to_owned).ok_or_else(|| ExchangeError::Archive("there is no folder in it".to_owned()))
}

/// The files of an archive, read from memory.
struct Files<'a> {
    zip: ZipArchive<Cursor<&'a [u8]>>,
    root: String,
    /// Bytes that may still be read: entries that lie over each other would be more than the file.
    left: u64,
    /// Bytes of tensors that may still be made: many could be of one file.
    made: usize,
}

impl Files<'_> {
    fn bytes(&mut self, name: &str, most: u64) -> Result<Vec<u8>, ExchangeError> {
        let damaged = |problem: String| ExchangeError::Archive(format!("{name}: {problem}"));
        let entry = self.zip.by_name(&format!("{}/{name}", self.root)).map_err(|error| damaged(error.to_string()))?;
        if entry.compression() != CompressionMethod::Stored {
            return Err(damaged("it is compressed, which PyTorch does not do".to_owned()));
        }
        let size = entry.size();
        if size > most.min(self.left) {
            return Err(damaged(format!("it has {size} bytes, which is too many")));
        }
        self.left -= size;
        let mut bytes = Vec::with_capacity(usize::try_from(size).map_err(|error| damaged(error.to_string()))?);
        // Checks the checksum at the end.
        entry.take(size + 1).read_to_end(&mut bytes).map_err(|error| damaged(error.to_string()))?;
        Ok(bytes)
    }

    fn json<T: DeserializeOwned>(&mut self, name: &str) -> Result<T, ExchangeError> {
        // A program is read twice, and its file counted once.
        let left = self.left;
        let bytes = self.bytes(name, MOST_JSON)?;
        self.left = left;
        serde_json::from_slice(&bytes).map_err(|error| ExchangeError::Archive(format!("{name}: {error}")))
    }

    fn tensors(&mut self, folder: &str, config: &str) -> Result<HashMap<String, Stored>, ExchangeError> {
        let Payloads { config } = self.json(&format!("{folder}/{config}"))?;
        let mut raw: HashMap<String, Vec<u8>> = HashMap::new();
        let mut tensors = HashMap::new();
        for (name, payload) in config {
            let wrong = |problem: String| ExchangeError::Tensor { name: name.clone(), problem };
            let Payload { path_name, use_pickle, tensor_meta } = payload;
            let Some(meta) = tensor_meta.filter(|_| !use_pickle) else {
                return Err(wrong("it is kept as a pickle, which is code; only plain tensors are read".to_owned()));
            };
            if !raw.contains_key(&path_name) {
                let bytes = self.bytes(&format!("{folder}/{path_name}"), u64::MAX)?;
                raw.insert(path_name.clone(), bytes);
            }
            let (data, shape, (offset, strides)) = numbers(&raw[&path_name], &meta).map_err(wrong)?;
            let left = self.made.checked_sub(data.as_bytes().len());
            self.made =
                left.ok_or_else(|| wrong("the tensors of the archive are larger than the archive".to_owned()))?;
            let stored = Stored { data, shape, trainable: meta.requires_grad, place: (path_name, offset, strides) };
            tensors.insert(name, stored);
        }
        Ok(tensors)
    }
}

/// Numbers, shape, and offset and strides of a tensor whose storage has these bytes.
#[allow(clippy::type_complexity)] // named where it is used
fn numbers(raw: &[u8], meta: &TensorMeta) -> Result<(TensorData, Vec<usize>, (usize, Vec<usize>)), String> {
    let stored = stored_type(meta.dtype)?;
    let size = stored.size();
    let lengths = |lengths: &[Length]| lengths.iter().map(known).collect::<Result<Vec<usize>, String>>();
    let (shape, strides) = (lengths(&meta.sizes)?, lengths(&meta.strides)?);
    let offset = known(&meta.storage_offset)?;
    if shape.len() != strides.len() {
        return Err(format!("its shape {shape:?} has the strides {strides:?}"));
    }
    let count = shape.iter().try_fold(1usize, |count, &length| count.checked_mul(length));
    let held = raw.len() / size;
    let count = count.filter(|&count| count <= held.max(REPEATED));
    let count = count.ok_or_else(|| format!("its shape {shape:?} does not fit a file of {} bytes", raw.len()))?;
    let last = shape.iter().zip(&strides).try_fold(offset, |last, (&length, &stride)| {
        length.saturating_sub(1).checked_mul(stride).and_then(|step| last.checked_add(step))
    });
    if count > 0 && last.is_none_or(|last| last >= held) {
        return Err(format!(
            "its shape {shape:?} with strides {strides:?} from {offset} on does not fit a file of {} bytes",
            raw.len()
        ));
    }
    let mut expected = 1;
    let in_order = shape.iter().zip(&strides).rev().all(|(&length, &stride)| {
        let fits = length == 1 || stride == expected;
        expected = expected.saturating_mul(length.max(1));
        fits
    });
    let bytes = if count == 0 {
        Vec::new()
    } else if in_order {
        raw[offset * size..(offset + count) * size].to_vec()
    } else {
        let mut bytes = Vec::with_capacity(count * size);
        let mut index = vec![0; shape.len()];
        for _ in 0..count {
            let at = offset + index.iter().zip(&strides).map(|(index, stride)| index * stride).sum::<usize>();
            bytes.extend_from_slice(&raw[at * size..(at + 1) * size]);
            for axis in (0..shape.len()).rev() {
                index[axis] += 1;
                if index[axis] < shape[axis] {
                    break;
                }
                index[axis] = 0;
            }
        }
        bytes
    };
    if stored == DType::Bool(BoolStore::Native) && bytes.iter().any(|&byte| byte > 1) {
        return Err("a boolean is neither 0 nor 1".to_owned());
    }
    let of_burn = if shape.is_empty() { vec![1] } else { shape.clone() };
    let data = TensorData::from_bytes_vec(bytes, of_burn, stored);
    let data = match stored {
        DType::F32 | DType::F64 | DType::I64 | DType::Bool(_) => data,
        DType::F16 | DType::BF16 => data.convert_dtype(DType::F32),
        _ => data.convert_dtype(DType::I64),
    };
    Ok((data, shape, (offset, strides)))
}

fn known(length: &Length) -> Result<usize, String> {
    match length {
        Length::AsInt(length) => usize::try_from(*length).map_err(|_| format!("it has a length of {length}")),
        Length::AsExpr(formula) => Err(format!("it has a length of {}, which is no number", formula.expr_str)),
    }
}

/// PyTorch's numbers of types.
fn stored_type(number: u64) -> Result<DType, String> {
    Ok(match number {
        1 => DType::U8,
        2 => DType::I8,
        3 => DType::I16,
        4 => DType::I32,
        5 => DType::I64,
        6 => DType::F16,
        7 => DType::F32,
        8 => DType::F64,
        12 => DType::Bool(BoolStore::Native),
        13 => DType::BF16,
        9..=11 => return Err("its numbers are complex, which nothing here calculates with".to_owned()),
        other => return Err(format!("its numbers are of PyTorch's type {other}, which is not read here")),
    })
}
