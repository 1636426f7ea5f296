"""The loss of a network on data."""

import json
import warnings

import numpy as np
import pytest

import losscape
from losscape import Error


def differences(objective: losscape.Objective, w: np.ndarray) -> np.ndarray:
    steps = 1e-5 * np.eye(len(w))
    return np.array([(objective.value(w + h) - objective.value(w - h)) / 2e-5 for h in steps])


def test_derivatives_are_those_of_the_value(objective: losscape.Objective) -> None:
    w = objective.parameters()
    np.testing.assert_allclose(objective.gradient(), differences(objective, w), atol=1e-8)
    hessian = objective.hessian().to_dense()
    steps = 1e-5 * np.eye(len(w))
    columns = [(objective.gradient(w + h) - objective.gradient(w - h)) / 2e-5 for h in steps]
    np.testing.assert_allclose(hessian, np.array(columns), atol=1e-8)
    np.testing.assert_allclose(
        objective.gauss_newton().to_dense() + objective.residual().to_dense(), hessian, atol=1e-12
    )


def test_the_kernel_is_that_of_the_jacobian(objective: losscape.Objective) -> None:
    w, n = objective.parameters(), objective.samples
    steps = 1e-6 * np.eye(len(w))
    jacobian = np.array(
        [(objective.at(w + h).predictions() - objective.at(w - h).predictions())[:, 0] / 2e-6 for h in steps]
    ).T
    np.testing.assert_allclose(objective.kernel(), jacobian @ jacobian.T / n, atol=1e-8)
    np.testing.assert_allclose(objective.ntk().to_dense(), objective.kernel(), atol=1e-12)


def test_parameters_go_by_name(objective: losscape.Objective) -> None:
    named = objective.named_parameters()
    w = objective.parameters()
    assert sum(part.size for part in named.values()) == len(w)
    assert objective.value({name: 2 * part for name, part in named.items()}) == objective.value(2 * w)
    other = objective.at(2 * w)
    assert other.value() == objective.value(2 * w) != objective.value()
    np.testing.assert_array_equal(other.parameters(), 2 * w)
    first = next(iter(named))
    with pytest.raises(Error, match="not given"):
        objective.value({name: part for name, part in named.items() if name != first})
    with pytest.raises(Error, match="not trained here: running_mean"):
        objective.value({**named, "running_mean": np.zeros(3)})
    with pytest.raises(Error, match="shape"):
        objective.value({**named, first: np.zeros(1000)})
    with pytest.raises(Error, match="shape"):
        objective.value(np.zeros(3))


def test_operators_meet_scipy(objective: losscape.Objective) -> None:
    linalg = pytest.importorskip("scipy.sparse.linalg")
    hessian = objective.hessian()
    dense = hessian.to_dense()
    largest = linalg.eigsh(hessian.to_scipy(), k=1, which="LA", return_eigenvectors=False)
    np.testing.assert_allclose(largest, np.linalg.eigvalsh(dense)[-1], rtol=1e-9)
    found = hessian.eigenpairs(k=2, tolerance=1e-8)
    np.testing.assert_allclose(found.values, np.linalg.eigvalsh(dense)[::-1][:2], rtol=1e-9)
    v = np.arange(len(dense), dtype=float)
    np.testing.assert_allclose(hessian @ v, dense @ v, atol=1e-12)
    np.testing.assert_allclose(hessian @ np.stack([v, -v], 1), dense @ np.stack([v, -v], 1), atol=1e-12)
    with pytest.raises(Error, match="dimension"):
        hessian @ v[1:]


def test_measures_are_those_of_the_command(objective: losscape.Objective) -> None:
    measured = objective.measure()
    dense = np.linalg.eigvalsh(objective.hessian().to_dense())
    assert measured.hessian["top"][0]["value"] == pytest.approx(dense[-1], rel=1e-9)
    assert measured["ntk"]["max"]["value"] == pytest.approx(np.linalg.eigvalsh(objective.kernel())[-1], rel=1e-9)
    assert measured.arrays and measured.figures
    assert json.dumps(measured.to_dict())
    html = measured._repr_html_()
    assert "<table>" in html and "<svg" in html and "<html" not in html
    assert "Hessian" in repr(measured)
    with pytest.raises(Error, match="unknown measure `curl`; known are hessian"):
        objective.measure("curl")
    with pytest.raises(AttributeError, match="no section"):
        _ = measured.curl


def test_steps_have_an_edge(objective: losscape.Objective) -> None:
    bounds = objective.step_bounds({"name": "momentum", "learning_rate": 0.1, "momentum": 0.9})["bounds"]
    assert bounds["edge"]["edge"] == pytest.approx((2 + 2 * 0.9) / 0.1)
    assert bounds["edge"]["ratio"] == pytest.approx(bounds["beta"]["value"] / 38)
    shown = objective.step_bounds({"name": "gd", "learning_rate": 0.1})
    assert "edge" in repr(shown) and "edge" in shown._repr_html_()
    with pytest.raises(Error, match="state of the optimizer"):
        objective.step_bounds({"name": "adam", "learning_rate": 0.1})
    with pytest.raises(Error, match="unknown"):
        objective.step_bounds({"name": "sgdd", "learning_rate": 0.1})


def test_modes_and_types_are_said() -> None:
    x, y = np.random.default_rng(0).standard_normal((12, 3)), np.arange(12) % 3
    single = losscape.Objective.mlp(x, y, hidden=[4], precision="f32")
    assert single.hessian().dtype == np.float32 and single.parameters().dtype == np.float32
    double = losscape.Objective.mlp(x, y, hidden=[4])
    assert single.value() == pytest.approx(double.value(), rel=1e-5)
    assert "f32" in repr(single)
    for settings, words in [
        ({"mode": "train"}, "mode is"),
        ({"precision": "f16"}, "precision is"),
        ({"loss": "l2"}, "l2"),
    ]:
        with pytest.raises(Error, match=words):
            losscape.Objective.mlp(x, y, hidden=[4], **settings)
    with pytest.raises(Error, match="samples|rows|targets"):
        losscape.Objective.mlp(x, y[:5], hidden=[4])


def test_every_public_name_has_an_example() -> None:
    for name in set(losscape.__all__) - {"Error", "InternalError", "__version__"}:
        assert ">>>" in (getattr(losscape, name).__doc__ or ""), name


def test_what_may_be_meant_otherwise_is_a_warning() -> None:
    x = np.random.default_rng(0).standard_normal((8, 2))
    with pytest.warns(losscape.Notice, match="label"):
        losscape.Objective.mlp(x, np.array([0, 1, 0, 3, 0, 1, 0, 3]), hidden=[3])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        losscape.Objective.mlp(x, np.array([0, 1, 0, 1, 0, 1, 0, 1]), hidden=[3])
