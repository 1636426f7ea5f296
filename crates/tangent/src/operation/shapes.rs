//! The shapes that a rule is applied at.

/// Shapes of the operands and the result of a node, without block axes.
pub struct Shapes<'a> {
    pub operands: Vec<&'a [usize]>,
    pub output: &'a [usize],
}
