//! The two ways to a gradient: which networks and methods are compiled, and that nothing else tells them apart.

use burn::module::Module;
use burn::nn::{BatchNorm, BatchNormConfig, Dropout, DropoutConfig, Linear, LinearConfig};
use burn::tensor::{DType, Device, Tensor};
use losscape_lab::config::{BatchSize, TrainingConfig};
use losscape_lab::{Position, Trainer};
use losscape_model::data::generate::Moons;
use losscape_model::data::{DataConfig, Prepared};
use losscape_model::{Loss, Mlp, MlpConfig, Network};
use losscape_optim::adam::AdamConfig;
use losscape_optim::muon::MuonConfig;
use losscape_optim::{FriendlyConfig, OptimizerConfig, RuleConfig, SamConfig};
use losscape_tangent::parameters::ravel;
use std::path::PathBuf;

/// A batch of 48 does not divide the 200 samples: the last one of an epoch is smaller.
const BATCH: usize = 48;

fn data() -> Prepared {
    DataConfig::new(Moons { samples: 200, noise: 0.1 }).load().expect("the settings are valid")
}

fn adam() -> OptimizerConfig {
    let rule: AdamConfig = serde_json::from_str("{}").expect("every setting has a default");
    OptimizerConfig::new(RuleConfig::Adam(rule), 0.01).with_sam(SamConfig::new(0.05))
}

fn trainer<N: Network<Input = Tensor<2>>>(network: N, optimizer: &OptimizerConfig) -> Trainer<N> {
    let training = TrainingConfig::steps(40, BatchSize::Samples(BATCH));
    Trainer::new(network, &data(), Loss::cross_entropy(), optimizer, &training, 0).expect("the settings are valid")
}

fn mlp(device: Device, dtype: DType) -> Mlp {
    MlpConfig::new([16, 8]).init(2, 2, 0, &device.autodiff(), dtype).expect("the widths are valid")
}

fn weights<N: Network<Input = Tensor<2>>>(trainer: &Trainer<N>) -> Vec<f64> {
    let w = ravel(trainer.network()).expect("there are parameters");
    w.into_data().convert_dtype(DType::F64).try_to_vec().expect("the data are f64 now")
}

/// A network with something that training does and evaluation does not.
#[derive(Module, Debug)]
struct Regularized {
    hidden: Linear,
    dropout: Option<Dropout>,
    norm: Option<BatchNorm>,
    last: Linear,
}

impl Network for Regularized {
    type Input = Tensor<2>;

    fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        let mut h = self.hidden.forward(x).tanh();
        if let Some(norm) = &self.norm {
            h = norm.forward(h);
        }
        if let Some(dropout) = &self.dropout {
            h = dropout.forward(h);
        }
        self.last.forward(h)
    }
}

#[test]
fn what_is_compiled() {
    let flex = || Device::flex();
    #[allow(deprecated, reason = "ndarray stays tested while Burn has it")]
    let ndarray = Device::ndarray();
    let muon: MuonConfig = serde_json::from_str("{}").expect("every setting has a default");
    let muon = OptimizerConfig::new(RuleConfig::Muon(muon), 0.01);
    assert!(trainer(mlp(flex(), DType::F32), &adam()).moment().is_compiled());
    assert!(trainer(mlp(flex(), DType::F64), &adam()).moment().is_compiled());
    assert!(!trainer(mlp(ndarray, DType::F64), &adam()).moment().is_compiled(), "another device");
    assert!(!trainer(mlp(flex(), DType::F32), &muon).moment().is_compiled(), "a method that looks at matrices");
    let device = flex().autodiff();
    let regularized = |dropout: bool, norm: bool| Regularized {
        hidden: LinearConfig::new(2, 16).init(&device),
        dropout: dropout.then(|| DropoutConfig::new(0.1).init()),
        norm: norm.then(|| BatchNormConfig::new(16).init(&device)),
        last: LinearConfig::new(16, 2).init(&device),
    };
    assert!(trainer(regularized(false, false), &adam()).moment().is_compiled());
    assert!(!trainer(regularized(true, false), &adam()).moment().is_compiled(), "dropout is not recorded");
    assert!(trainer(regularized(false, true), &adam()).moment().is_compiled(), "batch norm is");
}

/// Forty steps of Adam and SAM with the compiled gradient on flex, and with autodiff on ndarray: weights and
/// preconditioner.
#[test]
fn both_ways_lead_to_the_same_weights() {
    #[allow(deprecated, reason = "ndarray stays tested while Burn has it")]
    let ndarray = Device::ndarray();
    let mut found = [Device::flex(), ndarray].map(|device| {
        let mut trainer = trainer(mlp(device, DType::F64), &adam());
        trainer.run();
        let preconditioner =
            ravel(&trainer.moment().preconditioner().expect("Adam has one")).expect("as many as parameters");
        let preconditioner: Vec<f64> = preconditioner.into_data().try_to_vec().expect("the dtype is f64");
        [weights(&trainer), preconditioner].concat()
    });
    let apart = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max);
    let [ours, theirs] = &mut found;
    assert!(apart(ours, theirs) < 1e-12, "{:e}", apart(ours, theirs));
}

/// A step that a checkpoint interrupts: the same bits.
#[test]
fn going_on_from_a_checkpoint_changes_no_bit() {
    let file = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("trainer-optimizer.bpk");
    let friendly = SamConfig { friendly: Some(FriendlyConfig::default()), ..SamConfig::new(0.05) };
    let with = |name: &str| {
        let rule: RuleConfig =
            serde_json::from_str(&format!("{{\"{name}\": {{}}}}")).expect("every setting has a default");
        OptimizerConfig::new(rule, 0.01)
    };
    for optimizer in [adam(), with("momentum").with_sam(friendly), with("scalar-rmsprop"), with("soap")] {
        let begin = || trainer(mlp(Device::flex(), DType::F32), &optimizer);
        let mut whole = begin();
        for _ in 0..23 {
            whole.advance();
        }
        whole.moment().save_method(&file).expect("the folder can be written");
        let network = whole.network().clone();
        let mut resumed = begin()
            .restore(Position { network, method: file.clone(), average: None, step: 23, wall_s: 0.0 })
            .expect("the file was just written");
        for _ in 0..17 {
            assert_eq!(whole.advance().loss.to_bits(), resumed.advance().loss.to_bits(), "{optimizer:?}");
        }
        assert_eq!(weights(&whole), weights(&resumed), "{optimizer:?}");
    }
}
