"""Runs MPI jobs for tests: each with a time limit, a store of its own, and nothing left behind.

A test script makes a `Site` (its stores and its temporary folder), runs jobs on it with `Site.job`, and leaves it as a context
manager. Command lines name programs and libraries by absolute path; the meson files pass them.
"""

import os
import shutil
import signal
import subprocess
import sys
import tempfile

DEFAULT_TIMEOUT_S = 120


def mpiexec():
    """MPICH's launcher, also where another MPI took the plain name."""
    return shutil.which("mpiexec.mpich") or shutil.which("mpiexec") or sys.exit("no mpiexec found")


class JobResult:
    def __init__(self, returncode, output, timed_out):
        self.returncode = returncode
        self.output = output
        self.timed_out = timed_out


class Site:
    """A folder with stores, one for each simulated node, that goes when the test ends."""

    def __init__(self, preload=None, nodes=("node",)):
        self.preload = preload
        self.folder = tempfile.mkdtemp(prefix="psnam-test-", dir="/dev/shm")
        self.stores = {node: os.path.join(self.folder, "store-" + node) for node in nodes}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    @property
    def store(self):
        return next(iter(self.stores.values()))

    def _program(self, node, program, env):
        settings = {"PSNAM_STORE": self.stores[node]}
        settings.update(env)
        if self.preload:
            settings["LD_PRELOAD"] = ":".join(filter(None, [self.preload, env.get("LD_PRELOAD")]))
        # The program alone gets the library, by env(1): the launcher's own processes are not meant.
        return ["env", *(f"{key}={value}" for key, value in settings.items()), *program]

    def job(self, ranks, program, env=None, timeout=DEFAULT_TIMEOUT_S, mpi_env=None):
        """Runs `program` with `ranks` ranks (a number, or {node: number}); waits, with a limit; returns a JobResult."""
        return self.wait(self.start(ranks, program, env, mpi_env), timeout)

    def start(self, ranks, program, env=None, mpi_env=None):
        ranks = ranks if isinstance(ranks, dict) else {next(iter(self.stores)): ranks}
        command = [mpiexec()]
        for i, (node, count) in enumerate(ranks.items()):
            command += ([":"] if i else []) + ["-n", str(count), *self._program(node, program, env or {})]
        environment = {**os.environ, **(mpi_env or {})}
        return subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                errors="replace", start_new_session=True, env=environment)

    @staticmethod
    def wait(process, timeout=DEFAULT_TIMEOUT_S):
        try:
            output, _ = process.communicate(timeout=timeout)
            return JobResult(process.returncode, output, False)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, _ = process.communicate()
            return JobResult(process.returncode, output, True)

    def expect(self, ranks, program, env=None, timeout=DEFAULT_TIMEOUT_S, mpi_env=None):
        """Runs a job that must succeed; ends the test with its output if not."""
        result = self.job(ranks, program, env, timeout, mpi_env)
        if result.timed_out or result.returncode != 0:
            print(result.output)
            what = f"ran longer than {timeout} s" if result.timed_out else f"ended with status {result.returncode}"
            raise AssertionError(f"{program[0]} with ranks {ranks} {what}")
        return result


def files_of(store):
    """The memory and control files that a store holds."""
    found = []
    for part in ("memory", "control"):
        folder = os.path.join(store, part)
        if os.path.isdir(folder):
            found += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return found
