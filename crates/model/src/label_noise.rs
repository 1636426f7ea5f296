//! Label noise: targets that are changed at random, each step anew, so that training does not come to rest where it
//! fits them (Blanc, Gupta, Valiant & Valiant 2020; Damian, Ma & Lee 2021).

use burn::tensor::{Tensor, TensorData};
use rand::RngExt;
use rand::rngs::ChaCha12Rng;
use rand_distr::{Distribution, StandardNormal};

/// Targets `[n, C]` of a batch with noise; draws are of the caller's generator, in the order of the targets.
///
/// With so many `labels` a sample, one-hot or 0 and 1, each is replaced with probability `noise` by one drawn from all
/// classes alike, itself among them (Damian, Ma & Lee 2021, for classification). Where there are none, `noise`
/// times a standard normal number is added to every target (likewise for squared error).
#[must_use]
pub fn label_noise(targets: &Tensor<2>, labels: Option<usize>, noise: f64, random: &mut ChaCha12Rng) -> Tensor<2> {
    let ([rows, columns], place) = (targets.dims(), (targets.device(), targets.dtype()));
    let mut values: Vec<f64> = targets.clone().into_data().iter().collect();
    match labels {
        Some(labels) => {
            let each = columns / labels;
            for label in values.chunks_exact_mut(each) {
                if !random.random_bool(noise) {
                    continue;
                }
                if let [binary] = label {
                    *binary = f64::from(u8::from(random.random_bool(0.5)));
                } else {
                    label.fill(0.0);
                    label[random.random_range(0..each)] = 1.0;
                }
            }
        }
        None => values.iter_mut().for_each(|value| {
            let normal: f64 = StandardNormal.sample(random);
            *value += noise * normal;
        }),
    }
    let data = TensorData::new(values, [rows, columns]).convert_dtype(place.1);
    Tensor::from_data(data, (&place.0, place.1))
}

#[cfg(test)]
mod tests {
    use burn::tensor::{DType, Device};

    use super::*;
    use crate::random::{Purpose, stream};

    #[test]
    fn targets_are_changed_as_often_as_asked_and_stay_targets() {
        let device = Device::flex();
        let tensor = |values: Vec<f64>, shape: [usize; 2]| {
            Tensor::<2>::from_data(TensorData::new(values, shape), (&device, DType::F64))
        };
        let numbers = |targets: Tensor<2>| -> Vec<f64> { targets.into_data().iter().collect() };
        let mut random = stream(0, Purpose::LabelNoise, 0);
        // Two labels a sample, of four classes: all are of class 0.
        let ones = tensor([1.0, 0.0, 0.0, 0.0].repeat(4000), [2000, 8]);
        let changed = numbers(label_noise(&ones, Some(2), 0.4, &mut random));
        assert!(changed.chunks(4).all(|label| label.iter().sum::<f64>() == 1.0), "each is one class");
        let away = changed.chunks(4).filter(|label| label[0] == 0.0).count() as f64 / 4000.0;
        // Three quarters of those drawn anew are another class: 0.3, with a standard deviation of 0.0072.
        assert!((away - 0.3).abs() < 0.03, "{away} of the labels are others");
        let binary = numbers(label_noise(&tensor(vec![1.0; 4000], [4000, 1]), Some(1), 0.5, &mut random));
        let zeros = binary.iter().filter(|value| **value == 0.0).count() as f64 / 4000.0;
        assert!((zeros - 0.25).abs() < 0.03 && binary.iter().all(|value| [0.0, 1.0].contains(value)), "{zeros}");
        let values = numbers(label_noise(&tensor(vec![3.0; 4000], [2000, 2]), None, 0.5, &mut random));
        let mean = values.iter().sum::<f64>() / 4000.0;
        let variance = values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 4000.0;
        assert!((mean - 3.0).abs() < 0.03 && (variance - 0.25).abs() < 0.025, "{mean}, {variance}");
        assert_eq!(numbers(label_noise(&ones, Some(2), 0.0, &mut random)), numbers(ones));
    }
}
