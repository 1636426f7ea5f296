//! NumPy archives: `x` `[n, …]` (flattened to `[n, d]`), and `y`: whole numbers `[n]` are labels, other numbers `[n]` or `[n, C]`
//! are targets. A test set may stand beside them as `x_test` and `y_test`.

use std::fs::File;
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use npyz::{NpyFile, Order, WriterBuilder};
use serde::{Deserialize, Serialize};
use zip::write::SimpleFileOptions;
use zip::{ZipArchive, ZipWriter};

use super::{DataError, Dataset, Matrix, Targets, classes};

/// Which archive to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Npz {
    /// The file.
    pub path: PathBuf,
    /// Number of classes; by default one more than the largest training label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub classes: Option<usize>,
}

impl Npz {
    /// The training set, and the test set if the archive has one.
    ///
    /// # Errors
    ///
    /// When the file cannot be read or is no such archive, or samples and targets do not make a [`Dataset`].
    pub fn read(&self) -> Result<(Dataset, Option<Dataset>), DataError> {
        let path = &self.path;
        let file = File::open(path).map_err(|source| DataError::Io { path: path.clone(), source })?;
        let mut archive = ZipArchive::new(file).map_err(|error| broken(path, &error))?;
        let train = dataset(&mut archive, path, "x", "y", self.classes)?;
        let test = if archive.index_for_name("x_test.npy").is_some() {
            let test = dataset(&mut archive, path, "x_test", "y_test", Some(train.outputs()))?;
            Some(test)
        } else {
            None
        };
        Ok((train, test))
    }
}

fn broken(path: &Path, error: &dyn std::fmt::Display) -> DataError {
    let problem = format!("no complete NumPy archive: {error}");
    DataError::Format { path: path.to_owned(), line: None, problem }
}

struct Array {
    shape: Vec<usize>,
    values: Vec<f64>,
    integer: bool,
}

fn array<R: Read + Seek>(archive: &mut ZipArchive<R>, path: &Path, name: &str) -> Result<Array, DataError> {
    let format = |problem: String| DataError::Format { path: path.to_owned(), line: None, problem };
    if archive.index_for_name(&format!("{name}.npy")).is_none() {
        let found = archive.file_names().flatten().collect::<Vec<_>>().join(", ");
        return Err(format(format!("no array `{name}`; the archive holds {found}")));
    }
    let entry = archive.by_name(&format!("{name}.npy")).map_err(|error| broken(path, &error))?;
    let npy = NpyFile::new(entry).map_err(|error| broken(path, &error))?;
    let shape: Vec<usize> = npy.shape().iter().map(|&size| size as usize).collect();
    if shape.len() > 1 && npy.order() == Order::Fortran {
        return Err(format(format!("array `{name}` is stored column by column; save np.ascontiguousarray({name})")));
    }
    let descr = npy.dtype().descr();
    let kind = descr.trim_matches(|c| "'<>|=".contains(c)).to_owned();
    let integer = kind.starts_with(['i', 'u', 'b']);
    macro_rules! read {
        ($type:ty) => {
            npy.into_vec::<$type>()
                .map_err(|error| broken(path, &error))?
                .into_iter()
                .map(|value| value as f64)
                .collect()
        };
    }
    let values = match kind.as_str() {
        "f4" => read!(f32),
        "f8" => read!(f64),
        "i1" => read!(i8),
        "i2" => read!(i16),
        "i4" => read!(i32),
        "i8" => read!(i64),
        "u1" => read!(u8),
        "u2" => read!(u16),
        "u4" => read!(u32),
        "u8" => read!(u64),
        _ => return Err(format(format!("array `{name}` has dtype {descr}; integers, float32 and float64 are read"))),
    };
    Ok(Array { shape, values, integer })
}

fn dataset<R: Read + Seek>(
    archive: &mut ZipArchive<R>,
    path: &Path,
    x: &str,
    y: &str,
    given: Option<usize>,
) -> Result<Dataset, DataError> {
    let inputs = array(archive, path, x)?;
    let targets = array(archive, path, y)?;
    let format = |problem: String| DataError::Format { path: path.to_owned(), line: None, problem };
    if inputs.shape.len() < 2 {
        return Err(format(format!("`{x}` must be [n, d], but has shape {:?}", inputs.shape)));
    }
    let columns = inputs.shape[1..].iter().product();
    let targets = match targets.shape.as_slice() {
        [_] if targets.integer => {
            if let Some(sample) = targets.values.iter().position(|&label| label < 0.0) {
                return Err(format(format!("label {} of sample {sample} is negative", targets.values[sample])));
            }
            let labels: Vec<usize> = targets.values.into_iter().map(|label| label as usize).collect();
            let classes = classes(&labels, given);
            Targets::Labels { labels, classes }
        }
        [_] => Targets::Values(Matrix { values: targets.values, columns: 1 }),
        [_, columns] if *columns > 0 => Targets::Values(Matrix { values: targets.values, columns: *columns }),
        shape => return Err(format(format!("`{y}` must be [n] or [n, C], but has shape {shape:?}"))),
    };
    Dataset::new(Matrix { values: inputs.values, columns }, targets)
}

/// Writes an archive that [`Npz`] and `numpy.load` read: `x` as float64, `y` as int64 labels or float64 targets.
///
/// # Errors
///
/// When `sink` cannot be written.
pub fn write<W: Write + Seek>(sink: W, train: &Dataset, test: Option<&Dataset>) -> std::io::Result<()> {
    fn entry<W: Write + Seek, T: npyz::AutoSerialize>(
        archive: &mut ZipWriter<W>,
        name: &str,
        values: impl IntoIterator<Item = T>,
        shape: &[u64],
    ) -> std::io::Result<()> {
        let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
        archive.start_file(format!("{name}.npy"), options)?;
        let mut writer = npyz::WriteOptions::new().default_dtype().shape(shape).writer(archive).begin_nd()?;
        writer.extend(values)?;
        writer.finish()
    }
    let mut archive = ZipWriter::new(sink);
    for (data, suffix) in [(Some(train), ""), (test, "_test")] {
        let Some(data) = data else { continue };
        let n = data.len() as u64;
        let inputs = &data.inputs;
        entry(&mut archive, &format!("x{suffix}"), inputs.values.iter().copied(), &[n, inputs.columns as u64])?;
        let name = format!("y{suffix}");
        match &data.targets {
            Targets::Labels { labels, .. } => {
                entry(&mut archive, &name, labels.iter().map(|&label| label as i64), &[n])?;
            }
            Targets::Values(values) => {
                entry(&mut archive, &name, values.values.iter().copied(), &[n, values.columns as u64])?;
            }
        }
    }
    archive.finish()?;
    Ok(())
}
