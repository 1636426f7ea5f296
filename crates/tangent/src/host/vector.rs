//! Vectors of the machine, where a loop does not become them by itself.

use bytemuck::Pod;
use pulp::Simd;

/// A float type with the vectors of an instruction set.
pub trait Vectors: Pod {
    /// As many numbers as go together.
    type Vector<S: Simd>: Pod;

    fn splat<S: Simd>(simd: S, number: Self) -> Self::Vector<S>;

    /// `a b + c`, rounded once where the machine does both in one instruction.
    fn fused<S: Simd>(simd: S, a: Self::Vector<S>, b: Self::Vector<S>, c: Self::Vector<S>) -> Self::Vector<S>;

    fn sum<S: Simd>(simd: S, vector: Self::Vector<S>) -> Self;

    /// Numbers of a vector.
    #[inline(always)]
    fn lanes<S: Simd>() -> usize {
        size_of::<Self::Vector<S>>() / size_of::<Self>()
    }

    /// The first numbers.
    #[inline(always)]
    fn load<S: Simd>(from: &[Self]) -> Self::Vector<S> {
        bytemuck::pod_read_unaligned(bytemuck::cast_slice(&from[..Self::lanes::<S>()]))
    }

    #[inline(always)]
    fn store<S: Simd>(vector: Self::Vector<S>, to: &mut [Self]) {
        bytemuck::cast_slice_mut(&mut to[..Self::lanes::<S>()]).copy_from_slice(bytemuck::bytes_of(&vector));
    }
}

macro_rules! vectors {
    ($type:ident, $vector:ident, $splat:ident, $fused:ident, $sum:ident) => {
        impl Vectors for $type {
            type Vector<S: Simd> = S::$vector;

            #[inline(always)]
            fn splat<S: Simd>(simd: S, number: Self) -> S::$vector {
                simd.$splat(number)
            }

            #[inline(always)]
            fn fused<S: Simd>(simd: S, a: S::$vector, b: S::$vector, c: S::$vector) -> S::$vector {
                simd.$fused(a, b, c)
            }

            #[inline(always)]
            fn sum<S: Simd>(simd: S, vector: S::$vector) -> Self {
                simd.$sum(vector)
            }
        }
    };
}

vectors!(f32, f32s, splat_f32s, mul_add_e_f32s, reduce_sum_f32s);
vectors!(f64, f64s, splat_f64s, mul_add_e_f64s, reduce_sum_f64s);
