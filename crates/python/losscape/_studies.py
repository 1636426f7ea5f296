"""Studies: many runs that differ in chosen settings, measured alike."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from . import _losscape
from ._command import START
from ._losscape import Error
from ._notices import tell
from ._runs import Run
from ._tables import Table


class Study:
    """A study of a configuration file with a ``[study]`` table, or the folder of one that was planned.

    A file is planned; where it has grown since, the study grows.

    >>> import tempfile
    >>> place = Path(tempfile.mkdtemp())
    >>> file = place / "seeds.toml"
    >>> _ = file.write_text('''
    ... data.name = "digits"
    ... model = { name = "mlp", hidden = [4] }
    ... loss.name = "cross-entropy"
    ... optimizer = { name = "gd", learning_rate = 0.1 }
    ... training = { batch_size = 64, steps = 3 }
    ... study.axes.seed = [0, 1]
    ... ''')
    >>> study = Study(file, out=place / "studies").run(jobs=1, quiet=True)
    >>> study.table["seed"].tolist(), study.runs["state"].tolist()
    ([0, 1], ['done', 'done'])
    """

    def __init__(self, study: str | Path, *, out: str | Path = "studies") -> None:
        study = Path(study)
        if study.is_dir():
            self.path = study
            """Its folder."""
            _losscape.study_runs(study)
        else:
            self.path, notices = _losscape.plan_study(study, Path(out))
            tell(notices)

    def run(self, *, jobs: int | None = None, threads: int = 1, quiet: bool = False) -> Study:
        """Does the runs that are missing, ``jobs`` processes at a time, and writes table and page.

        The command shows its own progress. Ctrl-C stops the runs with checkpoints; calling again goes on.
        """
        command = [sys.executable, *START, "study", "run", str(self.path), "--threads", str(threads)]
        command += [] if jobs is None else ["--jobs", str(jobs)]
        pipe = subprocess.PIPE if quiet else None
        with subprocess.Popen(command, stdout=pipe, stderr=pipe) as process:
            try:
                _, said = process.communicate()
            except KeyboardInterrupt:
                # The runs write checkpoints.
                process.terminate()
                process.communicate()
                raise
        states = self.runs["state"].tolist()
        words = (said or b"").decode(errors="replace").strip()
        if process.returncode not in (0, 1) or not set(states) <= {"done", "diverged", "failed"}:
            raise Error(f"some runs are not done; run() goes on{': ' + words if words else ''}")
        if "failed" in states:
            tell([f"{states.count('failed')} of {len(states)} runs failed; losscape study status {self.path} says why"])
        return self

    @property
    def runs(self) -> Table:
        """Its runs: settings, folder, state."""
        runs = json.loads(_losscape.study_runs(self.path))
        columns = {name: [run[name] for run in runs] for name in ["index", "folder", "state"]}
        return Table({**columns, "set": [" ".join(run["set"]) for run in runs]})

    def open(self, index: int) -> Run:
        """The run of this index in the plan."""
        folders = self.runs["folder"]
        if not 0 <= index < len(folders):
            raise Error(f"there is no run {index}: {len(folders)} are planned")
        return Run(folders[index])

    @property
    def table(self) -> Table:
        """One row a run that has a result: configuration, training, measures."""
        record = json.loads(_losscape.study_table(self.path))
        return Table(dict(record["columns"]))

    @property
    def results(self) -> Path:
        """The file ``results.parquet`` that :meth:`run` leaves, for ``polars.read_parquet``."""
        return self.path / "results.parquet"

    @property
    def report(self) -> Path:
        """Its page."""
        return self.path / "report.html"

    def findings(self, *, seed: int = 0) -> dict[str, Any]:
        """Which measure goes with which outcome, with intervals from resamples under a seed."""
        return dict(json.loads(_losscape.study_findings(self.path, seed)[0]))

    def __repr__(self) -> str:
        states = self.runs["state"].tolist()
        counts = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
        return f"Study({str(self.path)!r}: {counts})"
