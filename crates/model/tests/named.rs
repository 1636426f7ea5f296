//! Every network that a configuration names: its size, its names in PyTorch, samples that do not see each other, and
//! what does not fit it.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use losscape_model::data::{Dataset, Matrix, Targets};
use losscape_model::exported::ExportedConfig;
use losscape_model::{
    CnnConfig, ConvolutionConfig, FromDataset, LinearModelConfig, LstmConfig, MlpConfig, ModelConfig, ModelInput,
    Network, Norm, Outputs, ResNetConfig, Sample, TransformerConfig, VggConfig, VitConfig,
};
use losscape_tangent::Inputs;
use losscape_tangent::parameters::count;

use crate::common::{numbers, shapes};

const IMAGE: Sample = Sample::Image { channels: 2, height: 32, width: 32 };
const TOKENS: Sample = Sample::Tokens { length: 5, vocabulary: 7 };

/// A network of every name, and what it takes.
fn networks() -> Vec<(ModelConfig, Sample, Outputs)> {
    let three = Outputs::from(3);
    let each = Outputs { positions: 5, each: 3 };
    let last = Outputs { positions: 2, each: 3 };
    let cnn = CnnConfig::new([ConvolutionConfig::new(4).with_pool(4)]);
    let archive = concat!(env!("CARGO_MANIFEST_DIR"), "/../exchange/tests/archives/gpt.pt2");
    let mut networks = vec![
        (MlpConfig::new([4, 4]).into(), IMAGE, three),
        (LinearModelConfig::default().into(), IMAGE, three),
        (VitConfig::new(8, 6, 2, 3).into(), IMAGE, three),
        (TransformerConfig::new(6, 2, 2).into(), TOKENS, three),
        (TransformerConfig::new(6, 2, 2).with_causal(true).into(), TOKENS, each),
        (LstmConfig::new(4, 2).into(), TOKENS, last),
        (ExportedConfig::new(archive).into(), TOKENS, Outputs { positions: 5, each: 7 }),
    ];
    for norm in [Norm::None, Norm::Group { groups: 1 }, Norm::Batch] {
        networks.push((CnnConfig { norm, ..cnn.clone() }.into(), IMAGE, three));
        networks.push((VggConfig::new(13, 2).with_norm(norm).into(), IMAGE, three));
        networks.push((ResNetConfig::new(8, 2).with_norm(norm).into(), IMAGE, three));
    }
    networks
}

/// Samples of a kind.
fn inputs(sample: &Sample, count: usize) -> ModelInput {
    let values = (0..count * sample.size()).map(|k| match sample {
        Sample::Tokens { vocabulary, .. } => ((k * k + k / 3) % vocabulary) as f64,
        _ => (k as f64 * 0.37).sin(),
    });
    let inputs = Matrix { values: values.collect(), columns: sample.size() };
    let data = Dataset::new(inputs, Targets::labels(vec![0; count], 3)).expect("they fit");
    let data = data.with_sample(sample.clone()).expect("they are of the kind");
    ModelInput::from_dataset(&data, &Device::flex(), DType::F64).expect("every kind is taken")
}

#[test]
fn networks_are_as_they_say() {
    let mut names: Vec<String> = Vec::new();
    for (config, sample, outputs) in networks() {
        let written = serde_json::to_value(&config).expect("it has only string keys");
        names.extend(written.as_object().expect("a table").keys().cloned());
        let network = config.init(&sample, outputs, 0, &Device::flex(), DType::F64).expect("it fits");
        assert_eq!(config.size(&sample, outputs).expect("it fits").parameters, count(&network), "{config:?}");
        assert_eq!(config.pytorch_names().len(), shapes(&network).len(), "{config:?}");
        assert_eq!(config.sees_batch(), written.to_string().contains("\"batch\""), "{config:?}");
        // At inference no sample sees another.
        let x = inputs(&sample, 3);
        let together = network.forward(x.clone());
        assert_eq!(together.dims(), [3, outputs.total()], "{config:?}");
        let last = numbers(network.forward(x.narrow(2, 1)));
        for (alone, together) in last.iter().zip(&numbers(together)[2 * outputs.total()..]) {
            assert!((alone - together).abs() < 1e-12, "{config:?}: {alone} against {together}");
        }
    }
    for (name, _) in ModelConfig::ALL {
        assert!(names.iter().any(|known| known == name), "`{name}` is not tested");
    }
}

/// A causal network says the same of a position whatever follows it; another does not.
#[test]
fn causal_networks_do_not_look_ahead() {
    let each = Outputs { positions: 5, each: 3 };
    let changed = |config: ModelConfig| {
        let network = config.init(&TOKENS, each, 3, &Device::flex(), DType::F64).expect("it fits");
        let of = |last: i64| {
            let tokens =
                Tensor::<2, Int>::from_data(TensorData::new(vec![1i64, 4, 2, 6, last], [1, 5]), &Device::flex());
            numbers(network.forward(tokens.into()))
        };
        let (a, b) = (of(0), of(5));
        assert!((0..3).any(|k| a[12 + k] != b[12 + k]), "the last position sees its token");
        (0..12).any(|k| a[k] != b[k])
    };
    assert!(!changed(TransformerConfig::new(6, 2, 2).with_causal(true).into()));
    assert!(!changed(LstmConfig::new(4, 2).into()));
    assert!(changed(TransformerConfig::new(6, 2, 2).into()));
}

#[test]
fn what_does_not_fit_is_said() {
    let small = Sample::Image { channels: 1, height: 28, width: 28 };
    let cases: Vec<(ModelConfig, &Sample, Outputs, &str)> = vec![
        (VggConfig::new(12, 64).into(), &IMAGE, 10.into(), "depth = 12 is not possible: 11, 13 or 16"),
        (VggConfig::new(11, 64).into(), &small, 10.into(), "28×28 pixels, no multiples of 32"),
        (VggConfig::new(11, 0).into(), &IMAGE, 10.into(), "width 0"),
        (VitConfig::new(5, 64, 2, 4).into(), &IMAGE, 10.into(), "32×32 pixels do not fall into squares of 5"),
        (VitConfig::new(0, 64, 2, 4).into(), &IMAGE, 10.into(), "squares of 0"),
        (VitConfig::new(4, 64, 2, 5).into(), &IMAGE, 10.into(), "a width of 64 does not fall into 5 equal heads"),
        (VitConfig::new(4, 64, 0, 4).into(), &IMAGE, 10.into(), "depth = 0 is not possible"),
        (VitConfig::new(4, 1 << 40, 2, 4).into(), &IMAGE, 10.into(), "at most 1073741824 are possible"),
        (VitConfig::default().into(), &TOKENS, 10.into(), "takes images, and the samples are sequences of 5 tokens"),
        (TransformerConfig::default().into(), &IMAGE, 10.into(), "takes tokens, and the samples are images"),
        (TransformerConfig::new(0, 2, 4).into(), &TOKENS, 10.into(), "width 0"),
        (
            TransformerConfig::default().into(),
            &TOKENS,
            Outputs { positions: 6, each: 2 },
            "6 positions have a target, of 5 tokens",
        ),
        (LstmConfig::new(0, 1).into(), &TOKENS, 10.into(), "width 0"),
        (LstmConfig::new(8, 101).into(), &TOKENS, 10.into(), "depth = 101 is not possible"),
        (LstmConfig::default().into(), &TOKENS, 0.into(), "the output has width 0"),
    ];
    for (config, sample, outputs, words) in cases {
        let error = config.size(sample, outputs).expect_err(words).to_string();
        assert!(error.contains(words), "{error}, not {words}");
    }
}
