//! Arithmetic of arrays, element by element.

use super::{Real, in_parts, vectorized};

/// `out_i = f(out_i, b_j)`, `j = ⌊i/stretch⌋` modulo the length of `b`: each element of `b` is taken `stretch` times, and all of them as often as they
/// fit into `out`.
pub fn combine<T: Real>(out: &mut [T], b: &[T], stretch: usize, f: impl Fn(T, T) -> T + Sync) {
    if b.is_empty() || stretch == 0 {
        return;
    }
    in_parts(out, 2, |start, out| {
        vectorized(
            #[inline(always)]
            || {
                let (mut rest, mut at) = (out, start);
                while !rest.is_empty() {
                    let (index, offset) = (at / stretch % b.len(), at % stretch);
                    // So many elements go with neighbours in `b`, or with one element of it.
                    let length = rest.len().min(if stretch == 1 { b.len() - index } else { stretch - offset });
                    let (part, others) = std::mem::take(&mut rest).split_at_mut(length);
                    if stretch == 1 {
                        for (out, &b) in part.iter_mut().zip(&b[index..index + length]) {
                            *out = f(*out, b);
                        }
                    } else {
                        for out in part {
                            *out = f(*out, b[index]);
                        }
                    }
                    (rest, at) = (others, at + length);
                }
            },
        );
    });
}
