#!/usr/bin/env python3
"""Exports: libpsnam.so gives the world exactly the names that mpi_functions.txt calls wrapped, and needs no MPI library.

mpi_functions.txt has a line for every function of the MPI header that makes, uses or finds windows: NAME wrapped, or NAME passed:
because REASON. That it is complete is checked against the prototypes of mpi.h. A wrapped function is exported as MPI_ and as
PMPI_ (MPICH's mpi_f08 module calls the latter), and src/psnam.map names both."""

import fnmatch
import pathlib
import re
import subprocess
import sys

import tree

# Every function of these families must be in the list; others may be.
FAMILIES = re.compile(
    r"MPIX?_(Win_\w+|(Put|Get|Rput|Rget|Accumulate|Raccumulate|Get_accumulate|Rget_accumulate|Fetch_and_op|Compare_and_swap)(_c)?"
    r"|(Publish|Lookup|Unpublish)_name|(Open|Close)_port"
    r"|Comm_(connect|accept|disconnect|join|free|test_inter|remote_size|remote_group))")
_PROTOTYPE = re.compile(r"\bint\s+(MPIX?_[A-Z][a-z]\w*)\s*\(")
_ROW = re.compile(r"(?P<name>MPI[IX]?_\w+|psnam_private_\w+)\s+(?P<status>wrapped|passed: because \S.*|own: because \S.*)")


def prototypes(preprocessed):
    """Names of the functions that a preprocessed mpi.h declares."""
    return set(_PROTOTYPE.findall(preprocessed))


def read_list(lines):
    """({name: status}, findings) of mpi_functions.txt."""
    rows, findings = {}, []
    for number, line in enumerate(lines, 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _ROW.fullmatch(line.strip())
        if match is None:
            findings.append(f"list line {number}: not NAME wrapped, or NAME passed: because REASON: {line.strip()}")
        elif match["name"] in rows:
            findings.append(f"list line {number}: {match['name']} stands there twice")
        else:
            rows[match["name"]] = match["status"].split(":")[0]
    return rows, findings


def completeness(declared, rows):
    """Functions of the families without a row, and rows without a function."""
    missing = [f"{name} of mpi.h is not in the list" for name in sorted(declared) if FAMILIES.fullmatch(name) and name not in rows]
    strange = [f"{name} of the list is no function of mpi.h" for name, status in rows.items() if status != "own" and name not in declared]
    return missing + strange


def expected_symbols(rows):
    """What the library has to export."""
    names = {name for name, status in rows.items() if status in ("wrapped", "own")}
    return names | {"P" + name for name, status in rows.items() if status == "wrapped"}


def map_patterns(map_text):
    """The global names of a version script; they may have wildcards."""
    plain = tree.without_comments(map_text)
    sections = re.findall(r"global:(.*?)(?:local:|\})", plain, re.DOTALL)
    return {pattern.strip() for section in sections for pattern in section.split(";") if pattern.strip()}


def compare(expected, exported, patterns):
    """Differences between list, library and version script."""
    findings = [f"{name} is wrapped by the list but not exported" for name in sorted(expected - exported)]
    findings += [f"{name} is exported but not in the list as wrapped" for name in sorted(exported - expected)]
    for pattern in sorted(patterns):
        if not any(fnmatch.fnmatchcase(name, pattern) for name in exported):
            findings.append(f"{pattern} of the version script matches no exported symbol")
    findings += [f"{name} is not in the version script" for name in sorted(expected)
                 if not any(fnmatch.fnmatchcase(name, pattern) for pattern in patterns)]
    return findings


def needed_findings(needed):
    """Libraries that must not be needed: those of any MPI."""
    return [f"the library needs {name}; it must start without MPI" for name in needed if re.match(r"lib(p?mpi|pmi|open-(pal|rte))", name)]


def libnam_findings(declared, exported):
    """libnam.so exports what its headers declare, no more and no less."""
    return ([f"libnam.so does not export {name} of its headers" for name in sorted(declared - exported)]
            + [f"libnam.so exports {name}, which no header declares" for name in sorted(exported - declared)])


def _exported(library):
    symbols = [line.split() for line in _output("nm", "-D", "--defined-only", library).splitlines()]
    # A version script with a version name defines a symbol for the version itself (type A).
    return {fields[-1].split("@")[0] for fields in symbols if fields and fields[-2] != "A"}


def _needed(library):
    return re.findall(r"\(NEEDED\).*\[(.*)\]", _output("readelf", "-d", library))


def _output(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True, text=True).stdout


def main():
    """Reads library, header, list and version script, and reports."""
    parser = tree.root_argument(__doc__)
    parser.add_argument("--library", type=pathlib.Path, help="libpsnam.so; absent: only the list is compared with mpi.h")
    parser.add_argument("--libnam", type=pathlib.Path, help="libnam.so: exports what its headers declare, needs no MPI either")
    parser.add_argument("--cc", default="cc", help="C compiler, for the header")
    options = parser.parse_args()
    flags = _output("pkg-config", "--cflags", "mpich").split()
    source = "#include <mpi.h>\n"
    header = subprocess.run([options.cc, "-E", "-xc", *flags, "-"], input=source, check=True, capture_output=True, text=True).stdout
    rows, findings = read_list((options.root / "tests/checks/mpi_functions.txt").read_text().splitlines())
    findings += completeness(prototypes(header), rows)
    if options.library:
        exported = _exported(options.library)
        patterns = map_patterns((options.root / "src/psnam.map").read_text())
        findings += compare(expected_symbols(rows), exported, patterns)
        findings += needed_findings(_needed(options.library))
    if options.libnam:
        headers = "".join((options.root / "include" / name).read_text() for name in ("nam.h", "nam_team.h", "psnam_checkpoint_team.h", "psnam_job_team.h"))
        declared = set(re.findall(r"^NAM_API [\w *]*?\b((?:nam|psnam_checkpoint|psnam_job)_\w+)\(", headers, re.MULTILINE))
        findings += libnam_findings(declared, _exported(options.libnam)) + needed_findings(_needed(options.libnam))
    sys.exit(tree.report("exports", findings))


if __name__ == "__main__":
    main()
