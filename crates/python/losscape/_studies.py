"""Studies: many runs that differ in chosen settings, measured alike."""

from __future__ import annotations

import json
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

from . import _losscape
from ._losscape import Error
from ._objective import Notice
from ._runs import Run
from ._tables import Table


class Study:
    """A study of a configuration file with a ``[study]`` table, or the folder of one that was planned.

    A file is planned; where it has grown since, the study grows.
    """

    def __init__(self, study: str | Path, *, out: str | Path = "studies") -> None:
        study = Path(study)
        if study.is_dir():
            self.path = study
            """Its folder."""
        else:
            self.path, notices = _losscape.plan_study(study, Path(out))
            for notice in notices:
                warnings.warn(notice, Notice, stacklevel=2)

    def run(self, *, jobs: int | None = None, threads: int = 1, quiet: bool = False) -> Study:
        """Does the runs that are missing, ``jobs`` processes at a time, and writes table and page.

        The command shows its own progress. Ctrl-C stops the runs with checkpoints; calling again goes on.
        """
        command = [sys.executable, "-m", "losscape", "study", "run", str(self.path), "--threads", str(threads)]
        command += [] if jobs is None else ["--jobs", str(jobs)]
        result = subprocess.run(
            command, check=False, stdout=subprocess.PIPE if quiet else None, stderr=subprocess.PIPE if quiet else None
        )
        if result.returncode == 75:
            raise Error("some runs are not done: they were stopped, or another process does them; run() goes on")
        if result.returncode not in (0, 1):
            words = (result.stderr or b"").decode(errors="replace").strip()
            raise Error(f"the study ended with code {result.returncode}{': ' + words if words else ''}")
        return self

    @property
    def runs(self) -> Table:
        """Its runs: settings, folder, state."""
        runs = json.loads(_losscape.study_runs(self.path))
        columns = {name: [run[name] for run in runs] for name in ["index", "folder", "state"]}
        return Table({**columns, "set": [" ".join(run["set"]) for run in runs]})

    def open(self, index: int) -> Run:
        """The run of this index in the plan."""
        return Run(self.runs["folder"][index])

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
