#!/usr/bin/env python3
"""Headers: each public header compiles alone as C11 and as C++20 (.hpp: as C++17), each header of src alone as C++20, without a warning."""

import concurrent.futures
import os
import subprocess
import sys

import tree

_WARNINGS = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"]


def compile_alone(command, header):
    """What the compiler says against a source that is nothing but `header`, twice; empty when it is content."""
    # Included from a file of its own, since a header as main file has warnings of its own ("pragma once in main file");
    # twice, so that a missing include guard shows.
    source = f'#include "{header}"\n#include "{header}"\n'
    result = subprocess.run([*command, "-fsyntax-only", "-"], input=source, capture_output=True, text=True, check=False)
    return result.stderr.strip() if result.returncode else ""


def jobs(root, cc, cxx, flags):
    """(what, command, header) of every compilation."""
    includes = [f"-I{root / 'include'}", *flags]
    for name in tree.files(root, ".h", under=("include",)):
        header = "/".join(name.parts[1:])
        yield f"{name} as C11", [cc, "-xc", "-std=c11", *_WARNINGS, *includes], header
        yield f"{name} as C++20", [cxx, "-xc++", "-std=c++20", *_WARNINGS, *includes], header
    for name in tree.files(root, ".hpp", under=("include",)):
        yield f"{name} as C++17", [cxx, "-xc++", "-std=c++17", *_WARNINGS, *includes], "/".join(name.parts[1:])
    for name in tree.files(root, ".hpp", ".h", under=("src",)):
        command = [cxx, "-xc++", "-std=c++20", "-D_GNU_SOURCE", *_WARNINGS, f"-I{root / 'src'}", *includes]
        yield f"{name} as C++20", command, "/".join(name.parts[1:])


def check(root, cc="cc", cxx="c++", flags=()):
    """Findings in include and src."""
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        work = list(jobs(root, cc, cxx, flags))
        answers = pool.map(lambda job: compile_alone(job[1], job[2]), work)
        return [f"{what} does not compile alone:\n{answer}" for (what, _, _), answer in zip(work, answers) if answer]


def main():
    """Takes compilers from the build and flags from pkg-config."""
    parser = tree.root_argument(__doc__)
    parser.add_argument("--cc", default="cc")
    parser.add_argument("--cxx", default="c++")
    parser.add_argument("--generated", action="append", default=[], help="a folder with headers that the build makes")
    options = parser.parse_args()
    packages = ["mpich", "fmt", "lmdb"]
    found = subprocess.run(["pkg-config", "--cflags", *packages], capture_output=True, text=True, check=True).stdout.split()
    # System headers are not ours to judge.
    flags = [flag.replace("-I", "-isystem", 1) if flag.startswith("-I") else flag for flag in found]
    flags += [f"-isystem{folder}" for folder in options.generated]
    sys.exit(tree.report("headers", check(options.root, options.cc, options.cxx, ["-DMPICH_SKIP_MPICXX", *flags])))


if __name__ == "__main__":
    main()
