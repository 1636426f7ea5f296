"""What tests share."""

import numpy as np
import pytest

import losscape


@pytest.fixture
def objective() -> losscape.Objective:
    """A small perceptron on a curve."""
    x = np.linspace(-1, 1, 24).reshape(-1, 1)
    return losscape.Objective.mlp(x, np.sin(3 * x[:, 0]), hidden=[6], loss="squared-error", seed=3)


@pytest.fixture
def matrix() -> np.ndarray:
    """A symmetric matrix with a triple largest eigenvalue."""
    random = np.random.default_rng(0)
    basis, _ = np.linalg.qr(random.standard_normal((80, 80)))
    values = np.concatenate([[5.0, 5.0, 5.0], np.linspace(-2, 3, 77)])
    return basis @ np.diag(values) @ basis.T
