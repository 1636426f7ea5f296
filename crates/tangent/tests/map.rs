//! Maps: when they record, what they refuse, chunks and memory, variables, and what recordings look like.

use std::sync::atomic::{AtomicUsize, Ordering};

use burn::module::{Module, Param};
use burn::nn;
use burn::tensor::{Bool, DType, Device, Distribution, IndexingUpdateOp, Int, Tensor};
use losscape_tangent::parameters::{count, ravel, ravel_gradient, unravel};
use losscape_tangent::{Map, TangentError, Variables};

use crate::common::{self, devices, difference, dot, draw, in_f64, numbers, tensor, vector};

#[derive(Module, Debug)]
struct Mlp {
    hidden: nn::Linear,
    last: nn::Linear,
}

impl Mlp {
    fn new(device: &Device) -> Self {
        let layer = |from, to| nn::LinearConfig::new(from, to).init(device);
        in_f64(Self { hidden: layer(4, 7), last: layer(7, 3) }, 1)
    }

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        self.last.forward(self.hidden.forward(x).tanh())
    }
}

fn flex() -> Device {
    Device::flex().autodiff()
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|number| number.to_bits()).collect()
}

#[test]
fn a_recording_is_readable() {
    let map = Map::new(|model: &Mlp, x: Tensor<2>| {
        let folded = Tensor::<2>::ones([1, 3], (&x.device(), DType::F64)) * 2.0;
        let _dead = x.clone().exp();
        let y = model.forward(x);
        y.clone() * burn::tensor::activation::sigmoid(y) + folded
    });
    let program =
        map.program(&Mlp::new(&flex()), &tensor(1, [5, 4], -1.0, 1.0, &flex())).expect("all operations have entries");
    let expected = "\
%0 = hidden.weight : [4, 7] f64
%1 = hidden.bias : [7] f64
%2 = last.weight : [7, 3] f64
%3 = last.bias : [3] f64
%4 = x0 : [5, 4] f64
%5 = constant : [5, 3] f64
%6 = matmul(%4, %0) : [5, 7] f64
%7 = reshape(%1) : [1, 7] f64
%8 = expand(%7) : [5, 7] f64
%9 = add(%6, %8) : [5, 7] f64
%10 = tanh(%9) : [5, 7] f64
%11 = matmul(%10, %2) : [5, 3] f64
%12 = reshape(%3) : [1, 3] f64
%13 = expand(%12) : [5, 3] f64
%14 = add(%11, %13) : [5, 3] f64
%15 = composite[sigmoid 0; 0 * 1](%14) : [5, 3] f64
%16 = add(%15, %5) : [5, 3] f64
output %16";
    assert_eq!(sorted(&program.to_string()), sorted(expected), "{program}");
}

/// Lines without their numbers, in order of text: the numbering of leaves is not promised.
fn sorted(program: &str) -> Vec<String> {
    let mut lines: Vec<String> =
        program.lines().map(|line| line.chars().filter(|c| !c.is_ascii_digit() && *c != '%').collect()).collect();
    lines.sort();
    lines
}

#[test]
fn a_forward_is_recorded_once_for_each_signature() {
    let calls = AtomicUsize::new(0);
    let map = Map::new(|model: &Mlp, x: Tensor<2>| {
        calls.fetch_add(1, Ordering::Relaxed);
        model.forward(x)
    });
    let device = flex();
    let model = Mlp::new(&device);
    let x = |samples: usize| -> Tensor<2> { tensor(3, [samples, 4], -1.0, 1.0, &device) };
    let linearize = |model: &Mlp, samples: usize| map.linearize(model, &x(samples)).expect("it has derivatives");
    let recorded = || calls.swap(0, Ordering::Relaxed);
    linearize(&model, 5);
    assert_eq!(recorded(), 1);
    let moved = unravel(model.clone(), &(ravel(&model).expect("there are parameters") * 0.5)).expect("the length fits");
    linearize(&moved, 5);
    linearize(&model, 5);
    assert_eq!(recorded(), 0, "other values are no reason to record again");
    linearize(&model, 6);
    assert_eq!(recorded(), 1, "another shape is");
    let frozen = Mlp { hidden: model.hidden.clone().no_grad(), last: model.last.clone() };
    assert_eq!(linearize(&frozen, 5).variables(), 24);
    assert_eq!(recorded(), 1, "frozen parameters are");
}

