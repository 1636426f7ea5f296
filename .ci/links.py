"""Every relative link in the Markdown files of the repository leads to a file, and its anchor to a heading. Lines end at
120 columns, but for tables, formulas, figures and code. Every page of docs/ stands in docs/SUMMARY.md.

python3 .ci/links.py
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FENCE = re.compile(r" *(```+|~~~+)")
SPAN = re.compile(r"(`+)(?:(?!`).)+?\1(?!`)")
LINK = re.compile(r"\]\(([^)\s]+)\)")
INCLUDE = re.compile(r"\{\{#include ([^}]+)\}\}")
COLUMNS = 120
# Written from the registry by a test.
GENERATED = {"crates/tangent/docs/operations.md", "crates/exchange/docs/operations.md"}


def prose(text):
    """The lines outside blocks of code and `$$` formulas, with their numbers."""
    fence, formula = None, False
    for number, line in enumerate(text.splitlines(), 1):
        found = FENCE.match(line)
        if found and (fence is None or line.strip().startswith(fence)):
            fence = found[1] if fence is None else None
        elif fence is None and (formula or line.lstrip().startswith("$$")):
            formula ^= line.count("$$") % 2 == 1
        elif fence is None:
            yield number, line


def anchors(path):
    """The anchors of a file's headings, as GitHub and mdBook make them."""
    text, known = path.read_text(), {}
    for _, line in prose(text):
        heading = re.match(r"#+ (.*)", line)
        if heading:
            words = re.sub(r"[^\w\- ]", "", LINK.sub("]", heading[1]).lower()).strip().replace(" ", "-")
            known[words] = known.get(words, -1) + 1
            yield words if known[words] == 0 else f"{words}-{known[words]}"
    for included in INCLUDE.findall(text):
        if included.endswith(".md"):
            yield from anchors(path.parent / included)


def complaints(path):
    name, text = path.relative_to(ROOT).as_posix(), path.read_text()
    for number, line in prose(text):
        if len(line) > COLUMNS and name not in GENERATED and not re.match(r"\s*(\||!\[|\$)", line):
            yield f"{name}:{number}: {len(line)} columns"
    body = SPAN.sub("", "\n".join(line for _, line in prose(text)))
    for link in LINK.findall(body):
        # Intra-doc links of rustdoc are checked by rustdoc.
        if re.match(r"[a-z]+:", link) or "::" in link:
            continue
        file, _, anchor = link.partition("#")
        aim = path.parent / file if file else path
        if not aim.exists():
            yield f"{name}: there is no {file}"
        elif anchor and aim.suffix == ".md" and anchor not in set(anchors(aim)):
            yield f"{name}: {file or name} has no heading #{anchor}"
    for included in INCLUDE.findall(text):
        if not (path.parent / included.split(":")[0]).exists():
            yield f"{name}: there is no {included} to include"


def main():
    listed = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "*.md"], cwd=ROOT, capture_output=True, text=True)
    files = [ROOT / line for line in listed.stdout.splitlines()]
    found = [complaint for path in files if path.exists() for complaint in complaints(path)]
    summary = (ROOT / "docs/SUMMARY.md").read_text()
    pages = {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")} - {"SUMMARY.md"}
    found += [f"docs/{page} is not in docs/SUMMARY.md" for page in sorted(pages - set(LINK.findall(summary)))]
    print("\n".join(found) if found else f"{len(files)} Markdown files: links, anchors and lines are right")
    raise SystemExit(bool(found))


main()
