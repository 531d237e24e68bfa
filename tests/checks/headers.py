#!/usr/bin/env python3
"""Headers: each public header compiles alone as C11 and as C++20 (.hpp: as C++17), each header of src alone as C++20, without a warning.

A header of src that a source of the build includes before anything else has been compiled alone there, for a build has no warnings: of
it remains to see that it may be included twice."""

import concurrent.futures
import json
import os
import pathlib
import re
import subprocess
import sys

import tree

_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]
_FIRST_DIRECTIVE = re.compile(r'^[ \t]*#[ \t]*(\w+)(?:[ \t]+"([^"]+)")?', re.MULTILINE)


def compile_alone(command, header):
    """What the compiler says against a source that is nothing but `header`, twice; empty when it is content."""
    # Included from a file of its own, since a header as main file has warnings of its own ("pragma once in main file");
    # twice, so that a missing include guard shows.
    source = f'#include "{header}"\n#include "{header}"\n'
    result = subprocess.run([*command, "-fsyntax-only", "-"], input=source, capture_output=True, text=True, check=False)
    return result.stderr.strip() if result.returncode else ""


def compiled_sources(root, commands):
    """The sources of the tree that a build compiles, relative to `root`, by its compile_commands.json."""
    found = set()
    for entry in json.loads(pathlib.Path(commands).read_text()):
        file = pathlib.Path(os.path.normpath(os.path.join(entry["directory"], entry["file"])))
        if file.is_relative_to(root):
            found.add(file.relative_to(root))
    return found


def first_includes(root, sources):
    """The headers of src that one of the `sources` includes before it does anything else."""
    found = set()
    for name in sources:
        directive = _FIRST_DIRECTIVE.search(tree.without_comments(tree.text(root, name), keep_strings=True))
        if name.parts[0] == "src" and directive and directive[1] == "include" and directive[2]:
            found.add(directive[2])
    return found


def jobs(root, cc, cxx, flags, built=()):
    """(what, command, header) of every compilation; none of headers that are among the `built`."""
    includes = [f"-I{root / 'include'}", *flags]
    for name in tree.files(root, ".h", under=("include",)):
        header = "/".join(name.parts[1:])
        yield f"{name} as C11", [cc, "-xc", "-std=c11", *_WARNINGS, *includes], header
        yield f"{name} as C++20", [cxx, "-xc++", "-std=c++20", *_WARNINGS, *includes], header
    for name in tree.files(root, ".hpp", under=("include",)):
        yield f"{name} as C++17", [cxx, "-xc++", "-std=c++17", *_WARNINGS, *includes], "/".join(name.parts[1:])
    for name in tree.files(root, ".hpp", ".h", under=("src",)):
        header = "/".join(name.parts[1:])
        if header not in built:
            command = [cxx, "-xc++", "-std=c++20", "-D_GNU_SOURCE", *_WARNINGS, f"-I{root / 'src'}", *includes]
            yield f"{name} as C++20", command, header


def check(root, cc="cc", cxx="c++", flags=(), sources=()):
    """Findings in include and src. `sources`: those that have been compiled, with warnings as errors."""
    built = first_includes(root, sources)
    unguarded = [header for header in sorted(built)
                 if (root / "src" / header).is_file() and not re.search(r"^#pragma once$", tree.text(root, f"src/{header}"), re.MULTILINE)]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = list(jobs(root, cc, cxx, flags, built))
        answers = pool.map(lambda job: compile_alone(job[1], job[2]), work)
        findings = [f"{what} does not compile alone:\n{answer}" for (what, _, _), answer in zip(work, answers) if answer]
    return [f"src/{header} has no #pragma once" for header in unguarded] + findings


def main():
    """Takes compilers from the build and flags from pkg-config."""
    parser = tree.root_argument(__doc__)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--generated", action="append", default=[], help="a folder with headers that the build makes")
    parser.add_argument("--commands", help="compile_commands.json of a build with warnings as errors")
    options = parser.parse_args()
    packages = ["mpich", "fmt", "lmdb"]
    found = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True, check=True).stdout.split()
    # System headers are not ours to judge.
    flags = [flag.replace("-I", "-isystem", 1) if flag.startswith("-I") else flag for flag in found]
    flags += [f"-isystem{folder}" for folder in options.generated]
    sources = compiled_sources(options.root, options.commands) if options.commands else ()
    sys.exit(tree.report("headers", check(options.root, options.cc, options.cxx, ["-DMPICH_SKIP_MPICXX", *flags], sources)))


if __name__ == "__main__":
    main()