#[test]
fn chunks_change_nothing_but_rounding() {
    let device = flex();
    let model = Mlp::new(&device);
    let x: Tensor<2> = tensor(3, [23, 4], -1.0, 1.0, &device);
    let forward = |model: &Mlp, x: Tensor<2>| model.forward(x);
    let plain = device.clone().inner();
    let whole = Map::new(forward).linearize(&model, &x).expect("it has derivatives");
    let (v, u) = (vector(&draw(1, whole.variables(), -1.0, 1.0), &device), vector(&draw(2, 69, -1.0, 1.0), &device));
    let block: Tensor<2> = tensor(4, [5, whole.variables()], -1.0, 1.0, &plain);
    let results = |at: &losscape_tangent::Linearized| {
        let curve = at.curve(u.clone());
        [
            numbers(at.output()),
            numbers(at.push(v.clone())),
            numbers(at.pull(u.clone())),
            numbers(at.bend(u.clone(), v.clone())),
            numbers(curve.gradient()),
            numbers(curve.product(block.clone(), |_, t| t * 2.0)),
        ]
    };
    let expected = results(&whole);
    let mut maps = Vec::new();
    for samples in [1, 2, 7, 22, 23, 100] {
        maps.push((format!("{samples} samples"), Map::new(forward).in_chunks(samples)));
    }
    // From so little that values are calculated anew for each product and directions are taken one by one, to plenty.
    for bytes in [4_000, 8_000, 20_000, 1 << 30] {
        maps.push((format!("{bytes} bytes"), Map::new(forward).within(bytes)));
    }
    for (name, map) in maps {
        let at = map.linearize(&model, &x).expect("every sample is on its own");
        let found = results(&at);
        for (found, expected) in found.iter().zip(&expected) {
            assert!(difference(found, expected) < 1e-14, "{name}");
        }
        let again = results(&map.linearize(&model, &x).expect("it was linearized before"));
        assert_eq!(found.map(|numbers| bits(&numbers)), again.map(|numbers| bits(&numbers)), "{name}: same bits");
    }
}

#[test]
fn results_do_not_depend_on_the_number_of_threads() {
    let device = flex();
    let model = Mlp::new(&device);
    let x: Tensor<2> = tensor(3, [40, 4], -1.0, 1.0, &device);
    let run = |threads: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("threads can be started");
        pool.install(|| {
            let map = Map::new(|model: &Mlp, x: Tensor<2>| model.forward(x)).in_chunks(7);
            let at = map.linearize(&model, &x).expect("every sample is on its own");
            bits(&numbers(at.pull(Tensor::<1>::ones([120], (&device.clone().inner(), DType::F64)))))
        })
    };
    assert_eq!(run(1), run(3));
}

