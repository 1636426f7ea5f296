//! Scripts that hand a study to a cluster.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use losscape_lab::LabError;
use losscape_lab::folder::write_whole;
use losscape_lab::study::StudyFolder;

use crate::args::{Launcher, SubmitArgs};
use crate::error::CliError;

/// Tasks of an array: Slurm's own limit, `MaxArraySize`, is 1001, of which the last index is one less.
const TASKS: usize = 1000;

/// What a script needs to know.
struct Job {
    /// The program.
    program: PathBuf,
    /// The study's folder.
    folder: PathBuf,
    /// Name of the study.
    name: String,
    tasks: usize,
    chunk: usize,
    threads: u16,
}

/// Writes the scripts and, unless it is a dry run, submits them.
pub fn submit(study: &StudyFolder, args: &SubmitArgs) -> Result<ExitCode, CliError> {
    let runs = study.planned()?.len();
    let chunk = args.chunk.unwrap_or_else(|| runs.div_ceil(TASKS)).max(1);
    let absolute = |path: &Path| {
        std::path::absolute(path).map_err(|source| LabError::Io { action: "find", path: path.to_owned(), source })
    };
    let program = std::env::current_exe().map_err(|source| LabError::Io {
        action: "find",
        path: "the program itself".into(),
        source,
    })?;
    let folder = absolute(study.path())?;
    let name = folder.file_name().map_or_else(|| "study".to_owned(), |name| name.to_string_lossy().into_owned());
    let tasks = runs.div_ceil(chunk);
    let job = Job { program, folder, name, tasks, chunk, threads: args.threads };
    match args.launcher {
        Launcher::Slurm => slurm(&job, args),
        Launcher::Kubernetes => kubernetes(&job, args),
    }
}

fn write(job: &Job, name: &str, text: &str) -> Result<PathBuf, CliError> {
    let folder = job.folder.join("cluster");
    std::fs::create_dir_all(&folder).map_err(|source| LabError::Io {
        action: "create",
        path: folder.clone(),
        source,
    })?;
    let path = folder.join(name);
    write_whole(&path, text.as_bytes())?;
    Ok(path)
}

/// A word of a shell script.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}

fn slurm(job: &Job, args: &SubmitArgs) -> Result<ExitCode, CliError> {
    let Job { program, folder, name, tasks, chunk, threads } = job;
    let limit = args.limit.map(|limit| format!("%{limit}")).unwrap_or_default();
    let options: String = args.options.iter().map(|option| format!("#SBATCH --{option}\n")).collect();
    let (quoted_program, quoted_folder) = (quoted(program), quoted(folder));
    let log = folder.join("cluster").join("%a.log");
    let last = tasks.saturating_sub(1);
    let array = format!(
        r#"#!/bin/bash
#SBATCH --job-name={name}
#SBATCH --array=0-{last}{limit}
#SBATCH --cpus-per-task={threads}
#SBATCH --requeue
#SBATCH --open-mode=append
#SBATCH --output="{log}"
#SBATCH --signal=B:USR1@60
{options}
{quoted_program} study run {quoted_folder} --index "$SLURM_ARRAY_TASK_ID" --chunk {chunk} --jobs 1 --threads {threads} &
task=$!
trap 'kill -TERM "$task" 2>/dev/null' TERM USR1
wait "$task"; code=$?
# A signal ends a wait; what the task says then is its own code.
while [ "$code" -gt 128 ] && kill -0 "$task" 2>/dev/null; do wait "$task"; code=$?; done
if [ "$code" -gt 128 ]; then wait "$task"; code=$?; fi
# Stopped with checkpoints: back into the queue.
if [ "$code" -eq 75 ]; then scontrol requeue "${{SLURM_ARRAY_JOB_ID}}_${{SLURM_ARRAY_TASK_ID}}"; fi
exit "$code"
"#,
        log = log.display(),
    );
    let log = folder.join("cluster").join("merge.log");
    let merge = format!(
        r#"#!/bin/bash
#SBATCH --job-name={name}-merge
#SBATCH --output="{log}"
{options}
{quoted_program} study merge {quoted_folder} && {quoted_program} study report {quoted_folder}
"#,
        log = log.display(),
    );
    let array = write(job, "array.sbatch", &array)?;
    let merge = write(job, "merge.sbatch", &merge)?;
    if args.dry_run {
        anstream::println!("job=$(sbatch --parsable {})", quoted(&array));
        anstream::println!("sbatch --dependency=afterany:$job {}", quoted(&merge));
        return Ok(ExitCode::SUCCESS);
    }
    let id = sbatch(&[&array.display().to_string()])?;
    anstream::println!("{tasks} tasks of {chunk} runs: job {id}");
    let dependency = format!("--dependency=afterany:{id}");
    let id = sbatch(&[&dependency, &merge.display().to_string()])?;
    anstream::println!("merge when they have ended: job {id}");
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
    let Job { folder, name, tasks, chunk, threads, .. } = job;
    let limit = args.limit.unwrap_or(*tasks);
    // Names of Kubernetes are lower-case letters, digits and dashes.
    let name: String = name.to_lowercase().chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    let manifest = format!(
        r#"# kubectl apply -f this; the study's folder must be in the volume claim, under the same path.
apiVersion: batch/v1
kind: Job
metadata:
  name: {name}
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
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 60
      containers:
        - name: losscape
          image: {image:?}
          command: ["losscape", "study", "run", {folder:?}, "--index", "$(JOB_COMPLETION_INDEX)", "--chunk", "{chunk}", "--jobs", "1", "--threads", "{threads}"]
          resources:
            requests: {{ cpu: "{threads}" }}
          volumeMounts:
            - {{ name: study, mountPath: {folder:?} }}
      volumes:
        - name: study
          persistentVolumeClaim: {{ claimName: {name} }}
"#,
        image = args.image,
        folder = folder.display().to_string(),
    );
    let path = write(job, "job.yaml", &manifest)?;
    anstream::println!("kubectl apply -f {}", quoted(&path));
    Ok(ExitCode::SUCCESS)
}
