//! Checkpoints notice every change of what they consist of.

use std::fs;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use burn::tensor::Device;
use losscape_lab::checkpoint::Checkpoint;
use losscape_lab::{Document, Plan, Run, RunFolder, RunOptions};

const CONFIG: &str = r#"[data]
name = "moons"
samples = 20
[model]
name = "mlp"
hidden = [2]
[loss]
name = "squared-error"
[optimizer]
name = "gd"
learning_rate = 0.1
[training]
batch_size = "full"
steps = 4
checkpoint_every = 2
"#;

/// The folder of a run that has ended, and the identity of the run.
fn trained(place: &Path) -> (RunFolder, String) {
    let document = Document::parse("run.toml", CONFIG, &[]).expect("it is TOML");
    let plan = Plan::of(&document, place, "run").expect("it can be run");
    let run_id = plan.run_id.clone();
    let (out, device, device_name) = (place.to_owned(), Device::flex(), "flex".to_owned());
    let options = RunOptions { out, device, device_name, fresh: false, extend: None, argv: Vec::new() };
    let run = Run::open(plan, &options).expect("the folder can be written");
    let folder: RunFolder = run.folder().clone();
    run.train(&mut (), &AtomicBool::new(false)).expect("it trains");
    (folder, run_id)
}

/// Every bit of state and records, and every number of them written anew: the checkpoint is refused, or stands for the
/// same.
#[test]
fn any_changed_bit_is_noticed() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, run_id) = trained(place.path());
    let (newest, _) = Checkpoint::newest(&folder, &run_id).expect("it is whole").expect("there is one");
    assert_eq!(newest.state.step, 4);
    assert!(Checkpoint::newest(&folder, "another").is_err(), "it is of this run");

    let state = folder.checkpoints().join("step-00000004/state.json");
    let mut flips = 0;
    let metrics = folder.metrics();
    for path in [&state, &metrics] {
        let bytes = fs::read(path).expect("it is there");
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut changed = bytes.clone();
                changed[at] ^= 1 << bit;
                fs::write(path, &changed).expect("it can be written");
                flips += 1;
                // The older one has records of its own before it, and may be whole.
                if let Ok(Some((found, _))) = Checkpoint::newest(&folder, &run_id)
                    && found.state.step == 4
                {
                    let place = format!("byte {at}, bit {bit} of {}", path.display());
                    assert!(path == &state && found.state == newest.state, "{place}");
                }
            }
        }
        fs::write(path, &bytes).expect("it can be written");
    }
    println!("{flips} bits");
    let text = fs::read_to_string(&state).expect("it is there");
    for (from, to) in [("\"step\": 4", "\"step\": 4000000"), ("\"schema\": 1", "\"schema\": 2")] {
        assert!(text.contains(from));
        fs::write(&state, text.replace(from, to)).expect("it can be written");
        let (found, problems) = Checkpoint::newest(&folder, &run_id).expect("the older is whole").expect("it is there");
        assert_eq!((found.state.step, problems.len()), (2, 1), "{to}");
    }
}

/// Reading what an earlier version wrote: no seal, no digest of the records.
#[test]
fn checkpoints_without_a_seal_are_read() {
    let place = tempfile::tempdir().expect("a temporary folder");
    let (folder, run_id) = trained(place.path());
    let path = folder.checkpoints().join("step-00000004/state.json");
    let mut state: serde_json::Value =
        serde_json::from_slice(&fs::read(&path).expect("it is there")).expect("it is JSON");
    let fields = state.as_object_mut().expect("it is an object");
    assert!(fields.remove("seal").is_some() && fields.remove("metrics_digest").is_some());
    fs::write(&path, state.to_string()).expect("it can be written");
    let (found, problems) = Checkpoint::newest(&folder, &run_id).expect("it is whole").expect("there is one");
    assert_eq!((found.state.step, problems.len()), (4, 0));
}
