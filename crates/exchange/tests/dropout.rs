//! Dropout in training: which numbers a mask hides, how often, and what a seed decides (`reference/dropout.py`).

use burn::module::Module;
use burn::tensor::{DType, Device, Tensor, TensorData};
use burn_dispatch::DispatchTensor;
use losscape_exchange::{Axis, Exported, Program};

/// The network in training, f64.
fn network(name: &str) -> Exported {
    let path = format!("{}/tests/archives/dropout/{name}.pt2", env!("CARGO_MANIFEST_DIR"));
    let program = Program::read(path.as_ref()).unwrap_or_else(|error| panic!("{name}: {error}"));
    assert!(program.drops(), "{name}");
    program.init(&Device::flex().autodiff(), DType::F64)
}

/// Outputs of samples that are all alike.
fn outputs(network: &Exported, samples: usize, sample: &[f64]) -> Vec<f64> {
    let axes = network.program().inputs()[0].sample.iter().map(|axis| match axis {
        Axis::Fixed(length) => *length,
        Axis::Open { .. } => panic!("the archives have fixed samples"),
    });
    let shape: Vec<usize> = [samples].into_iter().chain(axes).collect();
    let data = TensorData::new(sample.repeat(samples), shape.clone());
    let device = network.devices().remove(0);
    let at = (&device, DType::F64);
    let x: DispatchTensor = match shape.len() {
        2 => Tensor::<2>::from_data(data, at).into_dispatch(),
        3 => Tensor::<3>::from_data(data, at).into_dispatch(),
        _ => Tensor::<4>::from_data(data, at).into_dispatch(),
    };
    let output = network.forward_rows(x).unwrap_or_else(|error| panic!("{error}"));
    Tensor::<2>::from_dispatch(output).into_data().iter::<f64>().collect()
}

fn eye() -> Vec<f64> {
    (0..25).map(|at| f64::from(u8::from(at / 5 == at % 5))).collect()
}

/// A quarter is dropped of numbers that are one, in groups that one entry of the mask decides; where weights of
/// attention are the numbers, they are one when multiplied by `1 / weight`.
#[test]
fn a_mask_hides_its_share_and_makes_up_for_it() {
    const SAMPLES: usize = 512;
    const P: f64 = 0.25;
    let causal: Vec<f64> =
        (0..25).map(|at| if at % 5 > at / 5 { 0.0 } else { ((at / 5) as f64 + 1.0).recip() }).collect();
    for (name, sample, expected, group) in [
        ("numbers", vec![1.0; 64], vec![1.0; 64], 1),
        ("in-place", vec![1.0; 64], vec![1.0; 64], 1),
        ("decomposed", vec![1.0; 64], vec![1.0; 64], 1),
        ("channels", vec![1.0; 64], vec![1.0; 64], 4),
        ("attention", eye(), vec![0.2; 25], 1),
        ("attention-causal", eye(), causal, 1),
    ] {
        let network = network(name);
        let found = outputs(&network, SAMPLES, &sample);
        let (mut dropped, mut groups) = (0, 0);
        for (part, expected) in found.chunks(group).zip(expected.repeat(SAMPLES).chunks(group)) {
            if expected[0] == 0.0 {
                assert_eq!(part[0], 0.0, "{name}");
                continue;
            }
            let kept = expected[0] / (1.0 - P);
            let is_dropped = part[0] == 0.0;
            let alike = part.iter().all(|&y| if is_dropped { y == 0.0 } else { (y - kept).abs() < 1e-14 });
            assert!(alike, "{name}: {part:?} where {kept} or 0 is expected");
            dropped += usize::from(is_dropped);
            groups += 1;
        }
        // Four standard deviations of a binomial share.
        let (share, error) = (dropped as f64 / groups as f64, (P * (1.0 - P) / groups as f64).sqrt());
        assert!((share - P).abs() < 4.0 * error, "{name}: {share} of {groups} are dropped");
        // At inference nothing is.
        let found = outputs(&network.valid(), SAMPLES, &sample);
        assert!(found.iter().zip(expected.repeat(SAMPLES)).all(|(a, b)| (a - b).abs() < 1e-15), "{name}");
    }
}

#[test]
fn masks_are_those_of_the_seed() {
    let network = network("numbers");
    let draw = || outputs(&network, 2, &[1.0; 64]);
    let (first, second) = (draw(), draw());
    network.reseed(0);
    assert!(first == draw() && first != second && second == draw(), "0 is the first seed");
    network.reseed(1);
    let other = draw();
    assert!(other != first && other != second);
    // A clone goes on where the network is.
    network.reseed(0);
    assert!(outputs(&network.clone(), 2, &[1.0; 64]) == first && draw() == second);
}

/// With dropout attention goes step by step: where nothing is dropped, to the same numbers.
#[test]
fn attention_that_drops_nothing_is_attention() {
    let network = network("rare");
    let x: Vec<f64> = (0..25).map(|at| (1.3 * f64::from(at) + 0.2).sin()).collect();
    let [training, inference] = [network.clone(), network.valid()].map(|network| outputs(&network, 1, &x));
    assert_eq!(training.len(), 100);
    for (at, (a, b)) in training.iter().zip(&inference).enumerate() {
        // The mask makes up for what it does not drop.
        assert!((a - b).abs() < 1e-11, "number {at}: {a} and {b}");
    }
}

#[test]
fn layers_of_recurrent_networks_are_dropped_between() {
    let network = network("recurrent");
    let of = |network: &Exported, x: f64| outputs(network, 1, &[x; 12]);
    assert_eq!(of(&network, 1.0), of(&network, -2.0), "nothing passes");
    assert_ne!(of(&network.valid(), 1.0), of(&network.valid(), -2.0), "all passes at inference");
}
