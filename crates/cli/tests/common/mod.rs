//! A temporary folder with a configuration in it, and the tool run there.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use npyz::WriterBuilder;

/// A small run: 100 steps of momentum with SAM and a schedule.
pub const CONFIG: &str = r#"[data]
name = "moons"
samples = 200
[model]
name = "mlp"
hidden = [16]
[loss]
name = "cross-entropy"
[optimizer]
name = "momentum"
learning_rate = 0.1
schedule = { name = "cosine" }
sam = { rho = 0.05 }
[training]
batch_size = 20
steps = 100
checkpoint_every = 10
"#;

/// Full batches with flows beside.
pub const FLOWING: &str = r#"[data]
name = "moons"
samples = 40
[model]
name = "mlp"
hidden = [8]
[loss]
name = "cross-entropy"
[optimizer]
name = "gd"
learning_rate = 0.5
[training]
batch_size = "full"
steps = 400
checkpoint_every = 20
[flow]
every = 7
"#;

/// A temporary folder that holds `run.toml`.
pub struct Place {
    folder: tempfile::TempDir,
}

impl Place {
    pub fn new(config: &str) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(folder.path().join("run.toml"), config).expect("the folder can be written");
        Self { folder }
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// `losscape` with arguments, in this folder.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_losscape"));
        command.args(arguments).current_dir(self.path()).env("NO_COLOR", "1");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().expect("the tool starts")
    }

    /// The only run folder.
    pub fn run_folder(&self) -> PathBuf {
        let mut entries = std::fs::read_dir(self.path().join("runs")).expect("there are runs");
        let folder = entries.next().expect("there is a run").expect("it can be read").path();
        assert!(entries.next().is_none(), "there is only one run");
        folder
    }

    pub fn weights(&self) -> Vec<u8> {
        std::fs::read(self.run_folder().join("model.safetensors")).expect("the run has weights")
    }
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// What the network should say.
pub enum Y<'a> {
    Labels(&'a [i64]),
    Values(&'a [u64], &'a [f64]),
}

/// A NumPy archive with `x` and `y`.
pub fn npz<X: npyz::AutoSerialize + Copy>(place: &Place, name: &str, shape: &[u64], x: &[X], y: &Y) {
    fn array<T: npyz::AutoSerialize + Copy>(shape: &[u64], values: &[T]) -> Vec<u8> {
        let mut bytes = Vec::new();
        let mut writer =
            npyz::WriteOptions::new().default_dtype().shape(shape).writer(&mut bytes).begin_nd().expect("in memory");
        writer.extend(values.iter().copied()).expect("in memory");
        writer.finish().expect("in memory");
        bytes
    }
    let y = match y {
        Y::Labels(labels) => array(&[labels.len() as u64], labels),
        Y::Values(shape, values) => array(shape, values),
    };
    let file = std::fs::File::create(place.path().join(name)).expect("the folder can be written");
    let mut archive = zip::ZipWriter::new(file);
    for (entry, bytes) in [("x.npy", array(shape, x)), ("y.npy", y)] {
        archive.start_file(entry, zip::write::SimpleFileOptions::default()).expect("it can be written");
        archive.write_all(&bytes).expect("it can be written");
    }
    archive.finish().expect("it can be written");
}
