"""Whether the modules of a crate import each other in a circle: python3 tests/checks/imports.py crates/*/src

An arrow goes from a module to the one that defines what it names; re-exports are followed to where they lead. Tests
inside a module do not count. Prints each circle with the names that make it, and exits with 1 if there is one.
"""

import re
import sys
from pathlib import Path


def paths(tree):
    """The paths of a use tree, `a::{b, c::d}`."""
    group = re.match(r"^((?:\w+::)*)\{(.*)\}$", tree.strip(), re.S)
    if not group:
        return [re.sub(r"\s+as\s+\w+$", "", tree.strip())]
    parts, depth, part = [], 0, ""
    for letter in group[2] + ",":
        depth += (letter == "{") - (letter == "}")
        if letter == "," and depth == 0:
            parts.append(part)
            part = ""
        else:
            part += letter
    return [group[1] + path for part in parts if part.strip() for path in paths(part)]


class Crate:
    def __init__(self, root):
        self.uses, self.exports = {}, {}
        texts = {}
        for file in Path(root).rglob("*.rs"):
            place = file.relative_to(root).with_suffix("").parts
            module = place[:-1] if place[-1] in ("mod", "lib", "main") else place
            text = re.sub(r"//[^\n]*", "", file.read_text())
            texts[module] = text.split("#[cfg(test)]\nmod ")[0]
        self.modules = set(texts)
        for module, text in texts.items():
            found = []
            for public, tree in re.findall(r"(pub(?:\([^)]*\))?\s+)?use\s+([^;]+);", text):
                found += [(path.replace(" ", ""), bool(public)) for path in paths(re.sub(r"\s+", " ", tree))]
            rest = re.sub(r"use\s+[^;]+;", "", text)
            found += [(path, False) for path in re.findall(r"\b((?:crate|super)(?:::\w+)+)", rest)]
            self.uses[module] = [path for path, _ in found]
            public = [self.absolute(module, path) for path, public in found if public]
            self.exports[module] = {path[-1]: path for path in public if path}

    def absolute(self, module, path):
        """Segments from the crate's root; none for a path into another crate."""
        first, *rest = path.split("::")
        if first == "crate":
            return rest
        base = list(module)
        if first == "self":
            return base + rest
        if first == "super":
            segments = path.split("::")
            while segments and segments[0] == "super":
                base, segments = base[:-1], segments[1:]
            return base + segments
        return base + [first, *rest] if (*module, first) in self.modules else None

    def defines(self, path, followed=0):
        """The module that defines what a path names."""
        length = max(at for at in range(len(path) + 1) if tuple(path[:at]) in self.modules)
        module, rest = tuple(path[:length]), path[length:]
        target = self.exports[module].get(rest[0]) if rest else None
        if target and tuple(target) != module and followed < 8:
            return self.defines(list(target) + rest[1:], followed + 1)
        return module

    def arrows(self):
        found = {module: {} for module in self.modules}
        for module, used in self.uses.items():
            for path in used:
                absolute = self.absolute(module, path)
                target = self.defines(absolute) if absolute is not None else module
                if target != module:
                    found[module].setdefault(target, path)
        return found


def circles(arrows):
    """The strongly connected parts of more than one module: those that reach each other."""
    def reached(start):
        seen, open_ = set(), [start]
        while open_:
            for target in arrows[open_.pop()]:
                if target not in seen:
                    seen.add(target)
                    open_.append(target)
        return seen

    reach = {module: reached(module) for module in arrows}
    parts = {frozenset(other for other in reach[module] if module in reach[other]) for module in arrows}
    return [part for part in parts if part]


def main(roots):
    name = lambda module: "::".join(module) or "lib"
    found = 0
    for root in roots:
        arrows = Crate(root).arrows()
        for circle in circles(arrows):
            found += 1
            print(f"{root}: {', '.join(sorted(map(name, circle)))}")
            for module in sorted(circle):
                for target, path in arrows[module].items():
                    if target in circle:
                        print(f"    {name(module)} names {path}, of {name(target)}")
        print(f"{root}: {len(arrows)} modules, {sum(map(len, arrows.values()))} arrows")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
