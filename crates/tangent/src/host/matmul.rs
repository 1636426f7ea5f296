//! Products of matrices, by faer.

use faer::linalg::matmul::matmul as product;
use faer::{Accum, MatMut, MatRef, Par};
use rayon::prelude::*;

use super::layout::Layout;
use super::real::Real;

/// Floating-point operations below which a product is not divided among threads: it takes some microseconds then.
const DIVIDED: usize = 1 << 20;

/// A matrix in memory; neighbours in a row or in a column are neighbours in memory.
#[derive(Clone, Copy)]
pub struct MatrixView<'a, T> {
    pub data: &'a [T],
    pub rows: usize,
    pub columns: usize,
    /// Distance of the rows (of the columns, if transposed).
    pub stride: usize,
    /// Whether columns lie in memory one after the other, not rows.
    pub transposed: bool,
}

impl<'a, T: Real> MatrixView<'a, T> {
    /// An array of rank two, if its rows or its columns lie in memory one after the other.
    pub fn new(data: &'a [T], layout: &Layout) -> Option<Self> {
        let &[rows, columns] = layout.shape.as_slice() else { return None };
        let (stride, transposed) = layout.matrix()?;
        Some(Self { data: data.get(layout.start..)?, rows, columns, stride, transposed })
    }

    /// The transposed matrix.
    pub fn transpose(self) -> Self {
        Self { rows: self.columns, columns: self.rows, transposed: !self.transposed, ..self }
    }

    fn view(self) -> MatRef<'a, T> {
        if self.transposed {
            MatRef::from_column_major_slice_with_stride(self.data, self.rows, self.columns, self.stride)
        } else {
            MatRef::from_row_major_slice_with_stride(self.data, self.rows, self.columns, self.stride)
        }
    }
}

/// `out = a b`, or `out + a b` if it is to be added; `out` row after row.
///
/// Divided into blocks of `out`, as many as there are threads, each calculated by one: with faer's own division a
/// product of 64×512 by 512×128 gains nothing from a second thread.
pub fn matmul<T: Real>(out: &mut [T], a: MatrixView<T>, b: MatrixView<T>, add: bool) {
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.columns);
    let operations = 2 * a.rows * a.columns * b.columns;
    let parts = if operations < DIVIDED { 1 } else { rayon::current_num_threads() };
    blocks(out, a.view(), b.view(), if add { Accum::Add } else { Accum::Replace }, parts);
}

/// One matrix of a stack.
fn one_of<'a, T: Real>((data, layout): (&'a [T], &Layout), at: usize) -> MatrixView<'a, T> {
    let Some(view) = MatrixView::new(data, &layout.one_of(at)) else {
        unreachable!("the caller asked whether they lie as they must")
    };
    view
}

/// A stack of products, `out_s = a_s b_s` or `out_s + a_s b_s`, of layouts `[s, m, k]` and `[s, k, n]` whose matrices
/// lie as [`MatrixView`] asks; each is calculated by one thread where there are enough of them.
pub fn matmul_stack<T: Real>(out: &mut [T], a: (&[T], &Layout), b: (&[T], &Layout), add: bool) {
    let (count, size) = (a.1.shape[0], a.1.shape[1] * b.1.shape[2]);
    if size == 0 {
        return;
    }
    if count < rayon::current_num_threads() {
        out.chunks_mut(size).enumerate().for_each(|(at, out)| matmul(out, one_of(a, at), one_of(b, at), add));
        return;
    }
    let each = |(at, out): (usize, &mut [T])| matmul_alone(out, one_of(a, at), one_of(b, at), add);
    let operations = 2 * count * size * a.1.shape[2];
    if operations < DIVIDED {
        out.chunks_mut(size).enumerate().for_each(each);
    } else {
        let together = (DIVIDED / 8 / (operations / count).max(1)).max(1);
        out.par_chunks_mut(size).enumerate().with_min_len(together).for_each(each);
    }
}

/// As [`matmul`], on this thread alone.
pub fn matmul_alone<T: Real>(out: &mut [T], a: MatrixView<T>, b: MatrixView<T>, add: bool) {
    if a.rows == 0 || b.columns == 0 {
        return;
    }
    let out = MatMut::from_row_major_slice_mut(out, a.rows, b.columns);
    blocks(out, a.view(), b.view(), if add { Accum::Add } else { Accum::Replace }, 1);
}

fn blocks<T: Real>(out: MatMut<T>, a: MatRef<T>, b: MatRef<T>, accumulate: Accum, parts: usize) {
    /// Vectors of up to 64 bytes stay whole.
    const GRAIN: usize = 16;
    let (rows, columns) = (out.nrows(), out.ncols());
    if parts <= 1 || rows.max(columns) < 2 * GRAIN {
        product(out, accumulate, a, b, T::ONE, Par::Seq);
        return;
    }
    let first = parts / 2;
    let cut = |length: usize| (length * first / parts).next_multiple_of(GRAIN).min(length);
    if rows > columns {
        let at = cut(rows);
        let ((upper, lower), (a_upper, a_lower)) = (out.split_at_row_mut(at), a.split_at_row(at));
        rayon::join(
            || blocks(upper, a_upper, b, accumulate, first),
            || blocks(lower, a_lower, b, accumulate, parts - first),
        );
    } else {
        let at = cut(columns);
        let ((left, right), (b_left, b_right)) = (out.split_at_col_mut(at), b.split_at_col(at));
        rayon::join(
            || blocks(left, a, b_left, accumulate, first),
            || blocks(right, a, b_right, accumulate, parts - first),
        );
    }
}
