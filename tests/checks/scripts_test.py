#!/usr/bin/env python3
"""The scripts around the code: packages are installed only where they are missing, results are counted truly, and a tree that
fails makes ./check say so. Programs that would change the machine are replaced by ones that note how they were called."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
import test_results  # noqa: E402  (lives in tools)


class Machine(unittest.TestCase):
    """A made-up machine: some packages are installed, and apt-get and sudo only take notes."""

    INSTALLED = "g++ meson"
    LIST = "# comment\ng++ build a compiler\nmeson build builds\nlibpng-dev example pictures\nmandoc test lint\n"

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.notes = self.folder / "notes"
        self.notes.touch()
        (self.folder / "packages.txt").write_text(self.LIST)
        self.programs = self.folder / "bin"
        self.programs.mkdir()
        for name in ("bash", "cat", "env", "grep", "id", "tail"):
            (self.programs / name).symlink_to(shutil.which(name))
        self.program("dpkg-query", f'for p in {self.INSTALLED}; do [[ $p == "${{@: -1}}" ]] && printf installed; done; true')
        self.program("apt-get", f'echo "apt-get $*" >>{self.notes}')

    def program(self, name, body):
        file = self.programs / name
        file.write_text(f"#!{shutil.which('bash')}\n{body}\n")
        file.chmod(0o755)

    def source(self, command, uid=0):
        environment = {"PATH": str(self.programs), "PSNAM_PACKAGES": str(self.folder / "packages.txt"), "PSNAM_UID": str(uid)}
        script = f"set -euo pipefail; source {ROOT}/tools/common.sh; {command}"
        return subprocess.run(["bash", "-c", script, "quickstart"], env=environment, capture_output=True, text=True, check=False)


class Packages(Machine):
    def test_nothing_missing_installs_nothing_and_needs_no_rights(self):
        result = self.source("install_packages build", uid=1000)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.notes.read_text(), "")

    def test_only_what_is_missing_is_installed_after_one_update(self):
        result = self.source("install_packages build example")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(self.notes.read_text(), "apt-get -q update\napt-get -q install -y --no-install-recommends libpng-dev\n")

    def test_a_user_with_sudo_installs_through_it(self):
        self.program("sudo", f'echo "sudo" >>{self.notes}; exec "$@"')
        self.assertEqual(self.source("install_packages test", uid=1000).returncode, 0)
        self.assertEqual(self.notes.read_text().count("sudo\n"), 2)
        self.assertIn("mandoc\n", self.notes.read_text())

    def test_a_user_without_sudo_is_told_the_command(self):
        result = self.source("install_packages example test", uid=1000)
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("apt-get install -y --no-install-recommends libpng-dev mandoc", result.stderr)
        self.assertEqual(self.notes.read_text(), "")

    def test_a_failed_installation_stops_the_script(self):
        self.program("apt-get", "exit 100")
        self.assertNotEqual(self.source("install_packages example; echo went on").returncode, 0)

    def test_every_row_of_the_real_list_has_a_group_and_a_reason(self):
        rows = [line.split(None, 2) for line in (ROOT / "tools/packages.txt").read_text().splitlines() if line and line[0] != "#"]
        for row in rows:
            self.assertEqual(len(row), 3, row)
            self.assertIn(row[1], ("build", "example", "test"))
        self.assertEqual(len({row[0] for row in rows}), len(rows))


class Tools(Machine):
    def test_the_name_with_mpich_comes_first(self):
        self.program("mpiexec", "echo 'mpiexec (OpenRTE) 4.1.4'")
        self.program("mpiexec.mpich", "true")
        self.assertIn("mpiexec.mpich", self.source("mpich_tool mpiexec").stdout)

    def test_the_tool_of_another_mpi_is_refused(self):
        self.program("mpiexec", "echo 'mpiexec (OpenRTE) 4.1.4'")
        result = self.source("mpich_tool mpiexec")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("no mpiexec of MPICH", result.stderr)

    def test_a_quiet_command_that_fails_shows_its_output(self):
        result = self.source(f"quietly {self.folder}/log cat /nonexistent")
        self.assertNotEqual(result.returncode, 0)
        self.assertIn("/nonexistent", result.stderr)


class Results(unittest.TestCase):
    def test_every_result_of_meson_is_counted(self):
        results = ["OK", "OK", "EXPECTEDFAIL", "FAIL", "TIMEOUT", "ERROR", "UNEXPECTEDPASS", "INTERRUPT", "SKIP", "something new"]
        self.assertEqual(test_results.count([{"result": r} for r in results]), (3, 6, 1))

    def test_a_damaged_line_is_a_failure(self):
        with tempfile.TemporaryDirectory() as folder:
            log = pathlib.Path(folder) / "testlog.json"
            log.write_text(json.dumps({"name": "a", "result": "OK"}) + '\n{"name": "b", "resu\n')
            self.assertEqual(test_results.count(test_results.read(log)), (1, 1, 0))

    def test_a_failure_shows_the_end_of_its_output(self):
        record = {"name": "n", "result": "FAIL", "duration": 1, "stdout": "\n".join(map(str, range(100))), "stderr": "why"}
        self.assertEqual(len(test_results.describe_failure(record, 5).splitlines()), 6)


TOOLS = all(map(shutil.which, ("meson", "clang-format", "shellcheck", "mandoc")))


class Fuzz(unittest.TestCase):
    def test_a_target_that_breaks_is_no_skipped_test(self):
        """libFuzzer ends with 77 then, by which a test says that it cannot run."""
        with tempfile.TemporaryDirectory() as folder:
            target = os.path.join(folder, "target")
            for status in (0, 1, 77):
                with open(target, "w", encoding="utf-8") as file:
                    file.write(f"#!/bin/sh\nexit {status}\n")
                os.chmod(target, 0o700)
                done = subprocess.run([ROOT / "tests" / "fuzz" / "run", "1", target, folder], capture_output=True, timeout=60)
                self.assertEqual(done.returncode, int(status != 0), status)


class Check(unittest.TestCase):
    """./check on a small project of its own, with Meson. The packages count as installed."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name)
        for name in ("check", "tools/common.sh", "tools/test_results.py", ".clang-format"):
            (self.root / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)
        (self.root / "tools/packages.txt").write_text("")
        (self.root / "docs/man").mkdir(parents=True)
        shutil.copy(ROOT / "docs/man/psnam.7", self.root / "docs/man")
        (self.root / "a.c").write_text("int main(void) { return 0; }\n")
        options = "".join(f"option('{name}', type: 'feature')\n" for name in ("tests", "examples", "benchmarks"))
        (self.root / "meson_options.txt").write_text(options)
        (self.root / ".gitignore").write_text("/build*/\n/shm/\n")
        (self.root / "shm").mkdir()
        subprocess.run(["git", "init", "-q", self.root], check=True)

    def check(self, tests):
        (self.root / "meson.build").write_text(f"project('p', 'c')\na = executable('a', 'a.c')\nsh = find_program('sh')\n{tests}\n")
        # Shared memory of its own, so that other jobs of this machine do not count as leftovers.
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MESON", "PSNAM"))}
        environment["PSNAM_CHECK_SHM"] = str(self.root / "shm")
        result = subprocess.run([self.root / "check"], env=environment, capture_output=True, text=True, check=False)
        return result.returncode, result.stdout.splitlines()[-1], result.stderr

    @unittest.skipUnless(TOOLS, "needs the tools of ./check")
    def test_the_last_line_counts_and_the_status_agrees(self):
        own = 7 + 1  # configure twice, build, format, shell, manuals, nothing left; and the second test once more
        good = "test('one', a)\ntest('two', a, suite: 'threads')"
        self.assertEqual(self.check(good)[:2], (0, f"{2 + own} passed, 0 failed"))
        skipping = "\ntest('three', sh, args: ['-c', 'exit 77'])"
        self.assertEqual(self.check(good + skipping)[:2], (0, f"{2 + own} passed, 0 failed, 1 skipped"))
        status, line, errors = self.check(good + "\ntest('bad', sh, args: ['-c', 'echo the reason; exit 3'])")
        self.assertEqual((status, line), (1, f"{2 + own} passed, 1 failed"))
        self.assertIn("the reason", errors)
        self.assertEqual(self.check("")[:2], (1, f"{own - 1} passed, 2 failed"))
        self.assertEqual(self.check("error('broken')")[:2], (1, "0 passed, 1 failed"))
        self.assertEqual(self.check(good)[:2], (0, f"{2 + own} passed, 0 failed"))
        shutil.rmtree(self.root / "build-check")
        self.assertEqual(self.check("error('broken')")[:2], (1, "0 passed, 1 failed"))
        self.assertEqual(self.check(good)[:2], (0, f"{2 + own} passed, 0 failed"))

    @unittest.skipUnless(TOOLS, "needs the tools of ./check")
    def test_what_a_test_leaves_behind_and_a_badly_formatted_file_fail(self):
        name = f"{self.root}/shm/psnam-left"
        (self.root / "a.c").write_text("int main( void ){return 0;}\n")
        status, line, errors = self.check(f"test('one', sh, suite: 'threads', args: ['-c', 'touch {name}'])")
        self.assertEqual((status, line), (1, "7 passed, 2 failed"))
        self.assertIn(name, errors)

    @unittest.skipUnless(TOOLS, "needs the tools of ./check")
    def test_a_process_that_a_test_leaves_behind_is_named(self):
        # It reads from a pipe that nobody closes before this test ends.
        reader, writer = os.pipe()
        pipe = f"/proc/{os.getpid()}/fd/{reader}"
        status, line, errors = self.check(f"test('one', sh, suite: 'threads', args: ['-c', 'setsid cat <{pipe} >/dev/null 2>&1 &'])")
        os.close(writer)
        os.close(reader)
        self.assertEqual((status, line), (1, "8 passed, 1 failed"))
        self.assertRegex(errors, r"left running: process \d+: cat")


if __name__ == "__main__":
    unittest.main()
