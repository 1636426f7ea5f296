//! Datasets: real ones, generated ones, and files.
//!
//! [`DataConfig`] names a source; [`DataConfig::load`] gives the standardized training and test parts ready for a
//! device.
//!
//! | source | file |
//! |---|---|
//! | the digits that come with this crate | [`digits`] |
//! | 1,500 images of Fashion-MNIST that come with it, too | [`fashion_mnist`] |
//! | moons, spirals, MNIST-1D, sorting, teacher-student regression, least squares with a chosen spectrum | [`generate`], a file each |
//! | IDX (MNIST and relatives, also gzipped) | [`idx`] |
//! | CIFAR-10 and CIFAR-100, binary | [`cifar`] |
//! | CSV | [`table`], over `records` |
//! | characters of a text; a play comes with the crate | [`text`] |
//! | NumPy archives, read and written | [`npz`], over `npy` |
//! | labels of any kind as classes | `labels` |
//! | files, decompressed, and what they may grow to | `files` |
//! | inputs with their targets | `dataset` |
//! | what a source says of itself; the table of sources | `origin`, `source` |
//! | splitting and random labels; standardization | [`prepare`], `standardize` |
//!
//! Readers refuse what can be read in two ways, and say which setting decides.
//!
//! A reader gives parts as its files have them; `labels` alone makes classes of labels, for every format. What was read
//! in one of two ways is said in [`Parts::notices`]. `files` bounds what a file may grow to.

pub mod cifar;
mod dataset;
pub mod digits;
mod error;
pub mod fashion_mnist;
mod files;
pub mod generate;
pub mod idx;
mod labels;
mod npy;
pub mod npz;
mod origin;
pub mod prepare;
mod records;
mod source;
mod standardize;
pub mod table;
pub mod text;

pub use dataset::{Dataset, Matrix, Parts, Target, Targets};
pub use error::DataError;
pub use origin::Key;
pub use prepare::{DataConfig, Prepared};
pub use source::Source;
pub use standardize::Standardize;