/// A module in f32, measured in f64: the same numbers as the module whose parameters are the f32 ones, widened.
#[test]
fn another_precision_than_the_modules() {
    let device = flex();
    let wide = Mlp::new(&device);
    let narrow = wide.clone().map(&mut Cast(DType::F32));
    let wide = narrow.clone().map(&mut Cast(DType::F64));
    let x: Tensor<2> = tensor::<2>(3, [6, 4], -1.0, 1.0, &device).cast(DType::F32);
    let forward = |model: &Mlp, x: Tensor<2>| {
        let mask = x.clone().greater_elem(0.2).float().cast(x.dtype());
        let by = Tensor::<1>::from_data([0.25, 0.5, 2.0, 1.0], (&x.device(), x.dtype()));
        model.forward(x * mask * by.unsqueeze())
    };
    let map = Map::new(forward).precision(DType::F64);
    let at = map.linearize(&narrow, &x).expect("it has derivatives");
    let exact = Map::new(forward).linearize(&wide, &x.clone().cast(DType::F64)).expect("it has derivatives");
    let (u, v) = (vector(&draw(2, 18, -1.0, 1.0), &device), vector(&draw(1, exact.variables(), -1.0, 1.0), &device));
    assert_eq!(at.output().dtype(), DType::F64);
    assert_eq!(bits(&numbers(at.push(v.clone()))), bits(&numbers(exact.push(v.clone()))));
    assert_eq!(bits(&numbers(at.bend(u.clone(), v.clone()))), bits(&numbers(exact.bend(u, v))));
    let kernel = map.kernel(&narrow, &x).expect("every sample is on its own");
    let expected = Map::new(forward).kernel(&wide, &x.cast(DType::F64)).expect("every sample is on its own");
    assert_eq!(bits(&numbers(kernel)), bits(&numbers(expected)));
}

struct Cast(DType);

impl burn::module::ModuleMapper for Cast {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let (id, tensor, mapper) = param.consume();
        Param::from_mapped_value(id, Tensor::from_inner(tensor.inner().cast(self.0)), mapper).set_require_grad(true)
    }
}

#[test]
fn derivatives_by_inputs_and_by_both() {
    for (_, device) in devices() {
        let model = Mlp::new(&device);
        let x: Tensor<2> = tensor(3, [6, 4], -1.0, 1.0, &device);
        // The parameters as inputs of another map give the same numbers by another way.
        let forward = |model: &Mlp, (x, scale): (Tensor<2>, Tensor<2>)| model.forward(x * scale);
        let scale: Tensor<2> = tensor(4, [6, 4], 0.5, 1.5, &device);
        let of = |variables| {
            Map::new(forward).by(variables).linearize(&model, &(x.clone(), scale.clone())).expect("it has derivatives")
        };
        let (by_parameters, by_inputs, by_all) = (of(Variables::Parameters), of(Variables::Inputs), of(Variables::All));
        let (p, q) = (by_parameters.variables(), by_inputs.variables());
        assert_eq!((q, by_all.variables()), (48, p + 48));
        let u = vector(&draw(2, 18, -1.0, 1.0), &device);
        let expected = [numbers(by_parameters.pull(u.clone())), numbers(by_inputs.pull(u.clone()))].concat();
        assert!(difference(&numbers(by_all.pull(u.clone())), &expected) < 1e-14);
        // Central differences in the inputs.
        let v = draw(5, 48, -1.0, 1.0);
        let step = 1e-6;
        let moved = |sign: f64| {
            let v = Tensor::<1>::from_inner(vector(&v, &device)) * (sign * step);
            let (a, b) = (v.clone().narrow(0, 0, 24).reshape([6, 4]), v.narrow(0, 24, 24).reshape([6, 4]));
            numbers(forward(&model, (x.clone() + a, scale.clone() + b)))
        };
        let differences: Vec<f64> = moved(1.0).iter().zip(moved(-1.0)).map(|(a, b)| (a - b) / (2.0 * step)).collect();
        assert!(difference(&numbers(by_inputs.push(vector(&v, &device))), &differences) < 1e-8);
        // The mixed second derivative ∂²/∂w∂x is in the bend of both, symmetric, and the same in chunks.
        let (a, b) = (draw(7, p + q, -1.0, 1.0), draw(8, p + q, -1.0, 1.0));
        let bent = numbers(by_all.bend(u.clone(), vector(&a, &device)));
        let other = numbers(by_all.bend(u.clone(), vector(&b, &device)));
        assert!((dot(&bent, &b) - dot(&other, &a)).abs() < 1e-12);
        let chunked = Map::new(forward).by(Variables::All).in_chunks(4);
        let chunked = chunked.linearize(&model, &(x.clone(), scale.clone())).expect("every sample is on its own");
        assert!(difference(&numbers(chunked.bend(u.clone(), vector(&a, &device))), &bent) < 1e-14);
        assert!(
            difference(&numbers(chunked.push(vector(&a, &device))), &numbers(by_all.push(vector(&a, &device)))) < 1e-14
        );
        // One direction, the first input: ∂F/∂x along v, differentiated by the parameters.
        let mut along_x = vec![0.0; p + q];
        along_x[p..p + 24].copy_from_slice(&v[..24]);
        let mixed = numbers(by_all.bend(u.clone(), vector(&along_x, &device)));
        let push_at = |model: &Mlp| {
            let at =
                Map::new(forward).by(Variables::All).linearize(model, &(x.clone(), scale.clone())).expect("as before");
            dot(&numbers(at.push(vector(&along_x, &device))), &numbers(Tensor::<1>::from_inner(u.clone())))
        };
        let w = ravel(&model).expect("there are parameters");
        let along = draw(11, p, -1.0, 1.0);
        let at = |sign: f64| {
            push_at(&unravel(model.clone(), &(w.clone() + vector(&along, &device) * (sign * step))).expect("fits"))
        };
        assert!((dot(&mixed[..p], &along) - (at(1.0) - at(-1.0)) / (2.0 * step)).abs() < 1e-7);
    }
}

