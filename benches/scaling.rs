//! Time and peak memory against width, depth, samples, outputs and parameters: the tables and figures of
//! `docs/scaling.md`.
//!
//! `cargo bench --bench scaling -- FOLDER` measures every series, prints its table in Markdown with the exponent
//! expected and the one measured (the slope of a least-squares line through the upper half of the points, both axes
//! logarithmic), and writes the figures to FOLDER. Every point is measured in a process of its own, so that its peak
//! memory is its own: VmHWM of Linux, less what the process had before.

use std::process::Command;
use std::time::{Duration, Instant};

use burn::tensor::{DType, Device, Tensor, TensorData};
use kuva::backend::svg::SvgBackend;
use kuva::plot::LinePlot;
use kuva::plot::legend::LegendPosition;
use kuva::render::layout::Layout;
use kuva::render::plots::Plot;
use kuva::render::render::render_multiple;
use losscape::lab::Trainer;
use losscape::lab::config::{BatchSize, TrainingConfig};
use losscape::model::data::generate::TeacherStudent;
use losscape::model::data::{Dataset, Prepared};
use losscape::model::{Loss, Mlp, MlpConfig, Network};
use losscape::optim::OptimizerConfig;
use losscape::optim::gradient_descent::GradientDescentConfig;
use losscape::tangent::{Map, parameters};

/// The tool's own.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// What is measured at a point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Work {
    /// A step of gradient descent.
    Step,
    /// A Hessian product at a kept point.
    Product,
    /// The tangent kernel.
    Kernel,
}

/// The size of a problem: tanh networks in f32 on random data, squared error.
#[derive(Clone, Copy, Debug)]
struct Size {
    inputs: usize,
    width: usize,
    depth: usize,
    outputs: usize,
    samples: usize,
}

/// A row of points along which one number grows.
struct Series {
    name: &'static str,
    title: &'static str,
    work: Work,
    axis: &'static str,
    points: &'static [usize],
    size: fn(usize) -> Size,
}

impl Size {
    /// Widths from the inputs to the outputs.
    fn widths(&self) -> Vec<usize> {
        [vec![self.inputs], vec![self.width; self.depth], vec![self.outputs]].concat()
    }

    /// Number of parameters.
    fn parameters(&self) -> usize {
        self.widths().windows(2).map(|pair| (pair[0] + 1) * pair[1]).sum()
    }

    /// Operations of all matrix products and numbers in memory at once, counted on paper: what sets the exponents that
    /// are expected.
    fn counted(&self, work: Work) -> [f64; 2] {
        let widths: Vec<f64> = self.widths().into_iter().map(|width| width as f64).collect();
        let (n, p, c) = (self.samples as f64, self.parameters() as f64, self.outputs as f64);
        let hidden: f64 = widths[1..].iter().sum();
        match work {
            // Forward, weights' gradients, back-signals but for the inputs'; weights twice and their gradient, values
            // with a cotangent each.
            Work::Step => [2.0 * n * (3.0 * p - widths[0] * widths[1]), 3.0 * p + 2.0 * n * hidden],
            // Two products for each of the three; value, slope, curvature, cotangent and tangent of every entry.
            Work::Product => [4.0 * n * (3.0 * p - widths[0] * widths[1]), 5.0 * p + 5.0 * n * hidden],
            // Forward, a reverse pass for each output, Gram products of inputs once and of back-signals for each pair
            // of outputs.
            Work::Kernel => {
                let gram: f64 = widths.windows(2).map(|pair| pair[0] + c * c * pair[1]).sum();
                [2.0 * n * p * (1.0 + c) + n * n * gram, 2.5 * (n * c).powi(2) + n * hidden * (1.0 + c) + p]
            }
        }
    }
}

const BASE: Size = Size { inputs: 64, width: 512, depth: 2, outputs: 10, samples: 256 };

