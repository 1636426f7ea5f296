//! Products stay within the memory they are allowed. A process of its own, so that nothing else is measured.

#![cfg(target_os = "linux")]

use std::fs;

use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Tensor, TensorData};
use losscape_tangent::Map;

#[derive(Module, Debug)]
struct Mlp {
    first: Linear,
    second: Linear,
    last: Linear,
}

/// A line of `/proc/self/status`, in bytes.
fn status(key: &str) -> usize {
    let status = fs::read_to_string("/proc/self/status").expect("Linux has it");
    let line = status.lines().find(|line| line.starts_with(key)).expect("the key is there");
    line.split_whitespace().nth(1).and_then(|kilobytes| kilobytes.parse::<usize>().ok()).expect("a number") * 1024
}

/// How far the resident set rises above where it is, while `work` runs.
fn peak(work: impl FnOnce()) -> usize {
    fs::write("/proc/self/clear_refs", "5").expect("the peak can be reset");
    let before = status("VmRSS");
    work();
    status("VmHWM").saturating_sub(before)
}

/// Both in one test: a process has one resident set.
#[test]
fn memory_is_bounded() {
    nothing_stays_behind();
    the_peak_is_within_the_budget();
}

/// Burn's autodiff keeps an entry for every leaf that a module's parameters have been until the next backward pass;
/// here there is none.
fn nothing_stays_behind() {
    let device = Device::flex();
    let model = LinearConfig::new(3, 2).init(&device);
    let x = Tensor::<2>::from_data([[1.0, 2.0, 3.0]], &device);
    let map = Map::new(|model: &Linear, x: Tensor<2>| model.forward(x));
    let linearize =
        |times: usize| (0..times).for_each(|_| drop(map.linearize(&model, &x).expect("it can be recorded")));
    linearize(2_000);
    let risen = peak(|| linearize(20_000));
    println!("20,000 linearizations: rose by {:.1} MiB", risen as f64 / 1048576.0);
    assert!(risen < 8 << 20, "{risen} bytes");
}

fn the_peak_is_within_the_budget() {
    const SAMPLES: usize = 8_000;
    const DIRECTIONS: usize = 4;
    let device = Device::flex();
    let layer = |from, to| LinearConfig::new(from, to).init(&device);
    let model = Mlp { first: layer(64, 256), second: layer(256, 256), last: layer(256, 10) };
    let numbers = |count: usize| (0..count).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect::<Vec<_>>();
    let x = Tensor::<2>::from_data(TensorData::new(numbers(SAMPLES * 64), [SAMPLES, 64]), &device);
    let forward =
        |model: &Mlp, x: Tensor<2>| model.last.forward(model.second.forward(model.first.forward(x).tanh()).tanh());
    // What goes in and comes out is not counted: u, the block of directions, the result, and of the results that each
    // thread adds three.
    let p = 64 * 256 + 256 + 256 * 256 + 256 + 256 * 10 + 10;
    let vectors = 4 * (2 * SAMPLES * 10 + DIRECTIONS * p * (4 + 3 * rayon::current_num_threads()));
    for megabytes in [16, 64, 256] {
        let budget = megabytes << 20;
        let map = Map::new(forward).within(budget);
        let risen = peak(|| {
            let at = map.linearize(&model, &x).expect("one sample fits");
            let curve = at.curve(at.output());
            let v = Tensor::<2>::from_data(TensorData::new(numbers(DIRECTIONS * p), [DIRECTIONS, p]), &device);
            let product = curve.product(v, |_, t| t).into_data();
            assert_eq!(product.shape().to_vec(), [DIRECTIONS, p]);
        });
        println!(
            "{megabytes} MiB allowed: rose by {:.1} MiB, {:.1} of them vectors at most",
            risen as f64 / 1048576.0,
            vectors as f64 / 1048576.0
        );
        assert!(risen <= budget + vectors, "{megabytes} MiB allowed, rose by {risen} bytes");
    }
}
