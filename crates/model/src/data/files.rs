//! Files as streams of bytes, decompressed where they are gzipped.
//!
//! What a file grows to in memory is bounded before it is read: a few megabytes of gzip can hold gigabytes of zeros.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use super::dataset::MAX_VALUES;
use super::error::DataError;

/// Values that any file may hold, however small it is: 384 MiB, which MNIST needs.
const FREE: u64 = 3 << 24;

/// Bytes of values that a byte on disk may become beyond that. Deflate reaches 1,032 bytes a byte, and eight times as
/// many when bytes become f64; photographs and tables of measurements stay below.
const GROWTH: u64 = 50;

/// The most bytes of the beginning that tell what a file is.
const HEAD: u64 = 512;

/// A file that is being read.
pub(super) struct Bytes {
    path: PathBuf,
    /// Size of the file itself.
    on_disk: u64,
    head: Vec<u8>,
    reader: Box<dyn BufRead>,
}

/// Opens a file that is no other format's; gzip is taken away.
pub(super) fn open(path: &Path) -> Result<Bytes, DataError> {
    let io = |source| DataError::Io { path: path.to_owned(), source };
    let file = File::open(path).map_err(io)?;
    let on_disk = file.metadata().map_err(io)?.len();
    let mut raw = BufReader::with_capacity(1 << 16, file);
    let mut reader: Box<dyn BufRead> = if raw.fill_buf().map_err(io)?.starts_with(&[0x1f, 0x8b]) {
        Box::new(BufReader::with_capacity(1 << 16, MultiGzDecoder::new(raw)))
    } else {
        Box::new(raw)
    };
    let mut head = Vec::new();
    reader.by_ref().take(HEAD).read_to_end(&mut head).map_err(io)?;
    if let Some(other) = foreign(&head) {
        return Err(DataError::Format { path: path.to_owned(), line: None, problem: format!("it is {other}") });
    }
    let reader = Box::new(Cursor::new(head.clone()).chain(reader));
    Ok(Bytes { path: path.to_owned(), on_disk, head, reader })
}

impl Bytes {
    /// The first bytes, at most 512.
    pub(super) fn head(&self) -> &[u8] {
        &self.head
    }

    /// Whether so many values may be made of this file.
    pub(super) fn allow(&self, values: usize) -> Result<(), DataError> {
        allow(&self.path, self.on_disk, values)
    }

    /// Fills `buffer` as far as the file goes, and says how far.
    pub(super) fn fill(&mut self, buffer: &mut [u8]) -> Result<usize, DataError> {
        let mut filled = 0;
        while filled < buffer.len() {
            match self.reader.read(&mut buffer[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(self.io(error)),
            }
        }
        Ok(filled)
    }

    /// Appends a line with its newline, at most `limit` bytes of it; false at the end.
    pub(super) fn line(&mut self, line: &mut Vec<u8>, limit: u64) -> Result<bool, DataError> {
        let read = self.reader.by_ref().take(limit).read_until(b'\n', line);
        read.map(|count| count > 0).map_err(|error| self.io(error))
    }

    fn io(&self, source: io::Error) -> DataError {
        DataError::Io { path: self.path.clone(), source }
    }
}

/// Whether a file of `on_disk` bytes may become so many values.
pub(super) fn allow(path: &Path, on_disk: u64, values: usize) -> Result<(), DataError> {
    let allowed = FREE.max(on_disk.saturating_mul(GROWTH) / 8);
    if values > MAX_VALUES || values as u64 > allowed {
        return Err(DataError::Growth { path: path.to_owned(), on_disk, values });
    }
    Ok(())
}

/// What a file is, in words, if it begins as one of a format that is not read here.
pub(super) fn foreign(head: &[u8]) -> Option<&'static str> {
    const FORMATS: &[(&[u8], &str)] = &[
        (b"PK\x03\x04", "a zip archive: a NumPy archive is source `npz`, an Excel workbook has to be saved as CSV"),
        (b"\x93NUMPY", "a single NumPy array; put inputs and targets into one archive: np.savez(\"d.npz\", x=x, y=y)"),
        (b"PAR1\x15", "a Parquet file; save it as CSV"),
        (b"\x89HDF\r\n", "an HDF5 file (or MATLAB's v7.3); save its arrays with np.savez"),
        (b"MATLAB 5.0", "a MATLAB file; save its arrays with np.savez (scipy.io.loadmat reads them)"),
        (b"\xd0\xcf\x11\xe0", "an Excel workbook (or another old Office file); save it as CSV"),
        (b"ARROW1", "an Arrow file; save it as CSV"),
        (b"SQLite format 3", "an SQLite database; save the table as CSV"),
        (b"\x89PNG", "a single image"),
        (b"\xff\xd8\xff", "a single image"),
        (b"%PDF-", "a PDF file"),
        (b"<!DOCTYPE", "a web page: the download did not give the file"),
        (b"<!doctype", "a web page: the download did not give the file"),
        (b"<html", "a web page: the download did not give the file"),
        (b"<?xml", "an XML file"),
        (b"version https://git-lfs", "a pointer of Git LFS, not the file itself; fetch it with git lfs pull"),
        (b"\xfd7zXZ\0", "compressed with xz; decompress it, or use gzip"),
        (b"\x28\xb5\x2f\xfd", "compressed with zstd; decompress it, or use gzip"),
        (b"BZh91AY&SY", "compressed with bzip2; decompress it, or use gzip"),
        (b"7z\xbc\xaf", "a 7-Zip archive; unpack it"),
        (b"RDX", "a file of R's save(); write it with write.csv(data, row.names = FALSE)"),
        (b"X\n\0\0", "a file of R's saveRDS(); write it with write.csv(data, row.names = FALSE)"),
    ];
    let known = FORMATS.iter().find(|(magic, _)| head.starts_with(magic)).map(|(_, words)| *words);
    // R's saves are told from a header that begins with these letters by the newline behind the version.
    let known = known.filter(|_| !head.starts_with(b"RDX") || head.get(4) == Some(&b'\n'));
    known.or(match head {
        [0x80, 2..=5, ..] => Some(
            "a Python pickle; load it in Python and save its arrays with np.savez (CIFAR has a binary version: \
             cifar-10-binary.tar.gz)",
        ),
        [0x1f, 0x8b, ..] => Some("compressed with gzip twice; decompress it"),
        _ if head.get(257..262) == Some(b"ustar") => Some("a tar archive; unpack it and name the files in it"),
        _ => None,
    })
}
