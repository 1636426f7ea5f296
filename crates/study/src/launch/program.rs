//! [`Program`]: how `losscape` is started.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that takes the arguments of `losscape`: the command itself, or an interpreter with arguments of its own
/// before those (`python -m losscape`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    path: PathBuf,
    before: Vec<String>,
}

impl Program {
    /// The program at `path`.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into(), before: Vec::new() }
    }

    /// Arguments that stand before those of `losscape`.
    #[must_use]
    pub fn with(mut self, arguments: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.before = arguments.into_iter().map(Into::into).collect();
        self
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// A command that starts it.
    #[must_use]
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.path);
        command.args(&self.before);
        command
    }

    /// Its words in a shell script.
    pub(super) fn in_script(&self) -> String {
        let before = self.before.iter().map(|argument| format!(" {}", quoted(Path::new(argument))));
        quoted(&self.path) + &before.collect::<String>()
    }
}

/// A word of a shell script.
#[must_use]
pub(super) fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::Program;

    #[test]
    fn words_of_a_script_are_quoted() {
        let program = Program::new("/opt/my env/python").with(["-c", "import 'it'"]);
        assert_eq!(program.in_script(), r"'/opt/my env/python' '-c' 'import '\''it'\'''");
        assert_eq!(Program::new("losscape").in_script(), "'losscape'");
    }
}
