"""``python -m losscape``: the ``losscape`` command."""

from ._command import run

run()
