//! Numbers that a flow goes on from.

use std::collections::BTreeMap;

use burn::tensor::{Device, Tensor, TensorData};

/// The numbers of a flow by name, in f64: put aside and given back, the flow goes on to the bit.
#[derive(Debug, Clone, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct State(pub BTreeMap<String, Vec<f64>>);

impl State {
    pub(crate) fn put(&mut self, name: &str, values: &Tensor<1>) {
        self.0.insert(name.to_owned(), values.clone().into_data().iter::<f64>().collect());
    }

    pub(crate) fn put_rows(&mut self, name: &str, rows: &Tensor<2>) {
        self.0.insert(name.to_owned(), rows.clone().into_data().iter::<f64>().collect());
    }

    pub(crate) fn put_scalars(&mut self, name: &str, values: impl IntoIterator<Item = f64>) {
        self.0.insert(name.to_owned(), values.into_iter().collect());
    }

    /// As many numbers as in `like`, of its type and on its device.
    pub(crate) fn take(&self, name: &str, like: &Tensor<1>) -> Option<Tensor<1>> {
        let values = self.0.get(name).filter(|values| values.len() == like.dims()[0])?;
        Some(Tensor::from_data(TensorData::from(values.as_slice()), (&like.device(), like.dtype())))
    }

    /// Rows as long as `like`.
    pub(crate) fn take_rows(&self, name: &str, like: &Tensor<1>) -> Option<Tensor<2>> {
        let (values, columns) = (self.0.get(name)?, like.dims()[0]);
        let rows = values.len() / columns;
        let device: Device = like.device();
        let data = TensorData::new(values.clone(), [rows, columns]);
        (values.len() == rows * columns).then(|| Tensor::from_data(data, (&device, like.dtype())))
    }

    pub(crate) fn take_scalars<const N: usize>(&self, name: &str) -> Option<[f64; N]> {
        self.0.get(name)?.as_slice().try_into().ok()
    }
}
