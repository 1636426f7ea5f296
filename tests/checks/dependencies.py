#!/usr/bin/env python3
"""Tries the [dependencies] lines of every README in crates of their own, outside the workspace.

tests/checks/dependencies.py FOLDER [cargo arguments, default: check]

FOLDER gets a workspace with a member for each README that has such lines and a Rust example; our crates are those of
this checkout, all else is as printed. Members see only what their README names.
"""

import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
place, command = pathlib.Path(sys.argv[1]), sys.argv[2:] or ["check"]


def block(text, language):
    found = re.search(rf"```{language}\n(.*?)```", text, re.S)
    return found and found[1]


def ours(line):
    """A line of ours with a path in place of the version."""
    name = line.split(" ")[0]
    folder = ROOT if name == "losscape" else ROOT / "crates" / name.removeprefix("losscape-")
    return f'{name} = {{ path = "{folder}" }}' if name.startswith("losscape") else line


members = []
for readme in [ROOT / "README.md", *sorted(ROOT.glob("crates/*/README.md"))]:
    text = readme.read_text()
    lines, example = block(text, "toml"), block(text, "rust")
    if not lines or "[dependencies]" not in lines or not example:
        continue
    name = "user-" + (readme.parent.name if readme.parent != ROOT else "losscape")
    # rustdoc's examples end in `Ok::<(), E>(())`, their hidden lines begin with `# `.
    body = re.sub(r"^#( |$)", "", example, flags=re.M)
    error = re.search(r"Ok::<\(\), (.*)>\(\(\)\)", body)
    returns = f" -> Result<(), {error[1]}>" if error else ""
    folder = place / name
    (folder / "src").mkdir(parents=True, exist_ok=True)
    package = f'[package]\nname = "{name}"\nedition = "2024"\n\n'
    (folder / "Cargo.toml").write_text(package + "\n".join(map(ours, lines.splitlines())) + "\n")
    (folder / "src/main.rs").write_text(f"fn main(){returns} {{\n{body}}}\n")
    members.append(name)
(place / "Cargo.toml").write_text(f'[workspace]\nresolver = "3"\nmembers = {members}\n'.replace("'", '"'))

failed = []
for name in members:
    done = subprocess.run(["cargo", *command, "-p", name], cwd=place)
    crates = subprocess.run(["cargo", "tree", "-p", name, "--prefix", "none", "-e", "normal,build"], cwd=place, capture_output=True, text=True)
    count = len({line.split(" (")[0] for line in crates.stdout.splitlines() if line})
    print(f"{name}: {'ok' if done.returncode == 0 else 'failed'}, {count} crates", flush=True)
    failed += [name] if done.returncode else []
sys.exit(1 if failed else 0)