#[test]
fn integers_and_booleans_are_inputs_too() {
    #[derive(Module, Debug)]
    struct Table {
        rows: nn::Embedding,
    }
    let device = flex();
    let model = in_f64(Table { rows: nn::EmbeddingConfig::new(5, 3).init(&device) }, 2);
    let forward = |model: &Table, (tokens, labels, keep): (Tensor<2, Int>, Tensor<1, Int>, Tensor<2, Bool>)| {
        let x: Tensor<2> = model.rows.forward(tokens).tanh().mean_dim(1).flatten(1, 2);
        let x = x.mask_fill(keep.bool_not(), 0.25);
        burn::tensor::activation::log_softmax(x, 1).gather(1, labels.unsqueeze_dim(1))
    };
    let tokens = Tensor::from_data([[0, 1], [4, 4], [2, 0]], &device);
    let labels = Tensor::from_data([0, 2, 1], &device);
    let keep = Tensor::from_data([[true, true, false], [true, false, true], [true, true, true]], &device);
    common::check(&model, &(tokens.clone(), labels.clone(), keep.clone()), forward, 3).assert_small("labels");
    let map = Map::new(forward).in_chunks(2);
    let at =
        map.linearize(&model, &(tokens.clone(), labels.clone(), keep.clone())).expect("every sample is on its own");
    let dense = common::rows(at.jacobian());
    let kernel = numbers(map.kernel(&model, &(tokens, labels, keep)).expect("every sample is on its own"));
    assert!(difference(&kernel, &common::gram(&dense, &dense)) < 1e-14);
}

#[test]
fn recording_leaves_running_statistics_alone() {
    let norm = in_f64(nn::BatchNormConfig::new(3).init(&flex()), 3).valid();
    let x: Tensor<3> = tensor(1, [4, 3, 2], -1.0, 1.0, &Device::flex());
    let expected = numbers(norm.forward(x.clone()));
    let map = Map::new(|norm: &nn::BatchNorm, x: Tensor<3>| norm.forward(x));
    let at = map.linearize(&norm, &x).expect("it has derivatives");
    assert!(difference(&numbers(at.output()), &expected) < 1e-14);
    assert_eq!(at.variables(), 6, "γ and β, not the running mean and variance");
    assert_eq!(numbers(norm.forward(x)), expected);
}

