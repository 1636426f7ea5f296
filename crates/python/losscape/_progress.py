"""How far work is: a function of the caller, or a bar of tqdm."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Progress = bool | None | Callable[[str, int, int], object]


class _Bar:
    """A bar of tqdm that begins anew where something else is done."""

    def __init__(self, tqdm: Any) -> None:
        self._tqdm = tqdm
        self._bar: Any = None
        self._key: tuple[str, int] | None = None

    def __call__(self, what: str, done: int, parts: int) -> None:
        words = what.split(" ")[0] if what.startswith("loss ") else what
        if (words, parts) != self._key:
            self.close()
            self._bar, self._key = self._tqdm(total=parts or None, leave=False), (words, parts)
        self._bar.set_description(what, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


class shown:
    """Within it, a function that takes what is done, or none."""

    def __init__(self, progress: Progress) -> None:
        self._close: Callable[[], None] | None = None
        self._function: Callable[[str, int, int], object] | None = None
        if progress is True:
            try:
                from tqdm.auto import tqdm
            except ImportError:
                return
            bar = _Bar(tqdm)
            self._function, self._close = bar, bar.close
        elif callable(progress):
            self._function = progress

    def __enter__(self) -> Callable[[str, int, int], object] | None:
        return self._function

    def __exit__(self, *_: object) -> None:
        if self._close is not None:
            self._close()
