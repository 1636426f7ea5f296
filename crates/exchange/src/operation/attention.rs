//! Attention.

use burn::tensor::TensorData;
use burn_backend::Scalar;
use burn_backend::ops::{AttentionModuleOptions, BoolTensorOps, FloatTensorOps, ModuleOps};
use burn_dispatch::Dispatch;

use super::elementwise::{safe_softmax, times};
use super::linear::matmul;
use super::{Call, Operation, Value, one};
use crate::array::{Array, Kind, Problem};

pub const OPERATIONS: &[Operation] = &[
    Operation::new("scaled_dot_product_attention", READS, "softmax(Q Kᵀ s + mask) V", |call| one(attention(call)?))
        .dropping("dropout_p", None),
    Operation::new("_scaled_dot_product_flash_attention_for_cpu", READS, "softmax(Q Kᵀ s + mask) V", |call| {
        Ok(vec![Value::Array(attention(call)?), Value::Bool(false)])
    })
    .dropping("dropout_p", None),
];

const READS: &[&str] = &["query", "key", "value", "attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa"];

fn attention(call: &Call) -> Result<Array, Problem> {
    let [query, key, value] = ["query", "key", "value"].map(|name| call.float(name));
    let (query, key, value) = (query?, key?, value?);
    let shape = query.shape();
    let as_four = |x: Array| {
        let rank = x.rank();
        match rank {
            2..=4 => x.lift(4),
            _ => Err(format!("{:?} is not made of rows", x.shape())),
        }
    };
    let (query, mut key, mut value) = (as_four(query)?, as_four(key)?, as_four(value)?);
    let (of_query, of_key, of_value) = (query.shape(), key.shape(), value.shape());
    let (heads, fewer) = (of_query[1], of_key[1]);
    if call.flag("enable_gqa", false)? && fewer > 0 && fewer != heads && heads % fewer == 0 {
        let wide = |x: Array| {
            let shape = x.shape();
            let times = heads / fewer;
            let split = [shape[0], fewer, 1, shape[2], shape[3]];
            let copied = [shape[0], fewer, times, shape[2], shape[3]];
            x.reshape(&split)?.expand(&copied)?.reshape(&[shape[0], heads, shape[2], shape[3]])
        };
        (key, value) = (wide(key)?, wide(value)?);
    }
    let (of_key, of_value) = if heads == fewer { (of_key, of_value) } else { (key.shape(), value.shape()) };
    let fits = of_query[..2] == of_key[..2]
        && of_key[..3] == of_value[..3]
        && of_query[3] == of_key[3]
        && [&of_query, &of_key, &of_value].iter().all(|shape| !shape.contains(&0));
    if !fits {
        return Err(format!("queries {of_query:?}, keys {of_key:?}, values {of_value:?}"));
    }
    let is_causal = call.flag("is_causal", false)?;
    if is_causal && of_query[2] != of_key[2] {
        return Err(format!("{} queries and {} keys with a causal mask", of_query[2], of_key[2]));
    }
    let scores = [of_query[0], heads, of_query[2], of_key[2]];
    if is_causal && call.argument("attn_mask").is_some() {
        return Err("a mask beside that of causality, which PyTorch does not take".to_owned());
    }
    let (mut mask, mut bias) = (None, None);
    if let Some(given) = call.optional("attn_mask")? {
        let given = given.expand(&scores)?;
        match given.kind() {
            // True is where PyTorch looks, and where Burn does not.
            Kind::Bool => mask = Some(Dispatch::bool_not(given.tensor())),
            Kind::Float => bias = Some(given.float(call.dtype()).tensor()),
            Kind::Int => return Err("a mask of whole numbers".to_owned()),
        }
    }
    let scale = call.optional_number("scale")?;
    let rows = [&shape[..shape.len() - 1], &of_value[3..]].concat();
    let p = call.number("dropout_p", 0.0)?;
    if p == 0.0 || call.context.random.is_none() {
        let options = AttentionModuleOptions { scale, softcap: None, is_causal };
        let found = Dispatch::attention(query.tensor(), key.tensor(), value.tensor(), mask, bias, options);
        return Array::from(found).reshape(&rows);
    }
    // Step by step, since weights are dropped on the way.
    let scale = scale.unwrap_or_else(|| (of_query[3] as f64).sqrt().recip());
    let mut weights = matmul(query, key.swap(2, 3)?)?.map(|x| times(x, scale));
    if let Some(bias) = bias {
        weights = weights.zip(bias.into(), Dispatch::float_add)?;
    }
    if is_causal {
        let length = of_query[2];
        let later = (0..length * length).map(|at| at % length > at / length).collect::<Vec<_>>();
        let later = Dispatch::bool_from_data(TensorData::new(later, [1, 1, length, length]), call.device());
        mask = Some(Array::from(later).expand(&scores)?.tensor());
    }
    if let Some(mask) = mask {
        weights = weights.map(|x| Dispatch::float_mask_fill(x, mask, Scalar::Float(f64::NEG_INFINITY)));
    }
    let weights = call.dropped(weights.map(|x| safe_softmax(x, 3)), p, &scores)?;
    matmul(weights, value)?.reshape(&rows)
}
