//! Data made to order, a file a source. Everything random comes from stream `(seed, Data)`.

mod least_squares;
mod moons;
mod shared;
mod spirals;
mod teacher_student;

pub use least_squares::{LeastSquares, LeastSquaresProblem};
pub use moons::Moons;
pub use spirals::Spirals;
pub use teacher_student::TeacherStudent;
