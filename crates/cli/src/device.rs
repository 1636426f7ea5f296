//! Device names, and which devices this build has.

use burn::tensor::Device;

use crate::error::CliError;

/// Every device name, whether this build has it or not.
const NAMES: [&str; 4] = ["flex", "ndarray", "cuda", "wgpu"];

/// The device called `name`, with an index behind a colon.
pub fn parse(name: &str) -> Result<Device, CliError> {
    let (kind, index) = match name.split_once(':') {
        None => (name, 0),
        Some((kind, index)) => {
            let wrong = || CliError::Message(format!("`{index}` in --device {name} is no index"));
            (kind, index.parse::<usize>().map_err(|_| wrong())?)
        }
    };
    device(kind, index).ok_or_else(|| {
        CliError::Message(if NAMES.contains(&kind) {
            format!("device {kind} is not compiled in; build with `--features {kind}`")
        } else {
            format!("unknown device `{kind}`; known are {}", NAMES.join(", "))
        })
    })
}

#[allow(unused_variables)] // the index, in a build without a device that has one
fn device(kind: &str, index: usize) -> Option<Device> {
    match kind {
        #[cfg(feature = "flex")]
        "flex" => Some(Device::flex()),
        #[cfg(feature = "ndarray")]
        #[allow(deprecated)] // upstream favours flex; kept as the second, independent CPU implementation
        "ndarray" => Some(Device::ndarray()),
        #[cfg(feature = "cuda")]
        "cuda" => Some(Device::cuda(index)),
        #[cfg(feature = "wgpu")]
        "wgpu" => Some(Device::wgpu(match index {
            0 => burn::tensor::DeviceKind::DefaultDevice,
            index => burn::tensor::DeviceKind::DiscreteGpu(index - 1),
        })),
        _ => None,
    }
}
