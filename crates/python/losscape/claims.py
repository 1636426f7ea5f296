"""Statements of optimization theory, put to a measurement.

>>> import losscape
>>> "pl-star" in [claim["id"] for claim in losscape.claims.list()]
True
"""

from __future__ import annotations

import builtins
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, overload

from . import _losscape
from ._progress import Progress, shown


@dataclass(frozen=True)
class Claim:
    """A claim with what was measured and what follows."""

    id: str
    """Its name."""
    verdict: str
    """What the evidence says: ``holds``, ``holds as corrected``, ``supported``, ``violated``, ``inconclusive``, …"""
    as_expected: bool
    """Whether theory expects that."""
    printed: str
    """The statement as printed, in words and LaTeX."""
    exact: str
    """What is exactly true."""
    source: str
    """Where it comes from."""
    seconds: float
    """How long it took."""
    error: str | None
    """What stopped it, if something did."""
    evidence: dict[str, Any] = field(repr=False)
    """Everything measured."""

    def to_dict(self) -> dict[str, Any]:
        """Everything."""
        return dict(self.__dict__)


class Claims(Sequence[Claim]):
    """Claims that were measured."""

    def __init__(self, claims: builtins.list[Claim], text: str, report: Path | None) -> None:
        self._claims, self._text = claims, text
        self.report = report
        """Their page with evidence and figures, where a folder was named."""

    @overload
    def __getitem__(self, at: int | str) -> Claim: ...

    @overload
    def __getitem__(self, at: slice) -> Sequence[Claim]: ...

    def __getitem__(self, at: int | str | slice) -> Claim | Sequence[Claim]:
        if isinstance(at, str):
            for claim in self._claims:
                if claim.id == at:
                    return claim
            raise KeyError(at)
        return self._claims[at]

    def __len__(self) -> int:
        return len(self._claims)

    def __repr__(self) -> str:
        return self._text


def list() -> builtins.list[dict[str, str]]:
    """The claims: id, family, what theory expects, source, the statement as printed and as it is exact."""
    return builtins.list(json.loads(_losscape.list_claims()))


def run(
    ids: Sequence[str] | str | None = None,
    *,
    full: bool = False,
    seed: int = 0,
    out: str | Path | None = None,
    fresh: bool = False,
    progress: Progress = None,
) -> Claims:
    """Measures claims, or all where none are named; ``full=True`` spends many times as long.

    With ``out`` evidence and a page are kept there, and what it has already is not measured again. Ctrl-C gives Python
    back at once; the claim that is being measured ends beside it.
    """
    if isinstance(ids, str):
        ids = [ids]
    with tempfile.TemporaryDirectory() as place, shown(progress) as told:
        folder = Path(place) if out is None else Path(out)
        records, text = _losscape.run_claims(
            None if ids is None else builtins.list(ids), full=full, seed=seed, out=folder, fresh=fresh, progress=told
        )
    claims = [
        Claim(
            id=record["id"],
            verdict=record["verdict_words"],
            as_expected=record["as_expected"],
            printed=record["printed"],
            exact=record["exact"],
            source=record["source"],
            seconds=record["seconds"],
            error=record.get("error"),
            evidence=record["evidence"],
        )
        for record in json.loads(records)
    ]
    return Claims(claims, text, None if out is None else folder / "report.html")
