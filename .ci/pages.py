"""mdBook's preprocessor for the pages of docs/: formulas become MathML, links lead where they should.

mdBook hands over the book as JSON on the standard input and reads it back from the standard output.

A formula between `$` or `$$` becomes MathML by `mathcore`, so that a page needs no network. A link to a file that is no
page leads to the repository. A page that includes README.md or CONTRIBUTING.md has their links, which start at the root.
"""

import json
import os
import posixpath
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {"README.md": "introduction.md", "CHANGELOG.md": "changelog.md", "CONTRIBUTING.md": "howto/extend.md"}
CODE = re.compile(r"(?m)^ *(?P<fence>```+|~~~+)[^\n]*\n(?:.*\n)*? *(?P=fence) *$|(?P<tick>`+)(?:(?!`).)+?(?P=tick)(?!`)")
FORMULA = re.compile(r"\$\$(?P<block>.+?)\$\$|(?<![\w\\$])\$(?P<inline>[^$\n]+)\$(?!\d)", re.S)
LINK = re.compile(r"(?P<before>\]\()(?P<target>[^)\s]+)(?P<after>\))")


def outside_code(text, change):
    """The text with `change` applied to what is neither a block nor a span of code."""
    parts, end = [], 0
    for code in CODE.finditer(text):
        parts += [change(text[end : code.start()]), code[0]]
        end = code.end()
    return "".join(parts) + change(text[end:])


def mathml(text):
    """The text with its formulas in MathML."""
    formulas = list(FORMULA.finditer(text))
    if not formulas:
        return text
    source = "\n\x1e\n".join(f"⟦$${f['block']}$$⟧" if f["block"] else f"⟦${f['inline']}$⟧" for f in formulas)
    delimiters = ["--inline-open", "⟦$", "--inline-close", "$⟧", "--block-open", "⟦$$", "--block-close", "$$⟧"]
    program = os.environ.get("MATHCORE", "mathcore")
    done = subprocess.run([program, *delimiters, "-"], input=source, capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(f"a formula that {program} cannot read:\n{done.stderr}")
    # On one line, so that Markdown takes no line of it for its own.
    rendered = [" ".join(one.split()) for one in done.stdout.split("\x1e")]
    assert len(rendered) == len(formulas), "a formula for each"
    parts, end = [], 0
    for formula, markup in zip(formulas, rendered):
        parts += [text[end : formula.start()], f'<div class="formula">{markup}</div>' if formula["block"] else markup]
        end = formula.end()
    return "".join(parts) + text[end:]


def target(link, page, repository):
    """Where a link of a page leads in the book."""
    path, _, anchor = link.partition("#")
    anchor = f"#{anchor}" if anchor else ""
    if not path or re.match(r"[a-z]+:", path):
        return link
    here = posixpath.dirname(page)
    places = [posixpath.normpath(posixpath.join(start, path)) for start in (posixpath.join("docs", here), "")]
    found = next((place for place in places if (ROOT / place).exists()), None)
    if found is None:
        raise SystemExit(f"docs/{page}: there is no {path}")
    found = f"docs/{PAGES[found]}" if found in PAGES else found
    if found.startswith("docs/"):
        return posixpath.relpath(found.removeprefix("docs/"), here or ".") + anchor
    return f"{repository}/{'tree' if (ROOT / found).is_dir() else 'blob'}/main/{found}{anchor}"


def main():
    if sys.argv[1:2] == ["supports"]:
        return
    context, book = json.load(sys.stdin)
    repository = context["config"]["output"]["html"]["git-repository-url"]

    def change(chapter):
        page = chapter["path"]
        if page:
            leads = lambda link: link["before"] + target(link["target"], page, repository) + link["after"]
            chapter["content"] = outside_code(chapter["content"], lambda text: LINK.sub(leads, mathml(text)))
        walk(chapter["sub_items"])

    def walk(items):
        for item in items:
            if isinstance(item, dict) and "Chapter" in item:
                change(item["Chapter"])

    walk(book["items"] if "items" in book else book["sections"])
    json.dump(book, sys.stdout)


main()
