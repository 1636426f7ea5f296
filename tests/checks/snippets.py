"""Runs the Python blocks of docs/studies.md in a folder that holds studies/flatness.

pip install pandas polars duckdb pyarrow; losscape study run examples/studies/flatness.toml; python3 tests/checks/snippets.py
"""

import re
from pathlib import Path

text = Path(__file__).parents[2].joinpath("docs/studies.md").read_text()
blocks = re.findall(r"```python\n(.*?)```", text, re.S)
assert len(blocks) == 3, len(blocks)
for block in blocks:
    exec(compile(block, "docs/studies.md", "exec"), {})
