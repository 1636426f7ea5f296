"""What was understood in a way that a user should know of."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterable
from pathlib import Path

_HERE = str(Path(__file__).parent)


class Notice(UserWarning):
    """What was understood in a way that you should know of.

    >>> import numpy as np, pytest, losscape
    >>> with pytest.warns(Notice, match="of the outputs"):
    ...     _ = losscape.Objective.mlp(np.eye(4), [1, 2, 4, 4], hidden=[2])
    """


def tell(notices: Iterable[str]) -> None:
    """Warns where the package was called from."""
    level, frame = 2, sys._getframe(1)
    while frame.f_back is not None and frame.f_code.co_filename.startswith(_HERE):
        level, frame = level + 1, frame.f_back
    for notice in notices:
        warnings.warn(notice, Notice, stacklevel=level)
