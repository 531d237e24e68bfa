#!/usr/bin/env python3
"""Style that a script can judge: no unfinished work, no sleep as a wait, and as warnings the guides for lengths.

Exceptions stand, each with its reason, in style_exceptions.txt: PATH WORD REASON."""

import re

import tree

_CODE = (".hpp", ".cpp", ".h", ".c", ".f90", ".py", ".sh", ".build")
_FOLDERS = ("src", "include", "tests", "benchmarks", "examples", "tools", "docs")
# Written with brackets so that this file does not find itself.
_UNFINISHED = re.compile(r"\b([T]ODO|[F]IXME|[X]XX|(?i:[p]laceholder|[f]or now|[n]ot yet implemented|[n]ot implemented))\b")
_SLEEP = re.compile(r"(?<![\w-])(?:[s]leep|[u]sleep|[n]anosleep|[s]leep_for|[s]leep_until)\b(?=\s*\(|[ \t]+[\d.\"$])")
_FILE_LINES = 400
_FUNCTION_LINES = 40


def exceptions(root):
    """{(path, word)} of the list of exceptions, and the findings about the list itself."""
    known, findings = set(), []
    listing = root / "tests/checks/style_exceptions.txt"
    for number, line in enumerate(listing.read_text().splitlines() if listing.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = line.split(None, 2)
        if len(fields) < 3:
            findings.append(f"style_exceptions.txt:{number}: PATH WORD REASON are needed, reason included")
        elif not (root / fields[0]).exists():
            findings.append(f"style_exceptions.txt:{number}: {fields[0]} does not exist any more")
        else:
            known.add((fields[0], fields[1].lower()))
    return known, findings


def long_functions(source):
    """(first line, lines) of C++ functions over the guide. A formatted function begins and ends in the first column."""
    start = None
    for number, line in enumerate(source.splitlines(), 1):
        if re.match(r"[A-Za-z\[].*\)[^;]*\{$", line) and not line.startswith(("namespace", "class", "struct", "enum", "extern", "union")):
            start = number
        elif line.startswith("}") and start is not None:
            if number - start + 1 > _FUNCTION_LINES:
                yield start, number - start + 1
            start = None


def check(root):
    """(findings, warnings) in code, tests and documents."""
    known, findings = exceptions(root)
    warnings = []
    for name in tree.files(root, *_CODE, ".md", "meson_options.txt", under=_FOLDERS):
        source = tree.text(root, name)
        if source is None:
            continue
        for match in _UNFINISHED.finditer(source):
            word = match[1].lower()
            if (str(name), word.replace(" ", "-")) not in known:
                findings.append(f"{name}:{source.count(chr(10), 0, match.start()) + 1}: unfinished: \"{match[1]}\"")
        if not name.name.endswith(_CODE):
            continue
        cxx = name.name.endswith((".hpp", ".cpp", ".h", ".c"))
        code = tree.without_comments(source) if cxx else re.sub(r"(?m)^\s*[#!].*$", "", source)
        if name.parts[0] in ("src", "tests", "examples", "benchmarks"):
            for match in _SLEEP.finditer(code):
                if (str(name), match[0].lower()) not in known:
                    line = code.count("\n", 0, match.start()) + 1
                    findings.append(f"{name}:{line}: {match[0]} as a wait; wait for the condition, with a limit")
        lines = source.count("\n")
        if lines > _FILE_LINES:
            warnings.append(f"{name}: {lines} lines; guide: {_FILE_LINES}")
        if cxx:
            warnings += [f"{name}:{first}: function of {length} lines; guide: {_FUNCTION_LINES}" for first, length in long_functions(code)]
    return findings, warnings


if __name__ == "__main__":
    tree.main("style", __doc__, check)
