"""Values as a configuration has them."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._losscape import Error


def toml(value: Any) -> str:
    """A value in TOML, on one line.

    >>> toml({"name": "mlp", "hidden": [64, 64], "bias": True})
    '{ "name" = "mlp", "hidden" = [64, 64], "bias" = true }'
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value) if math.isfinite(value) else str(value)
    if isinstance(value, (str, Path)):
        return json.dumps(str(value), ensure_ascii=False).replace("", "\\u007f")
    if isinstance(value, Mapping):
        return "{ " + ", ".join(f"{toml(str(key))} = {toml(each)}" for key, each in value.items()) + " }"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(toml(each) for each in value) + "]"
    raise Error(f"a configuration has no value {value!r}")


def document(config: Mapping[str, Any]) -> str:
    """A configuration as text, a line a table."""
    return "".join(f"{toml(str(name))} = {toml(value)}\n" for name, value in config.items())


def override(key: str, value: Any) -> str:
    """A setting as ``--set`` takes it; None takes the key away."""
    return f"{key}=null" if value is None else f"{key}={toml(value)}"
