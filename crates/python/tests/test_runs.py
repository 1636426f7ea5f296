"""Training, studies, claims, the command."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import losscape
from losscape import Error

CONFIG = {
    "data": {"name": "digits"},
    "model": {"name": "mlp", "hidden": [8]},
    "loss": {"name": "cross-entropy"},
    "optimizer": {"name": "momentum", "learning_rate": 0.05, "momentum": 0.9},
    "training": {"batch_size": 64, "steps": 40},
}


def test_a_run_is_trained_and_read(tmp_path: Path) -> None:
    told: list[int] = []
    run = losscape.train(CONFIG, out=tmp_path, training__log_every=10, progress=lambda _, done, __: told.append(done))
    assert run.state == "done" and run.summary["steps"] == 40
    assert told[-1] == 40
    batch = run.metrics["split"] == "batch"
    assert run.metrics["loss"][batch].shape == run.metrics["step"][batch].shape
    assert run.figure("loss").svg.startswith("<svg")
    with pytest.raises(KeyError, match="there are loss"):
        run.figure("curl")
    objective = run.objective()
    assert objective.value() == pytest.approx(run.summary["train_loss"], rel=1e-5)
    assert objective.step_bounds()["bounds"]["edge"]["edge"] > 0
    with pytest.raises(Error, match="twice"):
        losscape.train(CONFIG, out=tmp_path, set={"training.log_every": 1}, training__log_every=10)
    # The same command finds its run again, another its own.
    assert losscape.train(CONFIG, out=tmp_path, training__log_every=10).path == run.path
    assert losscape.train(CONFIG, out=tmp_path, seed=5).path != run.path
    assert losscape.Run(run.path).summary == run.summary
    for frame, rows in [("to_pandas", len(run.metrics["step"])), ("to_polars", len(run.metrics["step"]))]:
        pytest.importorskip(frame[3:])
        assert len(getattr(run.metrics, frame)()) == rows


def test_the_average_of_a_runs_weights_is_an_objective(tmp_path: Path) -> None:
    run = losscape.train({**CONFIG, "average": {"name": "ema", "decay": 0.9}}, out=tmp_path)
    averaged = run.objective(average=True)
    assert averaged.value() == pytest.approx(run.summary["average_train_loss"], rel=1e-5)
    assert averaged.value() != pytest.approx(run.objective().value(), rel=1e-5)
    with pytest.raises(Error, match="keeps no average"):
        losscape.train(CONFIG, out=tmp_path).objective(average=True)


def test_flows_are_followed_beside_a_run(tmp_path: Path) -> None:
    flowing = {
        **CONFIG,
        "optimizer": {"name": "gd", "learning_rate": 0.01},
        "training": {"batch_size": "full", "steps": 40},
        "flow": {"every": 5, "flows": ["stable", "edge"]},
    }
    run = losscape.train(flowing, out=tmp_path)
    assert set(run.flows) == {"stable", "edge"}
    # Far below the edge both are gradient flow, near which small steps are.
    assert all(flow["errors"]["loss"] < 0.05 for flow in run.flows.values())
    looks = run.metrics["split"] == "flow"
    assert list(run.metrics["step"][looks]) == list(range(0, 40, 5))
    assert run.figure("flow-sharpness").svg.startswith("<svg")
    assert losscape.train(CONFIG, out=tmp_path).flows == {}


def test_bad_configurations_say_where(tmp_path: Path) -> None:
    with pytest.raises(Error, match="unknown field `hiden`|hiden"):
        losscape.train({**CONFIG, "model": {"name": "mlp", "hiden": [8]}}, out=tmp_path)
    with pytest.raises(Error, match="cannot read"):
        losscape.train(tmp_path / "none.toml")
    with pytest.raises(Error):
        losscape.Run(tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_is_a_result(tmp_path: Path) -> None:
    run = losscape.train({**CONFIG, "loss": {"name": "squared-error"}}, out=tmp_path, optimizer__learning_rate=1e6)
    assert run.state == "diverged"


def test_a_study_is_run_and_read(tmp_path: Path) -> None:
    from losscape._toml import document

    study = {"axes": {"optimizer.learning_rate": [0.01, 0.1], "seed": [0, 1]}, "measures": ["hessian"]}
    file = tmp_path / "rates.toml"
    file.write_text(document({**CONFIG, "study": study}))
    study = losscape.Study(file, out=tmp_path / "studies")
    assert study.runs["state"].tolist() == ["planned"] * 4 or len(study.runs["state"]) == 4
    study.run(jobs=2, quiet=True)
    assert study.runs["state"].tolist() == ["done"] * 4
    table = study.table
    assert np.isfinite(table["hessian_max"]).all() and len(table.rows()) == 4
    assert study.results.exists() and study.report.exists()
    assert study.open(0).state == "done"
    assert study.findings()
    assert "4 done" in repr(losscape.Study(study.path))
    with pytest.raises(Error, match="no run 4"):
        study.open(4)
    with pytest.raises(Error):
        losscape.Study(tmp_path)


def test_a_study_whose_runs_fail_says_so(tmp_path: Path) -> None:
    from losscape._toml import document

    np.savez(tmp_path / "d.npz", x=np.eye(10), y=np.arange(10) % 2)
    file = tmp_path / "gone.toml"
    small = {"data": {"name": "npz", "path": "d.npz"}, "training": {"batch_size": "full", "steps": 10}}
    file.write_text(document({**CONFIG, **small, "study": {"axes": {"seed": [0, 1]}}}))
    study = losscape.Study(file, out=tmp_path / "studies")
    (tmp_path / "d.npz").unlink()
    with pytest.warns(losscape.Notice, match="2 of 2 runs failed"):
        study.run(quiet=True)


def test_what_lies_in_the_working_directory_is_not_the_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from losscape._toml import document

    file = tmp_path / "one.toml"
    file.write_text(document({**CONFIG, "study": {"axes": {"seed": [0]}}}))
    (tmp_path / "losscape").mkdir()
    (tmp_path / "losscape" / "__init__.py").write_text("")
    monkeypatch.chdir(tmp_path)
    assert losscape.Study("one.toml").run(quiet=True).runs["state"].tolist() == ["done"]


def test_claims_are_measured(tmp_path: Path) -> None:
    found = losscape.claims.run(["momentum-average", "step-bound"], out=tmp_path)
    assert found["step-bound"].as_expected and found.report.exists()
    assert "step-bound" in repr(found)
    with pytest.raises(Error, match="unknown claim `flat-earth`"):
        losscape.claims.run("flat-earth")


def command(*arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "losscape", *arguments], check=False, capture_output=True, text=True)


def test_the_command_is_there() -> None:
    shown = command("list", "measures")
    assert shown.returncode == 0 and "hessian" in shown.stdout
    refused = command("train", "none.toml")
    assert refused.returncode == 2 and "cannot read none.toml" in refused.stderr.replace("\n", " ")
    assert command("--version").stdout.startswith("losscape ")
