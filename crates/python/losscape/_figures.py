"""Figures."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Figure:
    """A figure, and what to read from it. A notebook shows it.

    >>> Figure("loss", "Loss", "It falls.", "<svg></svg>")
    Figure('loss': Loss)
    """

    name: str
    """Its name among the figures of one page."""
    title: str
    """Its heading."""
    reading: str
    """What to read from it, in a sentence."""
    svg: str
    """The drawing, an SVG element."""

    def save(self, path: str | Path) -> Path:
        """Writes the drawing to a file ``.svg``."""
        path = Path(path)
        path.write_text(self.svg, encoding="utf-8")
        return path

    def __repr__(self) -> str:
        return f"Figure({self.name!r}: {self.title})"

    def _repr_html_(self) -> str:
        return (
            '<figure style="margin: 0; padding: 10px 12px; background: #fff; color: #1b2733; border-radius: 6px; '
            f'max-width: 560px"><b style="display: block">{html.escape(self.title)}</b>{self.svg}'
            f'<figcaption style="font-size: .8rem; opacity: .75">{html.escape(self.reading)}</figcaption></figure>'
        )


def named(figures: list[tuple[str, str, str, str]], name: str) -> Figure:
    """The figure of a name; ``KeyError`` says which there are."""
    for figure in figures:
        if figure[0] == name:
            return Figure(*figure)
    raise KeyError(f"no figure {name!r}; there are {', '.join(figure[0] for figure in figures) or 'none'}")
