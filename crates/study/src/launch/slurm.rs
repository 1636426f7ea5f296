//! A job array of Slurm, and a job behind it that makes the table.

use std::path::PathBuf;
use std::process::Command;

use super::program::quoted;
use super::{Job, LaunchError};

/// The scripts of a study.
#[derive(Debug)]
pub struct Scripts {
    /// The script of the job array.
    pub array: PathBuf,
    /// The job that merges, when all tasks have ended.
    pub merge: PathBuf,
}

/// The numbers that Slurm gave the jobs.
#[derive(Debug)]
pub struct Submitted {
    /// The number of the array.
    pub array: String,
    /// The number of the job that merges.
    pub merge: String,
}

impl Scripts {
    /// Writes the scripts, with further options of sbatch, `NAME` or `NAME=VALUE` without dashes.
    ///
    /// A task does a chunk of the plan. A minute before its time limit it writes checkpoints and goes back into the
    /// queue; cancelled it writes them and ends.
    ///
    /// # Errors
    ///
    /// [`LaunchError::Option`] for a text that is none of sbatch's, and when the folder cannot be written.
    pub fn write(job: &Job, options: &[String]) -> Result<Self, LaunchError> {
        let Job { program, folder, name, tasks, chunk, array } = job;
        let (threads, device) = (array.threads, &array.device);
        let limit = array.limit.map(|limit| format!("%{limit}")).unwrap_or_default();
        let options = options.iter().map(|given| option(given)).collect::<Result<String, _>>()?;
        let (program, folder) = (program.in_script(), quoted(folder));
        let array = format!(
            r#"#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{limit}
#SBATCH --cpus-per-task={threads}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output={log}
#SBATCH --signal=B:USR1@60
{options}
{program} study run {folder} --index "$SLURM_ARRAY_TASK_ID" --chunk {chunk} \
    --jobs 1 --threads {threads} --device {device} &
task=$!
# USR1 comes a minute before the time limit. TERM is a cancellation, or a preemption after which Slurm itself
# queues the task again.
again=
trap 'again=yes; kill -TERM "$task" 2>/dev/null' USR1
trap 'kill -TERM "$task" 2>/dev/null' TERM
wait "$task"; code=$?
# A signal ends a wait; what the task says then is its own code.
while [ "$code" -gt 128 ] && kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done
if [ "$code" -gt 128 ]; then wait "$task"; code=$?; fi
# Stopped with checkpoints: back into the queue.
if [ "$code" -eq 75 ] && [ "$again" ]; then scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"; fi
exit "$code"
"#,
            last = tasks - 1,
            log = log(job, "%a.log"),
        );
        let merge = format!(
            r#"#!/bin/bash
#SBATCH --job-name={name}-merge
#SBATCH --output={log}
{options}
# What there is makes a table and a page; the exit code says whether all of it is there.
{program} study merge {folder} --partial && {program} study report {folder} && {program} study merge {folder}
"#,
            log = log(job, "merge.log"),
        );
        Ok(Self { array: job.write("array.sbatch", &array)?, merge: job.write("merge.sbatch", &merge)? })
    }

    /// The commands that submit them.
    #[must_use]
    pub fn commands(&self) -> [String; 2] {
        [
            format!("job=$(sbatch --parsable {})", quoted(&self.array)),
            format!("sbatch --dependency=afterany:$job {}", quoted(&self.merge)),
        ]
    }

    /// Submits them.
    ///
    /// # Errors
    ///
    /// When there is no sbatch, or it refuses.
    pub fn submit(&self) -> Result<Submitted, LaunchError> {
        let array = sbatch(&[&self.array.display().to_string()])?;
        let dependency = format!("--dependency=afterany:{array}");
        let merge = sbatch(&[&dependency, &self.merge.display().to_string()])?;
        Ok(Submitted { array, merge })
    }
}

/// The value of an option in a line of a script that sbatch reads: in quotes, unless it is of characters that mean
/// nothing to it.
fn value(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+.,:=/@%".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// An option of sbatch as a line of a script.
fn option(text: &str) -> Result<String, LaunchError> {
    let (name, given) = text.split_once('=').map_or((text, None), |(name, given)| (name, Some(given)));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.contains(char::is_control);
    if !is_name {
        return Err(LaunchError::Option { option: text.to_owned() });
    }
    Ok(given.map_or_else(|| format!("#SBATCH --{name}\n"), |given| format!("#SBATCH --{name}={}\n", value(given))))
}

/// The path of a log, in which sbatch takes `%` for its own.
fn log(job: &Job, name: &str) -> String {
    let folder = job.folder.join("cluster").display().to_string().replace('%', "%%");
    value(&format!("{folder}/{name}"))
}

/// Submits a script; returns the job's number.
fn sbatch(arguments: &[&str]) -> Result<String, LaunchError> {
    let output = Command::new("sbatch").arg("--parsable").args(arguments).output().map_err(LaunchError::NoSbatch)?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        return Err(LaunchError::Refused { said });
    }
    let said = String::from_utf8_lossy(&output.stdout);
    // With a cluster's name behind the number.
    Ok(said.trim().split(';').next().unwrap_or_default().to_owned())
}
