"""Runs MPI jobs for tests: each with a time limit, a store of its own, and nothing left behind.

A test script makes a `Site` (its stores and its temporary folder), runs jobs on it with `Site.job`, and leaves it as a context
manager. Command lines name programs and libraries by absolute path; the meson files pass them.
"""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

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

    def has_store(self):
        return any(os.path.exists(store) for store in self.stores.values())

    def _program(self, node, program, env):
        settings = {"PSNAM_STORE": self.stores[node]}
        settings.update(env)
        if self.preload:
            settings["LD_PRELOAD"] = ":".join(filter(None, [self.preload, env.get("LD_PRELOAD")]))
        # The program alone gets the library, by env(1): the launcher's own processes are not meant.
        return ["env", *(f"{key}={value}" for key, value in settings.items()), *program]

    def job(self, ranks, program, env=None, timeout=DEFAULT_TIMEOUT_S, mpi_env=None):
        """Runs `program` with `ranks` ranks (a number, or {node: number}); waits, with a limit; returns a JobResult.
        The output is what went to standard output, then what went to standard error: mixed, their lines could break each other."""
        return self.wait(self.start(ranks, program, env, mpi_env, stderr=subprocess.PIPE), timeout)

    def start(self, ranks, program, env=None, mpi_env=None, launcher=(), stdin=subprocess.DEVNULL,
              stderr=subprocess.STDOUT):
        """Starts a job. `launcher`: further arguments of mpiexec. `ranks` may also be a list of (node, number) pairs, in rank order."""
        ranks = ranks if isinstance(ranks, (dict, list)) else {next(iter(self.stores)): ranks}
        command = [mpiexec(), *launcher]
        for i, (node, count) in enumerate(ranks.items() if isinstance(ranks, dict) else ranks):
            command += ([":"] if i else []) + ["-n", str(count), *self._program(node, program, env or {})]
        environment = {**os.environ, **(mpi_env or {})}
        return subprocess.Popen(command, stdin=stdin, stdout=subprocess.PIPE, stderr=stderr, text=True,
                                errors="replace", start_new_session=True, env=environment)

    def talk(self, ranks, program, env=None, mpi_env=None):
        """Starts a job that stops at named points; see Conversation."""
        return Conversation(self.start(ranks, program, env, mpi_env, stdin=subprocess.PIPE), program)

    @staticmethod
    def wait(process, timeout=DEFAULT_TIMEOUT_S):
        try:
            output, errors = process.communicate(timeout=timeout)
            return JobResult(process.returncode, output + (errors or ""), False)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            output, errors = process.communicate()
            return JobResult(process.returncode, output + (errors or ""), True)

    def expect(self, ranks, program, env=None, timeout=DEFAULT_TIMEOUT_S, mpi_env=None):
        """Runs a job that must succeed; ends the test with its output if not."""
        result = self.job(ranks, program, env, timeout, mpi_env)
        if result.timed_out or result.returncode != 0:
            print(result.output)
            what = f"ran longer than {timeout} s" if result.timed_out else f"ended with status {result.returncode}"
            raise AssertionError(f"{program[0]} with ranks {ranks} {what}")
        return result


class Conversation:
    """A running job whose rank 0 says `@NAME` on a line of its own where it wants to be told to go on, by a line."""

    def __init__(self, process, program):
        self.process = process
        self.program = program
        self.output = ""
        self._unread = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.communicate()

    def _fail(self, what):
        print(self.output + self._unread)
        raise AssertionError(f"{' '.join(self.program)} {what}")

    def line(self, pattern, timeout=DEFAULT_TIMEOUT_S):
        """Waits for a line that matches `pattern` from its beginning; the match."""
        end = time.monotonic() + timeout
        while True:
            while "\n" in self._unread:
                line, self._unread = self._unread.split("\n", 1)
                self.output += line + "\n"
                if match := re.match(pattern, line):
                    return match
            ready, _, _ = select.select([self.process.stdout], [], [], max(0, end - time.monotonic()))
            data = os.read(self.process.stdout.fileno(), 65536) if ready else b""
            if not data:
                self._fail(f"ended before {pattern}" if ready else f"did not come to {pattern} within {timeout} s")
            self._unread += data.decode(errors="replace")

    def expect(self, point, timeout=DEFAULT_TIMEOUT_S):
        """Waits until the job stands at `point`, the next at which it stands at all."""
        found = self.line("@(.*)", timeout).group(1)
        if found != point:
            self._fail(f"stands at @{found}, not at @{point}")

    def go_on(self, word=""):
        self.process.stdin.write(word + "\n")
        self.process.stdin.flush()

    def finish(self, timeout=DEFAULT_TIMEOUT_S):
        """Waits for the end of a job that must succeed."""
        # Its standard input stays open until then: a launcher that sees it end at the moment when the job does may fail.
        stdin, self.process.stdin = self.process.stdin, None
        result = Site.wait(self.process, timeout)
        stdin.close()
        self.output += self._unread + result.output
        self._unread = ""
        if result.timed_out or result.returncode != 0:
            self._fail(f"ran longer than {timeout} s" if result.timed_out else f"ended with status {result.returncode}")


def files_of(store):
    """The memory and control files that a store holds."""
    found = []
    for part in ("memory", "control"):
        folder = os.path.join(store, part)
        if os.path.isdir(folder):
            found += [os.path.join(folder, name) for name in sorted(os.listdir(folder))]
    return found
