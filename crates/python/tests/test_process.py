"""What happens to the process: interrupts, forks, faults."""

import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest


def python(script: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(script)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def interrupted(script: str) -> tuple[float, str, int]:
    """Seconds from Ctrl-C to what follows it, what was printed, the exit code."""
    process = python(script)
    assert process.stdout is not None
    assert process.stdout.readline() == "begin\n"
    time.sleep(1.5)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    assert process.stdout.readline() == "interrupted\n", process.stderr.read() if process.stderr else ""
    seconds = time.monotonic() - start
    # What was left behind has the threads until its next product.
    rest, _ = process.communicate(timeout=240)
    return seconds, rest, process.returncode


WIDE = """
    import numpy as np, losscape
    x = np.random.default_rng(0).standard_normal((1200, 50))
    objective = losscape.Objective.mlp(x, np.arange(1200) % 10, hidden=[400, 400])
    print("begin")
    try:
        {work}
    except KeyboardInterrupt:
        print("interrupted")
    print(round(float(losscape.eigenpairs(np.eye(5), k=1).values[0]), 9))
"""


@pytest.mark.parametrize("work", ["objective.measure()", "objective.kernel()", "objective.spectrum(tolerance=1e-12)"])
def test_ctrl_c_is_heard_while_rust_works(work: str) -> None:
    seconds, rest, code = interrupted(WIDE.format(work=work))
    # Within a second where the machine has nothing else to do; the work takes minutes.
    assert seconds < 10, seconds
    assert rest == "1.0\n" and code == 0


def test_ctrl_c_in_a_product() -> None:
    seconds, _, code = interrupted(
        """
        import time, losscape
        print("begin")
        try:
            slow = lambda v: (time.sleep(0.05), v * range(1, 5001))[1]
            losscape.eigenpairs(slow, 5000, k=5, tolerance=1e-14, check=False)
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert seconds < 10 and code == 0


def test_ctrl_c_leaves_a_checkpoint(tmp_path: Path) -> None:
    seconds, rest, code = interrupted(
        f"""
        import losscape, glob
        config = dict(data=dict(name="digits"), model=dict(name="mlp", hidden=[64]), loss=dict(name="cross-entropy"),
            optimizer=dict(name="gd", learning_rate=1e-3), training=dict(batch_size=64, steps=10**7))
        print("begin")
        try:
            losscape.train(config, out={str(tmp_path)!r})
        except KeyboardInterrupt:
            print("interrupted")
        run = losscape.Run(glob.glob({str(tmp_path)!r} + "/*")[0])
        print(run.state, run.objective().value() > 0)
        """
    )
    assert seconds < 10 and rest == "interrupted True\n" and code == 0


def test_a_forked_process_says_so_or_works() -> None:
    script = """
        import os, numpy as np, losscape
        {before}
        child = os.fork()
        if child == 0:
            try:
                print(round(float(losscape.eigenpairs(np.eye(5), k=1).values[0]), 9))
            except losscape.Error as error:
                print(error)
            os._exit(0)
        os.waitpid(child, 0)
        print(round(float(losscape.eigenpairs(np.eye(5), k=1).values[0]), 9))
    """
    fresh, _ = python(script.format(before="")).communicate(timeout=60)
    assert fresh == "1.0\n1.0\n"
    used, _ = python(script.format(before="losscape.eigenpairs(np.eye(5), k=1)")).communicate(timeout=60)
    assert "forked" in used and used.endswith("1.0\n")


def test_a_fault_of_rust_is_an_exception() -> None:
    """A vector of another length gets past the checks in Python only by the private part, which panics."""
    import numpy as np

    import losscape
    from losscape import InternalError

    x = np.linspace(-1, 1, 8).reshape(-1, 1)
    objective = losscape.Objective.mlp(x, x[:, 0], hidden=[3], loss="squared-error")
    with pytest.raises(InternalError, match="please report"):
        objective._objective.operator("hessian").matvec(np.zeros(3))
    assert objective.value() > 0


def test_memory_is_given_back() -> None:
    """A thousand objectives leave no more behind than a few."""
    import numpy as np

    import losscape

    def resident() -> int:
        return int(Path(f"/proc/{os.getpid()}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    x = np.random.default_rng(0).standard_normal((200, 50))

    def measured() -> None:
        losscape.Objective.mlp(x, np.arange(200) % 10, hidden=[50]).hessian().eigenpairs(k=1)

    [measured() for _ in range(20)]
    before = resident()
    [measured() for _ in range(60)]
    assert resident() - before < 40 << 20
