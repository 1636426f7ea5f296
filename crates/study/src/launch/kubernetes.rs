//! An indexed Job of Kubernetes.

use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use super::program::quoted;
use super::{Job, LaunchError};

/// Writes the manifest of a Job whose pods run `image`, with losscape in it. The study's folder must be in a volume
/// claim of the study's name, under the same path.
///
/// # Errors
///
/// When the folder cannot be written.
pub fn write(job: &Job, image: &str) -> Result<PathBuf, LaunchError> {
    let Job { folder, name, tasks, chunk, array, .. } = job;
    let (threads, device) = (array.threads, &array.device);
    let limit = array.limit.map_or(*tasks, NonZeroUsize::get);
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
          command: ["losscape", "study", "run", {word}, "--index", "$(JOB_COMPLETION_INDEX)", "--chunk", "{chunk}",
                    "--jobs", "1", "--threads", "{threads}", "--device", {device}]
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
    job.write("job.yaml", &manifest)
}

/// The command that applies a manifest.
#[must_use]
pub fn command(manifest: &Path) -> String {
    format!("kubectl apply -f {}", quoted(manifest))
}
