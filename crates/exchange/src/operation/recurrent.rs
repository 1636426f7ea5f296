//! Recurrent networks, step by step.

use burn_backend::ops::{ActivationOps, FloatTensorOps};
use burn_dispatch::Dispatch;

use super::elementwise::{plus, times};
use super::linear::matmul;
use super::shape::MOST_PARTS;
use super::{Call, Operation, Results, Value};
use crate::array::{Array, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new(
        "lstm",
        READS,
        "long short-term memory (Hochreiter and Schmidhuber 1997), gates i, f, g, o",
        |call| run(call, &Cell { gates: 4, states: 2, step: lstm }),
    )
    .dropping("dropout", Some("train")),
    Operation::new("gru", READS, "gated recurrent units (Cho et al. 2014), gates r, z, n", |call| {
        run(call, &Cell { gates: 3, states: 1, step: gru })
    })
    .dropping("dropout", Some("train")),
    Operation::new("rnn_tanh", READS, "hₜ = tanh(W xₜ + b + U hₜ₋₁ + c)", |call| {
        run(call, &Cell { gates: 1, states: 1, step: |x, h, states| plain(x, h, states, Dispatch::float_tanh) })
    })
    .dropping("dropout", Some("train")),
    Operation::new("rnn_relu", READS, "hₜ = max(W xₜ + b + U hₜ₋₁ + c, 0)", |call| {
        run(call, &Cell { gates: 1, states: 1, step: |x, h, states| plain(x, h, states, Dispatch::relu) })
    })
    .dropping("dropout", Some("train")),
];

const READS: &[&str] =
    &["input", "hx", "params", "has_biases", "num_layers", "dropout", "train", "bidirectional", "batch_first"];

/// What one step makes of `W xₜ + b`, `U hₜ₋₁ + c` and the states before.
type Step = fn(&Array, &Array, &[Array]) -> Result<Vec<Array>, Problem>;

struct Cell {
    gates: usize,
    states: usize,
    step: Step,
}

fn run(call: &Call, cell: &Cell) -> Results {
    let x = call.float("input")?;
    if x.rank() != 3 {
        return Err(format!("{:?} is not made of samples, steps and features", x.shape()));
    }
    let p = if call.flag("train", true)? { call.number("dropout", 0.0)? } else { 0.0 };
    let batch_first = call.flag("batch_first", false)?;
    let mut x = if batch_first { x.swap(0, 1)? } else { x };
    let floats = |name| Ok::<_, Problem>(call.all(name)?.into_iter().map(|array| array.float(call.dtype())));
    let begin: Vec<Array> = floats("hx")?.collect();
    let params: Vec<Array> = floats("params")?.collect();
    let (layers, biases) = (call.length("num_layers", 1)?, call.flag("has_biases", true)?);
    let directions = 1 + usize::from(call.flag("bidirectional", false)?);
    let each = if biases { 4 } else { 2 };
    if begin.len() != cell.states || layers == 0 || params.len() != layers.saturating_mul(directions * each) {
        return Err(format!(
            "{} states and {} weights for {layers} layers in {directions} directions; projections are not known here",
            begin.len(),
            params.len()
        ));
    }
    if x.shape()[0] > MOST_PARTS {
        return Err(format!("{} steps", x.shape()[0]));
    }
    let mut last: Vec<Vec<Array>> = vec![Vec::new(); cell.states];
    for layer in 0..layers {
        let mut outputs = Vec::new();
        for direction in 0..directions {
            let number = layer * directions + direction;
            let weights = &params[number * each..(number + 1) * each];
            let states = begin.iter().map(|state| {
                if state.rank() == 3 && number < state.shape()[0] {
                    state.clone().select(0, number)
                } else {
                    Err(format!("states {:?}", state.shape()))
                }
            });
            let states = states.collect::<Result<Vec<_>, _>>()?;
            let (output, states) = layer_of(&x, states, weights, direction == 1, cell)?;
            outputs.push(output);
            for (last, state) in last.iter_mut().zip(states) {
                let lifted = state.shape();
                last.push(state.reshape(&[&[1], lifted.as_slice()].concat())?);
            }
        }
        x = if outputs.len() == 1 { outputs.remove(0) } else { Array::cat(outputs, 2)? };
        if layer + 1 < layers {
            let shape = x.shape();
            x = call.dropped(x, p, &shape)?;
        }
    }
    let mut results = vec![Value::Array(if batch_first { x.swap(0, 1)? } else { x })];
    for states in last {
        results.push(Value::Array(Array::cat(states, 0)?));
    }
    Ok(results)
}

