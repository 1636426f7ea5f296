//! Scripts that hand a study to a cluster.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use losscape_lab::LabError;
use losscape_lab::folder::write_whole;
use losscape_lab::study::folder::{StudyFolder, own};

use crate::args::{Launcher, SubmitArgs};
use crate::error::CliError;
use crate::terminal::say;

/// Tasks of an array: Slurm's own limit, `MaxArraySize`, is 1001, of which the last index is one less.
const TASKS: usize = 1000;

/// What a script needs to know.
struct Job {
    /// The program.
    program: PathBuf,
    /// The study's folder.
    folder: PathBuf,
    /// Name of the study, as schedulers take it.
    name: String,
    tasks: usize,
    chunk: usize,
}

/// Writes the scripts and, unless it is a dry run, submits them.
pub fn submit(study: &StudyFolder, args: &SubmitArgs) -> Result<ExitCode, CliError> {
    let runs = study.planned()?.len();
    if runs == 0 {
        return Err(CliError::Message(format!("no run is planned in {}", study.path().display())));
    }
    let chunk = args.chunk.map_or_else(|| runs.div_ceil(TASKS).max(1), NonZeroUsize::get);
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| LabError::Io { action: "find", path: path.to_owned(), source })
    };
    let program = std::env::current_exe().map_err(|source| LabError::Io {
        action: "find",
        path: "the program itself".into(),
        source,
    })?;
    let folder = absolute(study.path())?;
    for path in [&program, &folder] {
        if path.to_str().is_none_or(|path| path.contains(char::is_control)) {
            let what = path.display();
            let message = format!("{what} cannot stand in a script: it must be UTF-8, without control characters");
            return Err(CliError::Message(message));
        }
    }
    let name = label(&folder.file_name().unwrap_or_default().to_string_lossy());
    let tasks = runs.div_ceil(chunk);
    let job = Job { program, folder, name, tasks, chunk };
    match args.launcher {
        Launcher::Slurm => slurm(&job, args),
        Launcher::Kubernetes => kubernetes(&job, args),
    }
}

fn write(job: &Job, name: &str, text: &str) -> Result<PathBuf, CliError> {
    let folder = job.folder.join("cluster");
    own(&folder)?;
    std::fs::create_dir_all(&folder).map_err(|source| LabError::Io {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let path = folder.join(name);
    write_whole(&path, text.as_bytes())?;
    Ok(path)
}

/// A name of at most 40 lower-case letters, digits and dashes within, as a DNS label must be and sbatch takes without quotes.
fn label(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' };
    let name: String = name.chars().map(plain).take(40).collect();
    match name.trim_matches('-') {
        "" => "study".to_owned(),
        name => name.to_owned(),
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
fn option(text: &str) -> Result<String, CliError> {
    let (name, given) = text.split_once('=').map_or((text, None), |(name, given)| (name, Some(given)));
    let is_name = name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
        && !text.contains(char::is_control);
    if !is_name {
        let message = format!("--option {text:?} is none of sbatch's; write NAME or NAME=VALUE on one line");
        return Err(CliError::Message(message));
    }
    Ok(given.map_or_else(|| format!("#SBATCH --{name}\n"), |given| format!("#SBATCH --{name}={}\n", value(given))))
}

/// The path of a log, in which sbatch takes `%` for its own.
fn log(job: &Job, name: &str) -> String {
    let folder = job.folder.join("cluster").display().to_string().replace('%', "%%");
    value(&format!("{folder}/{name}"))
}

/// A word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn slurm(job: &Job, args: &SubmitArgs) -> Result<ExitCode, CliError> {
    let Job { program, folder, name, tasks, chunk } = job;
    let SubmitArgs { threads, device, .. } = args;
    let limit = args.limit.map(|limit| format!("%{limit}")).unwrap_or_default();
    let options = args.options.iter().map(|given| option(given)).collect::<Result<String, _>>()?;
    let (program, folder) = (quoted(program), quoted(folder));
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
{program} study run {folder} --index "$SLURM_ARRAY_TASK_ID" --chunk {chunk} --jobs 1 --threads {threads} --device {device} &
task=$!
# USR1 comes a minute before the time limit. TERM is a cancellation, or a preemption after which Slurm itself queues the task again.
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
    let array = write(job, "array.sbatch", &array)?;
    let merge = write(job, "merge.sbatch", &merge)?;
    if args.dry_run {
        say!("job=$(sbatch --parsable {})", quoted(&array));
        say!("sbatch --dependency=afterany:$job {}", quoted(&merge));
        return Ok(ExitCode::SUCCESS);
    }
    let id = sbatch(&[&array.display().to_string()])?;
    say!("{tasks} tasks of {chunk} runs: job {id}");
    let dependency = format!("--dependency=afterany:{id}");
    let id = sbatch(&[&dependency, &merge.display().to_string()])?;
    say!("merge when they have ended: job {id}");
    Ok(ExitCode::SUCCESS)
}

/// Submits a script; returns the job's number.
fn sbatch(arguments: &[&str]) -> Result<String, CliError> {
    let output = Command::new("sbatch").arg("--parsable").args(arguments).output().map_err(|error| {
        CliError::Message(format!("cannot start sbatch: {error}; with --dry-run the scripts are written only"))
    })?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        return Err(CliError::Message(format!("sbatch refused: {}", said.trim())));
    }
    let said = String::from_utf8_lossy(&output.stdout);
    // With a cluster's name behind the number.
    Ok(said.trim().split(';').next().unwrap_or_default().to_owned())
}

fn kubernetes(job: &Job, args: &SubmitArgs) -> Result<ExitCode, CliError> {
    let Job { folder, name, tasks, chunk, .. } = job;
    let SubmitArgs { threads, device, image, .. } = args;
    let limit = args.limit.map_or(*tasks, NonZeroUsize::get);
    // JSON strings are YAML strings. In a command Kubernetes reads $(NAME), and $$ for a dollar.
    let string = |text: &str| serde_json::Value::from(text).to_string();
    let word = |text: &str| string(&text.replace("$(", "$$("));
    let manifest = format!(
        r#"# kubectl apply -f this; the study's folder must be in the volume claim, under the same path.
apiVersion: batch/v1
kind: Job
metadata:
  name: {quoted}
spec:
  completionMode: Indexed
  completions: {tasks}
  parallelism: {limit}
  backoffLimitPerIndex: 3
  maxFailedIndexes: {tasks}
  podFailurePolicy:
    rules:
      # Stopped with checkpoints: start again, and do not count it as a failure.
      - action: Ignore
        onExitCodes: {{ operator: In, values: [75] }}
      # A run failed, or the command is wrong: the same would happen again.
      - action: FailIndex
        onExitCodes: {{ operator: In, values: [1, 2] }}
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 60
      containers:
        - name: losscape
          image: {image}
          command: ["losscape", "study", "run", {word}, "--index", "$(JOB_COMPLETION_INDEX)", "--chunk", "{chunk}", "--jobs", "1", "--threads", "{threads}", "--device", {device}]
          resources:
            requests: {{ cpu: "{threads}" }}
          volumeMounts:
            - {{ name: study, mountPath: {folder} }}
      volumes:
        - name: study
          persistentVolumeClaim: {{ claimName: {quoted} }}
"#,
        quoted = string(name),
        word = word(&folder.display().to_string()),
        image = string(image),
        folder = string(&folder.display().to_string()),
        device = string(device),
    );
    let path = write(job, "job.yaml", &manifest)?;
    say!("kubectl apply -f {}", quoted(&path));
    Ok(ExitCode::SUCCESS)
}
