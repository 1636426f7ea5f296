"""Training, and the folders that it leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from . import _losscape
from ._figures import Figure, named
from ._losscape import Error
from ._notices import tell
from ._objective import Objective
from ._progress import Progress, shown
from ._tables import Table
from ._toml import document, override


def train(
    config: str | Path | Mapping[str, Any],
    *,
    set: Mapping[str, Any] | None = None,
    out: str | Path = "runs",
    name: str | None = None,
    memory: int | None = None,
    fresh: bool = False,
    extend: str | Path | None = None,
    progress: Progress = None,
    **overrides: Any,
) -> Run:
    """Trains what a configuration says, a file or a dictionary of its tables, and gives the run.

    ``set={"optimizer.learning_rate": 0.02}`` or ``optimizer__learning_rate=0.02`` change keys of it. A run that was
    interrupted goes on from its checkpoint when it is called again, and one that has ended is given as it is;
    ``fresh=True`` begins anew. Relative paths in a dictionary start at the working directory.

    ``name`` is the first part of the folder's name, that of the file unless given. Ctrl-C ends it behind the step that
    is being made.

    A run that diverges is a result: ``run.state`` is ``"diverged"``.

    >>> import tempfile
    >>> config = {
    ...     "data": {"name": "digits"},
    ...     "model": {"name": "mlp", "hidden": [4]},
    ...     "loss": {"name": "cross-entropy"},
    ...     "optimizer": {"name": "gd", "learning_rate": 0.1},
    ...     "training": {"batch_size": 64, "steps": 3},
    ... }
    >>> train(config, out=tempfile.mkdtemp(), optimizer__learning_rate=0.2).state
    'done'
    """
    if isinstance(config, Mapping):
        text, file, folder = document(config), "config", Path.cwd()
    else:
        path = Path(config)
        try:
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise Error(f"cannot read {path}: {error}") from error
        file, folder = str(path), path.resolve().parent
        name = path.stem if name is None else name
    settings = dict(set or {})
    for key, value in overrides.items():
        key = key.replace("__", ".")
        if key in settings:
            raise Error(f"{key} is set twice")
        settings[key] = value
    with shown(progress) as told:
        made, notices = _losscape.train(
            text,
            file=file,
            folder=folder,
            name=name or "run",
            set=[override(key, value) for key, value in settings.items()],
            out=Path(out),
            memory=memory,
            fresh=fresh,
            extend=None if extend is None else Path(extend),
            progress=told,
        )
    tell(notices)
    return Run(made)


class Run:
    """A run by its folder: records, figures, the network it ended in.

    >>> import tempfile
    >>> config = {
    ...     "data": {"name": "digits"},
    ...     "model": {"name": "mlp", "hidden": [4]},
    ...     "loss": {"name": "cross-entropy"},
    ...     "optimizer": {"name": "gd", "learning_rate": 0.1},
    ...     "training": {"batch_size": 64, "steps": 3},
    ... }
    >>> run = Run(train(config, out=tempfile.mkdtemp()).path)
    >>> run.summary["steps"], "loss" in run.metrics
    (3, True)
    """

    def __init__(self, folder: str | Path) -> None:
        self.path = Path(folder)
        """Its folder."""
        self._records: dict[str, Any] = json.loads(_losscape.run_records(self.path))

    @property
    def state(self) -> str:
        """``done``, ``diverged``, ``interrupted``, ``failed`` or ``running``."""
        return str(self._records["status"]["state"])

    @property
    def summary(self) -> dict[str, Any]:
        """Losses, accuracies, times; empty where it has not ended."""
        return dict(self._records["summary"] or {})

    @property
    def manifest(self) -> dict[str, Any]:
        """Where it comes from: versions, seed, device, digests."""
        return dict(self._records["manifest"])

    @property
    def config(self) -> str:
        """Its configuration with all defaults, as text."""
        return str(self._records["config"])

    @property
    def analysis(self) -> dict[str, Any]:
        """What ``losscape analyze`` measured of it; empty where it was not."""
        return dict(self._records["analysis"] or {})

    @property
    def flows(self) -> dict[str, Any]:
        """How the flows of ``[flow]`` did, by name: their ``errors``, or where and why they ``ended``; empty without."""
        return dict((self._records["flows"] or {}).get("flows", {}))

    @property
    def metrics(self) -> Table:
        """Records along training, a row each; ``split`` is ``batch``, ``train`` or ``test``, and what ``[track]`` and
        ``[flow]`` measured has columns of its own, in rows of ``track`` and ``flow``."""
        rows = []
        for record in self._records["metrics"]:
            tracked = record.pop("tracked", None) or {}
            rows.append({**record, **tracked})
            record["tracked"] = tracked
        names = list(dict.fromkeys(name for row in rows for name in row))
        return Table({name: [row.get(name) for row in rows] for name in names})

    @property
    def figures(self) -> list[Figure]:
        """Its figures."""
        return [Figure(*figure) for figure in _losscape.run_figures(self.path)]

    def figure(self, name: str) -> Figure:
        """The figure of a name: ``loss``, ``accuracy``, ``sharpness``, …"""
        return named(_losscape.run_figures(self.path), name)

    def objective(self, **settings: Any) -> Objective:
        """The loss at what it ended in; see :meth:`Objective.from_run`."""
        return Objective.from_run(self.path, **settings)

    def __repr__(self) -> str:
        loss = self.summary.get("train_loss")
        words = "" if loss is None else f", train loss {loss:.4g}"
        return f"Run({str(self.path)!r}: {self.state}{words})"

    def _repr_html_(self) -> str:
        import html

        figures = "".join(figure._repr_html_() for figure in self.figures[:2])
        return f"<p>{html.escape(repr(self))}</p>{figures}"