const SERIES: &[Series] = &[
    Series {
        name: "step-width",
        title: "A training step against width m (two hidden layers, batch 256): O(n m²)",
        work: Work::Step,
        axis: "width",
        points: &[64, 128, 256, 512, 1024, 2048, 4096],
        size: |width| Size { width, ..BASE },
    },
    Series {
        name: "step-depth",
        title: "A training step against depth (width 512, batch 256): O(depth)",
        work: Work::Step,
        axis: "hidden layers",
        points: &[1, 2, 4, 8, 16, 32],
        size: |depth| Size { depth, ..BASE },
    },
    Series {
        name: "step-batch",
        title: "A training step against the batch n (64-512-512-10): O(n)",
        work: Work::Step,
        axis: "samples",
        points: &[32, 64, 128, 256, 512, 1024, 2048, 4096],
        size: |samples| Size { samples, ..BASE },
    },
    Series {
        name: "product-parameters",
        title: "A Hessian product against width m (two hidden layers, 2,048 samples; P ≈ m²): O(n P)",
        work: Work::Product,
        axis: "width",
        points: &[64, 128, 256, 512, 1024, 2048],
        size: |width| Size { width, samples: 2048, ..BASE },
    },
    Series {
        name: "product-samples",
        title: "A Hessian product against samples n (64-512-512-10): O(n P)",
        work: Work::Product,
        axis: "samples",
        points: &[256, 512, 1024, 2048, 4096, 8192, 16384],
        size: |samples| Size { samples, ..BASE },
    },
    Series {
        name: "kernel-samples",
        title: "The tangent kernel against samples n (64-512-512-1): O(n² m)",
        work: Work::Kernel,
        axis: "samples",
        points: &[128, 256, 512, 1024, 2048, 4096],
        size: |samples| Size { outputs: 1, samples, ..BASE },
    },
    Series {
        name: "kernel-outputs",
        title: "The tangent kernel against outputs C (64-512-512-C, 256 samples): O(n² C² m)",
        work: Work::Kernel,
        axis: "outputs",
        points: &[1, 2, 4, 8, 16, 32],
        size: |outputs| Size { outputs, ..BASE },
    },
    Series {
        name: "kernel-width",
        title: "The tangent kernel against width m (two hidden layers, 1,024 samples, one output): O(n² m + n m²)",
        work: Work::Kernel,
        axis: "width",
        points: &[64, 128, 256, 512, 1024, 2048, 4096],
        size: |width| Size { outputs: 1, samples: 1024, width, ..BASE },
    },
];

/// Median seconds of one call, and the peak of memory above what there was before, in bytes.
#[derive(Clone, Copy)]
struct Measured {
    seconds: f64,
    bytes: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["point", series, value] => {
            let Measured { seconds, bytes } = measure(&SERIES[series.parse::<usize>()?], value.parse()?);
            println!("{seconds} {bytes}");
            Ok(())
        }
        [folder] => SERIES.iter().enumerate().try_for_each(|(index, series)| run(index, series, folder)),
        // `cargo test` starts benches without arguments, to see whether they run.
        _ => {
            println!("name a folder for the figures");
            Ok(())
        }
    }
}

/// Measures a series, prints its table and draws it.
fn run(index: usize, series: &Series, folder: &str) -> Result<(), Box<dyn std::error::Error>> {
    println!("**{}**\n\n| {} | parameters | time | peak memory |\n|---|---|---|---|", series.title, series.axis);
    let mut found = Vec::new();
    for &point in series.points {
        let arguments = ["point".to_owned(), index.to_string(), point.to_string()];
        let output = Command::new(std::env::current_exe()?).args(arguments).output()?;
        let text = String::from_utf8(output.stdout)?;
        let numbers: Vec<f64> = text.split_whitespace().map(str::parse).collect::<Result<_, _>>()?;
        let &[seconds, bytes] = numbers.as_slice() else {
            return Err(format!("{} at {point}: {}", series.name, String::from_utf8_lossy(&output.stderr)).into());
        };
        let parameters = (series.size)(point).parameters();
        println!("| {point} | {parameters} | {} | {:.1} MiB |", time(seconds), bytes / f64::from(1 << 20));
        found.push((point as f64, Measured { seconds, bytes }));
    }
    let of = |pick: fn(&Measured) -> f64| found.iter().map(|(x, y)| (*x, pick(y))).collect::<Vec<_>>();
    let (seconds, bytes) = (of(|measured| measured.seconds), of(|measured| measured.bytes));
    let counted = [0, 1].map(|which| {
        let count = |&point: &usize| (point as f64, (series.size)(point).counted(series.work)[which]);
        series.points.iter().map(count).collect::<Vec<_>>()
    });
    println!(
        "| exponent | | {:.2} (counted {:.2}) | {:.2} (counted {:.2}) |\n",
        exponent(&seconds),
        exponent(&counted[0]),
        exponent(&bytes),
        exponent(&counted[1])
    );
    println!("![{}](images/scaling/{}.svg)\n", series.title, series.name);
    std::fs::create_dir_all(folder)?;
    std::fs::write(format!("{folder}/{}.svg", series.name), draw(series, &seconds, &counted[0]))?;
    Ok(())
}

/// Measures one point in this process.
fn measure(series: &Series, value: usize) -> Measured {
    let Size { inputs, width, depth, outputs, samples } = (series.size)(value);
    let teacher = TeacherStudent { samples, inputs, outputs, teacher_width: 4, noise: 0.0 };
    let data = teacher.generate(0).expect("the settings are valid");
    let config = MlpConfig::new(vec![width; depth]);
    let network = |device: &Device| config.init(inputs, outputs, 0, device, DType::F32).expect("widths are valid");
    let before = memory("VmRSS");
    let seconds = rayon::scope(|_| match series.work {
        Work::Step => step(network(&Device::flex().autodiff()), data),
        Work::Product => product(&network(&Device::flex()), &data),
        Work::Kernel => kernel(&network(&Device::flex()), &data),
    });
    Measured { seconds, bytes: memory("VmHWM") - before }
}

