"""Runs MPI jobs for tests: each with a time limit, a store of its own, and nothing left behind.

A test script makes a `Site` (its stores and its temporary folder), runs jobs on it with `Site.job`, and leaves it as a context
manager. Command lines name programs and libraries by absolute path; the meson files pass them.
"""

import collections
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from manager import Manager

DEFAULT_TIMEOUT_S = 120
# How the ranks of a job reach memory: by PSNAM_PATH. The ranks of a mixed one take turns.
PATHS = {"mapped": ("mapped",), "fabric": ("fabric",), "mixed": ("mapped", "fabric")}


def mpiexec():
    """MPICH's launcher, also where another MPI took the plain name."""
    return shutil.which("mpiexec.mpich") or shutil.which("mpiexec") or sys.exit("no mpiexec found")


class JobResult:
    def __init__(self, returncode, output, timed_out):
        self.returncode = returncode
        self.output = output
        self.timed_out = timed_out


class Site:
    """A folder with stores, one for each simulated node, that goes when the test ends. With `namd`, jobs have a manager of their own
    and reach its memory by `paths`, a name of PATHS; without, they embed their stores. The variables TEST_NAMD and TEST_PATHS have a
    test run so that does not say anything itself."""

    def __init__(self, preload=None, nodes=("node",), namd=None, paths=None, namd_options=()):
        namd = namd or os.environ.get("TEST_NAMD")
        paths = paths or os.environ.get("TEST_PATHS", "mapped")
        self.preload = preload
        self.folder = tempfile.mkdtemp(prefix="psnam-test-", dir="/dev/shm")
        self.stores = {node: os.path.join(self.folder, "store-" + node) for node in nodes}
        self.manager = Manager(namd, self.folder, namd_options) if namd else None
        # On several nodes nobody may insist on mapping: what lies in the store of another node he cannot map.
        self.paths = tuple("auto" if path == "mapped" and len(nodes) > 1 else path for path in PATHS[paths])

    def __enter__(self):
        try:
            if self.manager:
                self.manager.start()
        except BaseException:
            shutil.rmtree(self.folder)
            raise
        return self

    def __exit__(self, *what):
        try:
            if self.manager:
                self.manager.__exit__(*what)
        finally:
            shutil.rmtree(self.folder)

    @property
    def store(self):
        return next(iter(self.stores.values()))

    def has_store(self):
        return any(os.path.exists(store) for store in self.stores.values())

    def files(self):
        """The files of all memory that there is, at the nodes and at the manager."""
        stores = [*self.stores.values(), *([self.manager.store] if self.manager else [])]
        return [file for store in stores for file in files_of(store)]

    def environment(self, path=None):
        """What a program outside of a job needs to find what the jobs find."""
        settings = {"PSNAM_STORE": self.store}
        if self.manager:
            path = path or self.paths[0]
            settings.update({"PSNAM_MANAGER": self.manager.address(path), "PSNAM_PATH": path})
        return settings

    def run(self, command, timeout=60, path=None, env=None):
        """Runs a program outside of a job; it must succeed. Returns what it wrote to its standard output."""
        done = subprocess.run(command, text=True, capture_output=True, timeout=timeout,
                              env={**os.environ, **self.environment(path), **(env or {})})
        assert done.returncode == 0, f"{command} ended with status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout

    def check(self, store_tool):
        """Has what the dead left released, at the nodes and at the manager; catalogs and files must agree. Returns the sums of
        the numbers that the tool tells of each."""
        outputs = [self.run([store_tool, "check", store]) for store in self.stores.values() if os.path.exists(store)]
        if self.manager:
            outputs.append(self.run([store_tool, "check", "-"]))
        numbers = collections.Counter(windows=0, allocations=0, uses=0, services=0, reserved=0, allocated=0)
        for output in outputs:
            numbers.update({key: int(value) for key, value in re.findall(r"(\w+)=(\d+)", output.splitlines()[-1])})
        return numbers

    def _program(self, node, program, env, path):
        settings = {**self.environment(path), "PSNAM_STORE": self.stores[node]}
        settings.update(env)
        if self.preload:
            settings["LD_PRELOAD"] = ":".join(filter(None, [self.preload, env.get("LD_PRELOAD")]))
        # The program alone gets the library, by env(1): the launcher's own processes are not meant.
        return ["env", *(f"{key}={value}" for key, value in settings.items()), *program]

    def job(self, ranks, program, env=None, timeout=DEFAULT_TIMEOUT_S, mpi_env=None):
        """Runs `program` with `ranks` ranks (a number, or {node: number}); waits, with a limit; returns a JobResult.
        The output is what went to standard output, then what went to standard error: mixed, their lines could break each other."""
        return self.wait(self.start(ranks, program, env, mpi_env, stderr=subprocess.PIPE), timeout)

    def start(self, ranks, program, env=None, mpi_env=None, launcher=(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
              stderr=subprocess.STDOUT, path=None, prefix=()):
        """Starts a job. `launcher`: further arguments of mpiexec; `prefix`: what comes before it. `ranks` may also be a list of
        (node, number) pairs, in rank order. `path`: of all its ranks, instead of the site's."""
        ranks = ranks if isinstance(ranks, (dict, list)) else {next(iter(self.stores)): ranks}
        command = [*prefix, mpiexec(), *launcher]
        for i, (node, count, part_path) in enumerate(self._parts(ranks, (path,) if path else self.paths)):
            command += ([":"] if i else []) + ["-n", str(count), *self._program(node, program, env or {}, part_path)]
        environment = {**os.environ, **(mpi_env or {})}
        return subprocess.Popen(command, stdin=stdin, stdout=stdout, stderr=stderr, text=True,
                                errors="replace", start_new_session=True, env=environment)

    @staticmethod
    def _parts(ranks, paths):
        """(node, number of ranks, path), in rank order."""
        parts = ranks.items() if isinstance(ranks, dict) else ranks
        if len(paths) == 1:
            return [(node, count, paths[0]) for node, count in parts]
        nodes = [node for node, count in parts for _ in range(count)]
        return [(node, 1, paths[rank % len(paths)]) for rank, node in enumerate(nodes)]

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