/// One layer in one direction: its outputs `[t, n, h]` and last states.
fn layer_of(
    x: &Array,
    mut states: Vec<Array>,
    weights: &[Array],
    backwards: bool,
    cell: &Cell,
) -> Result<(Array, Vec<Array>), Problem> {
    let [input, recurrent, biases @ ..] = weights else { return Err("weights are missing".to_owned()) };
    let (steps, hidden) = (x.shape()[0], recurrent.shape().get(1).copied().unwrap_or(0));
    if recurrent.shape() != [cell.gates * hidden, hidden] || input.shape().first() != Some(&(cell.gates * hidden)) {
        return Err(format!("weights {:?} and {:?}", input.shape(), recurrent.shape()));
    }
    let (input, recurrent) = (input.clone().swap(0, 1)?, recurrent.clone().swap(0, 1)?);
    let added = |x: Array, bias: Option<&Array>| match bias {
        Some(bias) => x.zip(bias.clone(), Dispatch::float_add),
        None => Ok(x),
    };
    let projected = added(matmul(x.clone(), input)?, biases.first())?;
    let mut outputs = Vec::with_capacity(steps);
    for step in 0..steps {
        let at = if backwards { steps - 1 - step } else { step };
        let before = added(matmul(states[0].clone(), recurrent.clone())?, biases.get(1))?;
        states = (cell.step)(&projected.clone().select(0, at)?, &before, &states)?;
        let shape = states[0].shape();
        outputs.push(states[0].clone().reshape(&[&[1], shape.as_slice()].concat())?);
    }
    if backwards {
        outputs.reverse();
    }
    Ok((Array::cat(outputs, 0)?, states))
}

/// The part of one gate.
fn gate(x: &Array, number: usize, gates: usize) -> Result<Array, Problem> {
    let width = x.shape()[1] / gates;
    x.clone().slice(1, number * width, (number + 1) * width, 1)
}

fn lstm(x: &Array, before: &Array, states: &[Array]) -> Result<Vec<Array>, Problem> {
    let all = x.clone().zip(before.clone(), Dispatch::float_add)?;
    let input = gate(&all, 0, 4)?.map(Dispatch::sigmoid);
    let forget = gate(&all, 1, 4)?.map(Dispatch::sigmoid);
    let new = gate(&all, 2, 4)?.map(Dispatch::float_tanh);
    let output = gate(&all, 3, 4)?.map(Dispatch::sigmoid);
    let kept = forget.zip(states[1].clone(), Dispatch::float_mul)?;
    let memory = kept.zip(input.zip(new, Dispatch::float_mul)?, Dispatch::float_add)?;
    let hidden = output.zip(memory.clone().map(Dispatch::float_tanh), Dispatch::float_mul)?;
    Ok(vec![hidden, memory])
}

fn gru(x: &Array, before: &Array, states: &[Array]) -> Result<Vec<Array>, Problem> {
    let both = |number: usize| gate(x, number, 3)?.zip(gate(before, number, 3)?, Dispatch::float_add);
    let reset = both(0)?.map(Dispatch::sigmoid);
    let update = both(1)?.map(Dispatch::sigmoid);
    let recalled = reset.zip(gate(before, 2, 3)?, Dispatch::float_mul)?;
    let new = gate(x, 2, 3)?.zip(recalled, Dispatch::float_add)?.map(Dispatch::float_tanh);
    let fresh = update.clone().map(|z| plus(times(z, -1.0), 1.0)).zip(new, Dispatch::float_mul)?;
    Ok(vec![fresh.zip(update.zip(states[0].clone(), Dispatch::float_mul)?, Dispatch::float_add)?])
}

fn plain(
    x: &Array,
    before: &Array,
    _: &[Array],
    function: fn(burn_dispatch::DispatchTensor) -> burn_dispatch::DispatchTensor,
) -> Result<Vec<Array>, Problem> {
    Ok(vec![x.clone().zip(before.clone(), Dispatch::float_add)?.map(function)])
}
