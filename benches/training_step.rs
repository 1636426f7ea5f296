//! One optimizer step of gradient descent on a batch (forward, loss, backward, update; f32 on flex): to see what a
//! change of the training loop does. Beside other libraries: `peers/compare.py`.
//!
//! Two hidden tanh layers at (inputs, width, outputs, batch) = (8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128) and
//! (64, 2048, 10, 256), inside the thread pool as in `Trainer::run`; squared error with one output, cross-entropy with
//! ten.

use criterion::{Criterion, criterion_group, criterion_main};

use burn::tensor::{DType, Device};
use losscape::lab::Trainer;
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::model::data::generate::{Spirals, TeacherStudent};
use losscape::model::data::{Dataset, Matrix, Prepared};
use losscape::model::{Loss, Mlp, MlpConfig};
use losscape::optim::gradient_descent::GradientDescentConfig;
use losscape::optim::{OptimizerConfig, SamConfig};

/// The tool's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const SIZES: [(usize, usize, usize, usize); 4] =
    [(8, 16, 1, 32), (64, 64, 10, 64), (64, 512, 10, 128), (64, 2048, 10, 256)];

/// Random inputs with targets or labels; the values do not matter for the time.
fn data(inputs: usize, outputs: usize, samples: usize) -> Dataset {
    let random = TeacherStudent { samples, inputs, outputs: 1, teacher_width: 4, noise: 0.0 };
    let random = random.generate(0).expect("the settings are valid");
    if outputs == 1 {
        return random;
    }
    let labels = Spirals { samples, classes: outputs, turns: 1.0, noise: 0.0 };
    let labels = labels.generate(0).expect("the settings are valid");
    let inputs = Matrix { values: random.inputs.values, columns: inputs };
    Dataset::new(inputs, labels.targets).expect("the sizes agree")
}

fn trainer((inputs, width, outputs, batch): (usize, usize, usize, usize), sam: bool) -> Trainer<Mlp> {
    let device = Device::flex().autodiff();
    // Four batches an epoch, so that batches are drawn as in training.
    let train = data(inputs, outputs, 4 * batch);
    let network =
        MlpConfig::new([width, width]).init(inputs, outputs, 0, &device, DType::F32).expect("widths are valid");
    let loss = if outputs == 1 { Loss::squared_error() } else { Loss::cross_entropy() };
    let mut optimizer = OptimizerConfig::new(GradientDescentConfig {}, 1e-4);
    optimizer.sam = sam.then(|| SamConfig::new(0.05));
    let training =
        TrainingConfig { log_every: usize::MAX, ..TrainingConfig::steps(1 << 30, BatchSize::Samples(batch)) };
    let data = Prepared::from(train);
    Trainer::new(network, &data, loss, &optimizer, &training, 0).expect("the settings are valid")
}

fn training_step(criterion: &mut Criterion) {
    for (name, sam) in [("step", false), ("SAM step", true)] {
        let mut group = criterion.benchmark_group(name);
        for size in SIZES {
            let mut trainer = trainer(size, sam);
            let (inputs, width, outputs, batch) = size;
            group.bench_function(format!("{inputs}-{width}-{width}-{outputs}, batch {batch}"), |bencher| {
                rayon::scope(|_| bencher.iter(|| trainer.advance()));
            });
        }
    }
}

criterion_group!(benches, training_step);
criterion_main!(benches);