fn step(network: Mlp, data: Dataset) -> f64 {
    let optimizer = OptimizerConfig::new(GradientDescentConfig {}, 1e-4);
    let training = TrainingConfig { log_every: usize::MAX, ..TrainingConfig::steps(1 << 30, BatchSize::Full) };
    let data = Prepared::from(data);
    let trainer = Trainer::new(network, &data, Loss::squared_error(), &optimizer, &training, 0);
    let mut trainer = trainer.expect("the settings are valid");
    median(|| {
        trainer.advance();
    })
}

fn product(network: &Mlp, data: &Dataset) -> f64 {
    let device = Device::flex();
    let (x, y) = (data.input_tensor(&device, DType::F32), data.target_tensor(&device, DType::F32));
    let entries: usize = y.dims().iter().product();
    let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x)).in_chunks(256);
    let at = map.linearize(network, &x).expect("the layers have entries");
    let scale = 1.0 / data.len() as f64;
    let curve = at.curve((at.output() - y.reshape([entries])) * scale);
    let direction = (0..at.variables()).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect();
    let direction = Tensor::<1>::from_data(TensorData::new::<f32, _>(direction, [at.variables()]), &device);
    median(|| {
        curve.product(direction.clone(), |_, t| t * scale).into_data();
    })
}

fn kernel(network: &Mlp, data: &Dataset) -> f64 {
    let x = data.input_tensor(&Device::flex(), DType::F32);
    let map = Map::new(|network: &Mlp, x: Tensor<2>| network.forward(x)).first_order();
    assert!(parameters::count(network) > 0);
    median(|| {
        map.kernel(network, &x).expect("the layers have entries");
    })
}

/// Median seconds of a call, over a second and at least five calls after a first one.
fn median(mut work: impl FnMut()) -> f64 {
    work();
    let (begin, mut seconds) = (Instant::now(), Vec::new());
    while begin.elapsed() < Duration::from_secs(1) || seconds.len() < 5 {
        let start = Instant::now();
        work();
        seconds.push(start.elapsed().as_secs_f64());
    }
    seconds.sort_by(f64::total_cmp);
    seconds[seconds.len() / 2]
}

/// A line of `/proc/self/status` in bytes; zero where there is no such file.
fn memory(name: &str) -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap_or_default();
    line.split_whitespace()
        .nth(1)
        .and_then(|kilobytes| kilobytes.parse().ok())
        .map_or(0.0, |kilobytes: f64| 1024.0 * kilobytes)
}

/// The slope of a least-squares line through the upper half of the points, both axes logarithmic.
fn exponent(points: &[(f64, f64)]) -> f64 {
    let points: Vec<(f64, f64)> = points[points.len() / 2..].iter().map(|(x, y)| (x.ln(), y.max(1e-12).ln())).collect();
    let count = points.len() as f64;
    let mean = |pick: fn(&(f64, f64)) -> f64| points.iter().map(pick).sum::<f64>() / count;
    let (x_mean, y_mean) = (mean(|p| p.0), mean(|p| p.1));
    let (mut covariance, mut variance) = (0.0, 0.0);
    for (x, y) in &points {
        covariance += (x - x_mean) * (y - y_mean);
        variance += (x - x_mean).powi(2);
    }
    covariance / variance
}

/// Times on two logarithmic axes, beside the operations counted at the speed of the last point.
fn draw(series: &Series, seconds: &[(f64, f64)], counted: &[(f64, f64)]) -> String {
    let (last, operations) = (seconds[seconds.len() - 1].1, counted[counted.len() - 1].1);
    let counted = counted.iter().map(|(x, count)| (*x, last * count / operations)).collect();
    let line = |points: Vec<(f64, f64)>, color: &str, name: String| {
        LinePlot::new().with_data(points).with_color(color).with_stroke_width(2.2).with_legend(name)
    };
    let plots = vec![
        Plot::Line(line(seconds.to_vec(), "#0072B2", "measured".to_owned())),
        Plot::Line(line(counted, "#9AA5B1", "operations counted".to_owned()).with_dashed()),
    ];
    let layout = Layout::auto_from_plots(&plots)
        .with_x_label(series.axis)
        .with_y_label("seconds")
        .with_width(520.0)
        .with_height(340.0)
        .with_legend_box(false)
        .with_legend_position(LegendPosition::InsideTopLeft)
        .with_log_x()
        .with_log_y();
    // The last number of the axis reaches over the edge.
    let svg = SvgBackend::new().render_scene(&render_multiple(plots, layout));
    svg.replacen("<svg ", "<svg viewBox=\"0 0 535 340\" ", 1)
}

fn time(seconds: f64) -> String {
    match seconds {
        seconds if seconds < 1e-3 => format!("{:.1} µs", 1e6 * seconds),
        seconds if seconds < 1.0 => format!("{:.2} ms", 1e3 * seconds),
        seconds => format!("{seconds:.2} s"),
    }
}
