#!/usr/bin/env python3
"""The programs of the README compile and, with the library, do what the README says: the second one reads, as another job, what the
first one left."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import tree


def programs(text):
    """{file name: source} of the C programs, whose first line names their file."""
    blocks = re.findall(r"^```c\n(/\* (\w+\.c):.*?)^```", text, re.MULTILINE | re.DOTALL)
    return {name: source for source, name in blocks}


def compile_all(sources, folder, compiler):
    """Compiles each program in `folder`; findings."""
    findings = []
    for name, source in sources.items():
        (folder / name).write_text(source)
        command = [compiler, "-std=c11", "-Wall", "-Wextra", "-Werror", name, "-o", pathlib.Path(name).stem]
        result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
        if result.returncode:
            findings.append(f"{name} does not compile:\n{result.stderr}")
    return findings


_LIMIT_S = 40  # timeout(1) then ends with status 124


def run(folder, launcher, library, program, ranks):
    """(exit status, output) of a job with the library preloaded and a store of its own."""
    environment = {**os.environ, "LD_PRELOAD": str(library), "PSNAM_STORE": str(folder / "store")}
    # By timeout(1), because the launcher ends its ranks when it is asked to end, not when it is killed.
    command = ["timeout", "--kill-after=5", str(_LIMIT_S), launcher, "-n", str(ranks), f"./{program}"]
    result = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


def run_findings(folder, launcher, library):
    """Runs producer and consumer as the README tells."""
    status, output = run(folder, launcher, library, "producer", 4)
    if status:
        return [f"producer ended with {status}:\n{output}"]
    status, output = run(folder, launcher, library, "consumer", 1)
    wanted = [f"{rank} squared is {rank * rank}" for rank in range(4)]
    if status or output.splitlines() != wanted:
        return [f"consumer ended with {status} and this output:\n{output}"]
    return []


def main():
    """Compiles and, where a library is given, runs."""
    parser = tree.root_argument(__doc__)
    parser.add_argument("--library", type=pathlib.Path, help="libpsnam.so; absent: the programs are compiled only")
    options = parser.parse_args()
    sources = programs((options.root / "README.md").read_text())
    findings = [f"README.md has no program {name}" for name in ("producer.c", "consumer.c") if name not in sources]
    compiler = shutil.which("mpicc.mpich") or "mpicc"
    launcher = shutil.which("mpiexec.mpich") or "mpiexec"
    with tempfile.TemporaryDirectory(prefix="psnam-readme-", dir="/dev/shm") as name:
        folder = pathlib.Path(name)
        findings += compile_all(sources, folder, compiler)
        if not findings and options.library:
            findings += run_findings(folder, launcher, options.library.resolve())
    sys.exit(tree.report("readme", findings))


if __name__ == "__main__":
    main()
