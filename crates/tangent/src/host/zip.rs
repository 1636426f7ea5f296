//! Arithmetic of arrays, element by element.

use super::parallel::{in_parts, vectorized};
use super::real::Real;

/// Elements of which each is taken `stretch` times, and all of them again and again: number i is `elements[⌊i/stretch⌋
/// mod length]`.
#[derive(Clone, Copy)]
pub struct Repeated<'a, T> {
    pub elements: &'a [T],
    pub stretch: usize,
}

impl<'a, T: Real> Repeated<'a, T> {
    /// `out_i = f(out_i, b_(start + i))`.
    #[inline(always)]
    pub fn combine(self, out: &mut [T], start: usize, f: impl Fn(T, T) -> T) {
        let Self { elements, stretch } = self;
        if elements.is_empty() || stretch == 0 {
            return;
        }
        let (mut rest, mut at) = (out, start);
        while !rest.is_empty() {
            let (index, offset) = (at / stretch % elements.len(), at % stretch);
            // So many elements go with neighbours, or with one element.
            let length = rest.len().min(if stretch == 1 { elements.len() - index } else { stretch - offset });
            let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
            if stretch == 1 {
                for (out, &b) in part.iter_mut().zip(&elements[index..index + length]) {
                    *out = f(*out, b);
                }
            } else {
                let b = elements[index];
                for out in part {
                    *out = f(*out, b);
                }
            }
            (rest, at) = (others, at + length);
        }
    }
}

/// `out_i = f(a_i, b_i)`; without `a`, `out_i = f(out_i, b_i)`.
pub fn update<T: Real>(out: &mut [T], a: Option<&[T]>, b: Repeated<T>, f: impl Fn(T, T) -> T + Sync) {
    in_parts(out, 2, |start, out| {
        vectorized(
            #[inline(always)]
            || {
                if let Some(a) = a {
                    out.copy_from_slice(&a[start..start + out.len()]);
                }
                b.combine(out, start, &f);
            },
        );
    });
}

/// `out_i = out_i f_i + a_i b_i`.
pub fn times_plus<T: Real>(out: &mut [T], factor: &[T], a: &[T], b: &[T]) {
    in_parts(out, 3, |start, out| {
        let range = start..start + out.len();
        let (factor, a, b) = (&factor[range.clone()], &a[range.clone()], &b[range]);
        vectorized(
            #[inline(always)]
            || {
                for (((out, &factor), &a), &b) in out.iter_mut().zip(factor).zip(a).zip(b) {
                    *out = *out * factor + a * b;
                }
            },
        );
    });
}
