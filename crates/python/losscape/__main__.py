"""The ``losscape`` command."""

import signal
import sys

from ._losscape import main


def run() -> None:
    """Does what the command line says, as the program written in Rust does."""
    # The command takes signals itself.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    sys.exit(main(["losscape", *sys.argv[1:]], sys.executable))


if __name__ == "__main__":
    run()