/// Burn holds updates of running statistics back until a module is put into evaluation mode; derivatives are those of
/// evaluation.
#[test]
fn running_statistics_are_those_of_inference() {
    let device = flex();
    let norm = nn::BatchNormConfig::new(3).init(&device);
    let x: Tensor<3> = tensor::<3>(1, [4, 3, 2], 1.0, 3.0, &device).cast(DType::F32);
    let _trained = norm.forward(x.clone());
    let map = Map::new(|norm: &nn::BatchNorm, x: Tensor<3>| norm.forward(x));
    let found = numbers(map.linearize(&norm, &x).expect("it has derivatives").output());
    let expected = numbers(norm.valid().forward(x.inner()));
    assert!(difference(&found, &expected) < 1e-6);
    assert!(expected.iter().sum::<f64>() > 10.0, "the mean is not the batch's");
}

/// Two modules of the same shapes, of which one has a parameter in two places, do not share a recording.
#[test]
fn shared_parameters_are_part_of_the_signature() {
    #[derive(Module, Debug)]
    struct Two {
        a: Param<Tensor<1>>,
        b: Param<Tensor<1>>,
    }
    let device = flex();
    let one = |seed| Param::from_tensor(tensor(seed, [3], -1.0, 1.0, &device));
    let a = one(1);
    let (shared, apart) = (Two { a: a.clone(), b: a }, Two { a: one(1), b: one(2) });
    let map = Map::new(|two: &Two, ()| two.a.val() * two.b.val());
    for (two, variables) in [(&shared, 3), (&apart, 6), (&shared, 3)] {
        let at = map.linearize(two, &()).expect("it has derivatives");
        assert_eq!(at.variables(), variables);
        assert_eq!(numbers(at.output()), numbers((two.a.val() * two.b.val()).inner()));
    }
}

/// One parameter vector, and whatever is done with it.
#[derive(Module, Debug)]
struct Cell {
    w: Param<Tensor<2>>,
}

/// Whatever the output does not depend on has zero derivatives, also if that is everything.
#[test]
fn an_output_without_parameters_has_zero_derivatives() {
    for (_, device) in devices() {
        let cell = Cell { w: Param::from_tensor(tensor(1, [3, 2], -1.0, 1.0, &device)) };
        let x: Tensor<2> = tensor(2, [4, 2], -1.0, 1.0, &device);
        let map = Map::new(|_: &Cell, x: Tensor<2>| x.exp());
        let at = map.linearize(&cell, &x).expect("there is a parameter");
        assert_eq!(numbers(at.push(vector(&[1.0; 6], &device))), [0.0; 8]);
        assert_eq!(numbers(at.pull(vector(&[1.0; 8], &device))), [0.0; 6]);
        assert_eq!(numbers(at.bend(vector(&[1.0; 8], &device), vector(&[1.0; 6], &device))), [0.0; 6]);
        assert_eq!(numbers(map.kernel(&cell, &x).expect("there is a parameter")), [0.0; 64]);
    }
}

/// An output may be read by something else too, or be an input or a parameter itself.
#[test]
fn an_output_may_be_anything() {
    type Forward = fn(&Cell, Tensor<2>) -> Tensor<2>;
    let device = flex();
    let cell = Cell { w: Param::from_tensor(tensor(1, [3, 2], -1.0, 1.0, &device)) };
    let x: Tensor<2> = tensor(2, [3, 2], -1.0, 1.0, &device);
    let product: Forward = |cell, x| {
        let y = cell.w.val() * x;
        let _unused = y.clone().exp();
        y
    };
    let (parameter, input): (Forward, Forward) = (|cell, _| cell.w.val(), |_, x| x);
    for (forward, gradient) in [(product, numbers(x.clone())), (parameter, vec![1.0; 6]), (input, vec![0.0; 6])] {
        let at = Map::new(forward).linearize(&cell, &x).expect("it has derivatives");
        assert_eq!(numbers(at.pull(vector(&[1.0; 6], &device))), gradient);
    }
}

