#!/usr/bin/env python3
"""Wrappers: no source calls an MPI function by its name. The MPI library's own functions are reached through the table in
src/rma/real.hpp, so that the library never enters its own wrappers; the names are defined in src/mpi and nowhere else."""

import re

import tree

# A function's name, unlike a constant's or a macro's, has a small letter in its second word: MPI_Put, not MPI_PROC_NULL.
_NAME = r"P?MPIX?_(?:T_)?[A-Z][a-z]\w*"
_CALL = re.compile(rf"(?<![\w.>])(?P<type>(?:int|double|MPI_\w+)\s+)?(?P<name>{_NAME})\s*\(")
_ADDRESS = re.compile(rf"&\s*(?P<name>{_NAME})")
_TYPES = re.compile(r"^MPI_(Comm|Win|Info|Datatype|Request|Status|Errhandler|Group|Aint|Count|Message|Op|Session|File|Offset|Fint)$")
_HANDLE_MACRO = re.compile(r"_(c2f|f2c)$")  # macros of mpi.h, not functions
_TABLE = "src/rma/real.hpp"
_WRAPPER_LINES = 6


def _line(source, position):
    return source.count("\n", 0, position) + 1


def _wrapper_lines(source, position):
    """Lines of the function whose parameter list begins at `position`; 0 for a declaration."""
    opening = re.compile(r"[;{]").search(source, position)
    if opening is None or opening[0] == ";":
        return 0
    end = source.find("}", opening.start())
    if "\n" in source[opening.start():end]:
        end = source.find("\n}", opening.start()) + 1
    return source.count("\n", opening.start(), end) + 1


def check(root):
    """(findings, warnings) in src."""
    findings, warnings = [], []
    for name in tree.files(root, ".hpp", ".cpp", ".h", ".c", under=("src",)):
        source = tree.without_comments(tree.text(root, name) or "")
        in_mpi = name.parts[1] == "mpi"
        for match in _CALL.finditer(source):
            function = match["name"]
            if _TYPES.match(function) or _HANDLE_MACRO.search(function):
                continue
            where = f"{name}:{_line(source, match.start('name'))}"
            if match["type"] is None:
                findings.append(f"{where}: calls {function} by its name; call it through the table of {_TABLE}")
            elif not in_mpi:
                findings.append(f"{where}: declares {function}; only src/mpi does")
            elif (lines := _wrapper_lines(source, match.end())) > _WRAPPER_LINES:
                warnings.append(f"{where}: the wrapper {function} has {lines} lines; guide: {_WRAPPER_LINES}")
        for match in _ADDRESS.finditer(source):
            if str(name) != _TABLE and not _TYPES.match(match["name"]) and not in_mpi:
                findings.append(f"{name}:{_line(source, match.start())}: takes the address of {match['name']}; only {_TABLE} names it")
    return findings, warnings


if __name__ == "__main__":
    tree.main("wrappers", __doc__, check)
