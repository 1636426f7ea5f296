//! Data made to order, a file a source. Everything random comes from stream `(seed, Data)`.

mod least_squares;
mod mnist_1d;
mod moons;
mod shared;
mod sorting;
mod spirals;
mod teacher_student;

pub use least_squares::{LeastSquares, LeastSquaresProblem};
pub use mnist_1d::Mnist1d;
pub use moons::Moons;
pub use sorting::Sorting;
pub use spirals::Spirals;
pub use teacher_student::TeacherStudent;