/// A recording's constants live on a device: the same map serves a module on another.
#[test]
fn a_map_serves_several_devices() {
    let map = Map::new(|cell: &Cell, x: Tensor<2>| {
        x.clone() * cell.w.val() * Tensor::<2>::full([3, 2], 2.0, (&x.device(), DType::F64)).exp()
    });
    let results = devices().map(|(_, device)| {
        let cell = Cell { w: Param::from_tensor(tensor(1, [3, 2], -1.0, 1.0, &device)) };
        let at = map.linearize(&cell, &tensor(2, [3, 2], -1.0, 1.0, &device)).expect("it has derivatives");
        numbers(at.pull(vector(&[1.0; 6], &device)))
    });
    assert!(difference(&results[0], &results[1]) < 1e-15);
}

#[test]
fn what_cannot_be_recorded_is_an_error_that_says_where() {
    let device = flex();
    let cell = Cell { w: Param::from_tensor(tensor(1, [3, 2], -1.0, 1.0, &device)) };
    let x: Tensor<2> = tensor(2, [3, 2], -1.0, 1.0, &device);
    type Forward = fn(&Cell, Tensor<2>) -> Tensor<2>;
    let cases: &[(Forward, &str)] = &[
        (
            |c, x| {
                let first = Tensor::<1, Int>::from_data([0], &x.device());
                c.w.val().select_assign(0, first, x.narrow(0, 0, 1), IndexingUpdateOp::Mul)
            },
            "BaseFloat.SelectAssign of [3, 2], [1], [1, 2] to [3, 2], after the parameter w: where indices are equal",
        ),
        (
            |c, x| c.w.val() + x.random_like(Distribution::Uniform(0.0, 1.0)),
            "draws random numbers (Float.Random to [3, 2])",
        ),
        (
            |c, x| {
                let first: f64 = c.w.val().narrow(0, 0, 1).narrow(1, 0, 1).into_scalar();
                x * first
            },
            "cannot be recorded",
        ),
        (
            |c, x| {
                let factor: f64 = if x.to_data().num_elements() > 3 { 1.0 } else { 2.0 };
                c.w.val() * factor
            },
            "cannot be recorded",
        ),
        (
            |c, x| {
                let total: f64 = (c.w.val() * x).sum().into_scalar();
                c.w.val() * total
            },
            "(the last operation recorded is NumericFloat.Sum of [3, 2] to [1], after the parameter w)",
        ),
        (
            |c, x| {
                let rows = (c.w.val() * x.clone()).greater_elem(0.0).argwhere();
                x.slice([0..rows.dims()[0], 0..1])
            },
            "(the last operation recorded is NumericFloat.GreaterElem of [3, 2] to [3, 2], after the parameter w)",
        ),
    ];
    for (forward, expected) in cases {
        let error = Map::new(forward).linearize(&cell, &x).expect_err("it cannot be recorded");
        assert!(error.to_string().contains(expected), "{error}");
    }
    let frozen = Cell { w: cell.w.clone() }.no_grad();
    let forward: Forward = |c, x| c.w.val() * x;
    assert_eq!(Map::new(forward).linearize(&frozen, &x).err(), Some(TangentError::NoVariables));
    let mixed: Forward = |c, x| (c.w.val() * x).sum_dim(0);
    let error = Map::new(mixed).in_chunks(2).linearize(&Cell { w: cell.w.clone() }, &x).err();
    assert!(matches!(error, Some(TangentError::Forward { .. })), "[3, 2] does not meet two samples: {error:?}");
    let mean = Map::new(|cell: &Cell, x: Tensor<2>| x.matmul(cell.w.val().transpose()).mean_dim(0)).in_chunks(2);
    assert_eq!(mean.linearize(&cell, &x).err(), Some(TangentError::NotPerSample { samples: 2, shape: vec![1, 3] }));
    let pair = Map::new(|cell: &Cell, (x, y): (Tensor<2>, Tensor<2>)| {
        x.matmul(cell.w.val().transpose()) + y.sum().unsqueeze()
    })
    .in_chunks(2);
    let y: Tensor<2> = tensor(2, [4, 2], -1.0, 1.0, &device);
    assert_eq!(pair.linearize(&cell, &(x.clone(), y)).err(), Some(TangentError::Samples { counts: vec![3, 4] }));
    let row = Map::new(|cell: &Cell, x: Tensor<2>| x.matmul(cell.w.val().transpose())).within(10);
    assert!(matches!(row.linearize(&cell, &x).err(), Some(TangentError::Memory { budget: 10, .. })));
}

