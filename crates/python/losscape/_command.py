"""The ``losscape`` command."""

import signal
import sys
from pathlib import Path

from ._losscape import main

_PLACE = str(Path(__file__).resolve().parent.parent)
START = ["-c", f"import sys; sys.path.insert(0, {_PLACE!r}); from losscape._command import run; run()"]
"""What the interpreter is given to start the command: this package, and not one that lies in the working directory."""


def run() -> None:
    """Does what the command line says, as the program written in Rust does."""
    # The command takes signals itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(["losscape", *sys.argv[1:]], sys.executable, START))
