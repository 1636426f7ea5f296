"""Tables: columns by name."""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np


def column(values: list[Any]) -> np.ndarray:
    """An array of the values: floats with NaN for what is absent, or objects where they are words."""
    present = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in present) and present:
        return np.array(values, dtype=bool if len(present) == len(values) else object)
    whole = all(isinstance(value, int) and abs(value) < 2**63 for value in present)
    if whole and len(present) == len(values):
        return np.array(values, dtype=np.int64)
    if all(isinstance(value, (int, float)) for value in present):
        return np.array([np.nan if value is None else value for value in values], dtype=np.float64)
    return np.array(values, dtype=object)


class Table(Mapping[str, np.ndarray]):
    """Columns by name, each an array. ``pandas.DataFrame(table)`` and ``polars.DataFrame(dict(table))`` take it.

    >>> table = Table({"step": [1, 2], "loss": [0.5, None]})
    >>> table["loss"]
    array([0.5, nan])
    >>> len(table.rows())
    2
    """

    def __init__(self, columns: Mapping[str, list[Any]]) -> None:
        self._values = {name: list(values) for name, values in columns.items()}
        self._columns = {name: column(values) for name, values in self._values.items()}

    def __getitem__(self, name: str) -> np.ndarray:
        if name not in self._columns:
            raise KeyError(f"no column {name!r}; there are {', '.join(self._columns)}")
        return self._columns[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def rows(self) -> list[dict[str, Any]]:
        """The rows, each a dictionary."""
        return [dict(zip(self._columns, row)) for row in zip(*(values.tolist() for values in self._columns.values()))]

    def to_pandas(self) -> Any:
        """A ``pandas.DataFrame``."""
        import pandas

        return pandas.DataFrame(self._columns)

    def to_polars(self) -> Any:
        """A ``polars.DataFrame``; what is absent is null."""
        import polars

        return polars.DataFrame(self._values, strict=False, infer_schema_length=None)

    def __repr__(self) -> str:
        rows = len(next(iter(self._columns.values()), []))
        return f"Table({rows} rows: {', '.join(self._columns)})"

    def _repr_html_(self) -> str:
        rows = self.rows()
        head = "".join(f"<th>{html.escape(name)}</th>" for name in self._columns)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(_cell(value))}</td>" for value in row.values()) + "</tr>"
            for row in rows[:20]
        )
        more = f"<p>{len(rows)} rows</p>" if len(rows) > 20 else ""
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> str:
    return f"{value:.5g}" if isinstance(value, float) else str(value)