#[test]
fn a_vector_holds_the_parameters_in_the_modules_order() {
    let half_frozen = |model: Mlp| Mlp { hidden: model.hidden.no_grad(), ..model };
    let fresh = nn::LinearConfig::new(2, 3).init(&Device::flex());
    assert_eq!(count(&fresh), 9, "a module made on a device without autodiff is trainable");
    for model in [half_frozen(Mlp::new(&flex())), half_frozen(Mlp::new(&flex())).valid()] {
        assert_eq!(count(&model), 24);
        let w = vector(&(0..24).map(f64::from).collect::<Vec<_>>(), &flex());
        let model = unravel(model, &w).expect("the length fits");
        assert_eq!(numbers(ravel(&model).expect("there are parameters")), (0..24).map(f64::from).collect::<Vec<_>>());
        assert_eq!(numbers(model.last.weight.val().inner().slice([1..2, 0..3])), [3.0, 4.0, 5.0], "row by row");
        assert_eq!(
            unravel(model, &w.narrow(0, 0, 5)).err(),
            Some(TangentError::ParameterCount { expected: 24, given: 5 })
        );
    }
    let model = Mlp::new(&flex());
    let x: Tensor<2> = tensor(1, [2, 4], -1.0, 1.0, &flex());
    let gradients = burn::optim::GradientsParams::from_grads(
        model.last.forward(x.clone().matmul(Tensor::ones([4, 7], (&flex(), DType::F64)))).sum().backward(),
        &model,
    );
    let gradient = numbers(ravel_gradient(&model, &gradients).expect("there are parameters"));
    assert_eq!(gradient[..35], [0.0; 35], "the hidden layer was not used");
    assert_eq!(gradient[56..], [2.0; 3]);
    assert!(ravel(&model.no_grad()).is_none());
}

#[test]
fn parameters_can_be_given_as_a_vector() {
    let model = Mlp::new(&flex());
    let x = tensor(2, [6, 4], -1.0, 1.0, &flex());
    let w = ravel(&model).expect("it has parameters");
    let moved = w.clone() + tensor(3, w.dims(), -0.1, 0.1, &flex()).inner();
    let there = unravel(model.clone(), &moved).expect("the length fits");
    let map = Map::new(|model: &Mlp, x: Tensor<2>| model.forward(x));
    let (given, own) = (map.linearize_at(&model, &moved, &x), map.linearize(&there, &x));
    let (given, own) = (given.expect("the length fits"), own.expect("all operations have entries"));
    assert_eq!(bits(&numbers(given.output())), bits(&numbers(own.output())));
    assert_eq!(bits(&numbers(given.jacobian())), bits(&numbers(own.jacobian())));
    let kernels = (map.kernel_at(&model, &moved, &x), map.kernel(&there, &x));
    let (given, own) = (kernels.0.expect("the length fits"), kernels.1.expect("all operations have entries"));
    assert_eq!(bits(&numbers(given)), bits(&numbers(own)));
    let short = w.clone().narrow(0, 0, 5);
    let expected = TangentError::ParameterCount { expected: count(&model), given: 5 };
    assert_eq!(map.linearize_at(&model, &short, &x).err(), Some(expected.clone()));
    let long = Tensor::cat(vec![w, short], 0);
    assert!(matches!(map.linearize_at(&model, &long, &x), Err(TangentError::ParameterCount { .. })));
}
