//! Sources of data by name: the table of a configuration's `[data]`.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::origin::{Key, Origin};
use super::{cifar, digits, fashion_mnist, generate, idx, npz, table, text};

/// The table of sources: a variant with its settings, its name in a configuration, and what it is. The settings say all
/// the rest, in the source's own file.
macro_rules! sources {
    ($($variant:ident($settings:ty) = $name:literal: $words:literal;)+) => {
        /// Where data comes from; the name and its settings in the `[data]` table of a training configuration.
        #[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[non_exhaustive]
        pub enum Source {
            $(#[doc = $words] #[serde(rename = $name)] $variant($settings),)+
        }

        impl Source {
            /// Every name accepted in a configuration, with one line on what it is.
            pub const ALL: &'static [(&'static str, &'static str)] = &[$(($name, $words)),+];

            /// The keys of the source called `name`; none where there is no such source.
            #[must_use]
            pub fn keys(name: &str) -> Option<&'static [Key]> {
                match name {
                    $($name => Some(<$settings>::KEYS),)+
                    _ => None,
                }
            }

            pub(crate) fn origin(&self) -> &dyn Origin {
                match self {
                    $(Self::$variant(settings) => settings,)+
                }
            }

            /// The files that it reads.
            pub fn paths_mut(&mut self) -> Vec<&mut PathBuf> {
                match self {
                    $(Self::$variant(settings) => settings.paths_mut(),)+
                }
            }
        }

        $(impl From<$settings> for Source {
            fn from(settings: $settings) -> Self {
                Self::$variant(settings)
            }
        })+
    };
}

sources! {
    Digits(digits::Digits) =
        "digits": "1,797 handwritten digits of 8×8 pixels in 10 classes (UCI); comes with the program";
    FashionMnist(fashion_mnist::FashionMnist) =
        "fashion-mnist": "1,500 images of clothes, 28×28 pixels in 10 classes; comes with the program";
    Moons(generate::Moons) = "moons": "two interleaved half circles, 2 classes";
    Spirals(generate::Spirals) = "spirals": "interleaved spiral arms, any number of classes";
    Mnist1d(generate::Mnist1d) = "mnist-1d": "signals of 40 numbers in 10 classes, made of templates of digits";
    Sorting(generate::Sorting) = "sorting": "sequences of digits, to be continued in sorted order";
    TeacherStudent(generate::TeacherStudent) =
        "teacher-student": "regression on the outputs of a random tanh network";
    LeastSquares(generate::LeastSquares) =
        "least-squares": "linear regression with the eigenvalues of ΦᵀΦ and its rank prescribed";
    Idx(idx::Idx) = "idx": "IDX files, plain or gzipped: MNIST, Fashion-MNIST, EMNIST";
    Cifar10(cifar::Cifar10) = "cifar10": "CIFAR-10 in its binary version";
    Cifar100(cifar::Cifar100) = "cifar100": "CIFAR-100 in its binary version, with fine or coarse labels";
    Csv(table::Csv) = "csv": "a CSV file with one target column";
    Text(text::Text) = "text": "characters of a text, each to be followed by the next; a play comes with the program";
    Npz(npz::Npz) = "npz": "a NumPy archive with arrays x and y, or those of Keras and MedMNIST";
}
