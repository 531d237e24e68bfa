"""Preloaded into programs that have nothing to do with MPI, the library has no effect."""

import os
import re
import shutil
import tempfile
import unittest

import transparency as t

NON_MPI = [
    ["/bin/true"],
    ["/bin/false"],
    ["sh", "-c", "echo out; echo err >&2; (exit 3) || echo sub $?; ls / | wc -l; exit 4"],
    ["python3", "-c", "import threading, subprocess, sys; "
     "[x.start() or x.join() for x in [threading.Thread(target=print, args=(i,)) for i in range(3)]]; "
     "print(subprocess.run(['echo', 'child'], capture_output=True).stdout); sys.exit(5)"],
    ["env", "-i", "PATH=/bin:/usr/bin", "sh", "-c", "echo clean"],
    ["sh", "-c", "exec sh -c 'exec echo exec'"],
]

# The system calls of the dynamic linker, and those of starting the C library.
LOADING = {"execve", "brk", "access", "openat", "newfstatat", "fstat", "stat", "mmap", "close", "read", "pread64", "arch_prctl", "mprotect",
           "set_tid_address", "set_robust_list", "rseq", "prlimit64", "munmap", "getrandom", "futex", "statfs", "readlink"}


class PreloadedInto(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="psnam-test-", dir="/dev/shm")
        self.addCleanup(shutil.rmtree, self.folder)
        self.store = os.path.join(self.folder, "store")

    def expect_same(self, command, **options):
        without = t.plain_run(command, **options)
        loaded = t.plain_run(command, preload=t.LIBRARY, store=self.store, **options)
        self.assertEqual(without, loaded, command)
        self.assertFalse(os.path.exists(self.store), "a store was made")
        return loaded

    def test_programs_without_mpi_behave_the_same(self):
        for command in NON_MPI:
            with self.subTest(command=command):
                self.expect_same(command)

    def test_the_library_is_loaded_in_these_tests(self):
        _, output, _ = t.plain_run(["cat", "/proc/self/maps"], preload=t.LIBRARY)
        self.assertIn(os.path.realpath(t.LIBRARY), output)

    def test_a_threaded_program_that_forks_behaves_the_same(self):
        status, output, _ = self.expect_same([t.program("threads")])
        self.assertEqual((status, output), (7, "sum 40000\nfrom the child\n"))

    def test_the_launcher_itself_behaves_the_same(self):
        launcher = shutil.which("mpiexec.mpich") or "mpiexec"
        status, output, _ = self.expect_same([launcher, "-n", "2", "echo", "hello"])
        self.assertEqual((status, output), (0, "hello\nhello\n"))

    def test_an_mpi_job_whose_launcher_is_preloaded_works(self):
        launcher = shutil.which("mpiexec.mpich") or "mpiexec"
        status, output, _ = self.expect_same([launcher, "-n", "1", t.program("lifecycle"), "plain"])
        self.assertEqual((status, output), (0, "rank 0 of 1 has 10\n"))

    def test_it_makes_no_system_calls_beyond_being_loaded(self):
        strace = shutil.which("strace")
        if strace is None:
            self.skipTest("no strace")
        calls = self.system_calls(strace, None)
        if calls is None:
            self.skipTest("strace may not trace here")
        loaded = self.system_calls(strace, t.LIBRARY)
        # What comes before the program's first own call is loading; what follows is the program, and must be the same.
        own, own_loaded = self.behind_loading(calls), self.behind_loading(loaded)
        self.assertGreater(len(own), 3)
        self.assertEqual(own, own_loaded)
        names = {re.match(r"\w+", line).group() for line in loaded[:len(loaded) - len(own_loaded)]}
        unexpected = names - LOADING
        self.assertEqual(unexpected, set())

    @staticmethod
    def behind_loading(lines):
        return lines[next(i for i, line in enumerate(lines) if line.startswith("openat(") and "/proc/self/stat" in line):]

    def system_calls(self, strace, preload):
        """The calls of cat, without addresses and data, which differ from run to run."""
        trace = os.path.join(self.folder, "trace")
        environment = ["-E", "LD_PRELOAD=" + preload] if preload else []
        status, _, _ = t.plain_run([strace, "-o", trace, *environment, "/bin/cat", "/proc/self/stat"])
        if status != 0:
            return None
        with open(trace, encoding="utf-8") as file:
            lines = [re.sub(r"0x[0-9a-f]+", "X", line.strip()) for line in file if not line.startswith("+++")]
        return [re.sub(r'^(read|write)\((\d+).*', r"\1(\2", line) for line in lines]


if __name__ == "__main__":
    t.main()
