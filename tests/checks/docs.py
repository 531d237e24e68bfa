#!/usr/bin/env python3
"""Documents: they agree with the code (environment variables, info keys and values), their links lead somewhere, the commands of the
README exist, and nothing in the tree speaks of the machine or the tickets of its makers."""

import re

import tree

_LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)
# Written with brackets so that this file does not find itself.
_MACHINE = re.compile(r"/[w]ork/|/[f]arm/|/[r]oot/|/[h]ome/[a-z]|/[t]mp/[a-z]+/main|/[b]uilds/")
_TICKET = re.compile(r"\b[i]ssues? #?\d+|(?<![\w&#/(\[])#\d{1,4}\b(?![-\w])", re.IGNORECASE)


def _joined(root, *names):
    return "\n".join((root / name).read_text() for name in names if (root / name).exists())


def variable_findings(root):
    """Every PSNAM_ variable of the options table is in docs/environment.md, and the other way round."""
    code = tree.without_comments(_joined(root, "src/base/options.cpp", "src/base/options.hpp"), keep_strings=True)
    known = set(re.findall(r'"(PS(?:NAM|P)_[A-Z_]+)"', code))
    page = root / "docs/environment.md"
    if not code or not page.exists():
        return [f"{name} is missing" for name in ("src/base/options.cpp", "docs/environment.md") if not (root / name).exists()]
    documented = set(re.findall(r"^\|\s*`(PS(?:NAM|P)_[A-Z_]+)`", page.read_text(), re.MULTILINE))
    findings = [f"docs/environment.md: no row for {name} of src/base/options.cpp" for name in sorted(known - documented)]
    return findings + [f"docs/environment.md: {name} is not in src/base/options.cpp" for name in sorted(documented - known)]


def info_findings(root):
    """Every psnam_ key and value of the code is in docs/windows.md, and every one that a document names is in the code."""
    code = _joined(root, "src/win/info.hpp", "src/win/info.cpp", "src/format/catalog.hpp")
    known = set(re.findall(r'"(psnam_[a-z_]*[a-z])"', tree.without_comments(code, keep_strings=True)))
    if not known:
        return []
    header = set(re.findall(r'"(psnam_[a-z_]*[a-z])"', _joined(root, "include/psnam.h")))
    # Words of the same form that are functions and types.
    header |= set(re.findall(r"\b(psnam_checkpoint\w*)", _joined(root, "include/psnam_checkpoint.h", "include/psnam_checkpoint_team.h")))
    header |= set(re.findall(r"\b(psnam_job\w*)", _joined(root, "include/psnam_job.h", "include/psnam_job_team.h")))
    findings = []
    page = root / "docs/windows.md"
    mentioned = set(re.findall(r"\bpsnam_[a-z_]*[a-z]\b", page.read_text())) if page.exists() else set()
    findings += [f"docs/windows.md does not explain {name}" for name in sorted(known - mentioned)]
    for name in tree.files(root, ".md"):
        text = tree.text(root, name) or ""
        findings += [f"{name}: no such key or value in the code: {word}"
                     for word in sorted(set(re.findall(r"`(psnam_[a-z_]*[a-z])`", text)) - known - header)]
    return findings


def error_findings(root):
    """Every error class of the table in src/mpi is explained in docs/windows.md, and the other way round."""
    code = tree.without_comments(_joined(root, "src/mpi/errors.cpp"))
    page = root / "docs/windows.md"
    if not code or not page.exists():
        return []
    known = set(re.findall(r"Row\{Code::\w+, (MPI_ERR_\w+)\}", code))
    explained = set(re.findall(r"\bMPI_ERR_[A-Z_]+", page.read_text()))
    findings = [f"docs/windows.md does not explain {name} of src/mpi/errors.cpp" for name in sorted(known - explained)]
    return findings + [f"docs/windows.md: src/mpi/errors.cpp never gives {name}" for name in sorted(explained - known)]


def anchors(text):
    """The anchors of a document's headings."""
    found = set()
    for heading in re.findall(r"^#+\s+(.*)$", _FENCE.sub("", text), re.MULTILINE):
        plain = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(plain.replace(" ", "-"))
    return found


def link_findings(root):
    """Relative links of all documents resolve, anchors included."""
    findings = []
    for name in tree.files(root, ".md"):
        for target in _LINK.findall(_FENCE.sub("", tree.text(root, name) or "")):
            if re.match(r"[a-z]+:", target):
                continue
            path, _, anchor = target.partition("#")
            file = (root / name).parent / path if path else root / name
            if not file.exists():
                findings.append(f"{name}: dead link {target}")
            elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text()):
                findings.append(f"{name}: no heading for {target}")
    return findings


def command_findings(root):
    """Programs of the tree that the README tells to run exist and can be run; namctl has the subcommands that it names."""
    page = root / "README.md"
    if not page.exists():
        return ["README.md is missing"]
    findings = []
    tool = _joined(root, *[str(name) for name in tree.files(root, ".cpp", ".hpp", under=("src",)) if name.parts[1] == "cli"])
    for language, body in _FENCE.findall(page.read_text()):
        if language not in ("sh", "bash", "console"):
            continue
        for word in re.findall(r"(?:^|\s)(\./[\w./-]+)", body):
            file = root / word
            if not file.exists() or not file.stat().st_mode & 0o111:
                findings.append(f"README.md: {word} is not a program of the tree")
        for word in re.findall(r"\bnamctl +([a-z]+)", body):
            if tool and f'"{word}"' not in tool:
                findings.append(f"README.md: namctl has no command {word}")
    return findings


def private_findings(root):
    """Paths of a machine, numbers of tickets."""
    findings = []
    for name in tree.files(root):
        text = tree.text(root, name)
        if text is None:
            continue
        patterns = [(_MACHINE, "path of a machine")]
        if name.name.endswith((".md", ".hpp", ".cpp", ".h", ".c", ".py", ".sh", ".f90")):
            patterns.append((_TICKET, "number of a ticket"))
        for pattern, what in patterns:
            findings += [f"{name}:{text.count(chr(10), 0, match.start()) + 1}: {what}: {match[0]}" for match in pattern.finditer(text)]
    return findings


def check(root):
    """All findings."""
    return (variable_findings(root) + info_findings(root) + error_findings(root) + link_findings(root)
            + command_findings(root) + private_findings(root))


if __name__ == "__main__":
    tree.main("docs", __doc__, check)
