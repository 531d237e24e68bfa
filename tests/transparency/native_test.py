"""MPI programs that use no PSNAM window run as they do without the library."""

import os
import unittest

import transparency as t
from jobs import Site


def outcome(result):
    """Status and lines; the order of lines of different ranks is not defined."""
    return result.returncode, sorted(result.output.splitlines())


class WithoutWindowsOfOurs(unittest.TestCase):
    def both(self, ranks, command):
        with Site() as site:
            without = site.job(ranks, command)
        with Site(t.LIBRARY) as site:
            loaded = site.job(ranks, command)
            self.assertFalse(os.path.exists(site.store), "a store was made")
        self.assertFalse(without.timed_out or loaded.timed_out)
        return without, loaded

    def expect_same(self, ranks, command):
        without, loaded = self.both(ranks, command)
        self.assertEqual(outcome(without), outcome(loaded))
        return loaded

    def test_all_kinds_of_native_windows_and_all_calls_on_them(self):
        for ranks in (2, 3):
            with self.subTest(ranks=ranks):
                result = self.expect_same(ranks, [t.program("native_windows")])
                self.assertEqual(result.returncode, 0)
                self.assertGreater(len(result.output.splitlines()), 150 * ranks)
                self.assertIn("--- dynamic", result.output)

    def test_lives_that_end_well(self):
        for life, status in (("plain", 0), ("sessions", 0), ("forks", 0), ("mpi-in-child", 0), ("ask-outside", 0), ("no-finalize", 5)):
            with self.subTest(life=life):
                result = self.expect_same(1, [t.program("lifecycle"), life])
                self.assertEqual(result.returncode, status)

    def test_two_ranks_with_sessions_only(self):
        self.assertEqual(self.expect_same(2, [t.program("lifecycle"), "sessions"]).returncode, 0)

    def test_all_thread_levels_are_given_as_asked(self):
        for level in range(4):
            with self.subTest(level=level):
                self.assertEqual(self.expect_same(2, [t.program("lifecycle"), "level", str(level)]).returncode, 0)

    def test_calls_that_mpi_forbids_are_the_mpi_librarys_to_complain_of(self):
        for life, text in (("finalize-twice", "(internal_Finalize) before initializing or after finalizing"),
                           ("after-finalize", "(internal_Win_allocate) before initializing or after finalizing"),
                           ("before-init", "before initializing or after finalizing"),
                           ("fatal", "Fatal error in internal_Win_allocate: Invalid size argument in RMA call")):
            with self.subTest(life=life):
                without, loaded = self.both(1, [t.program("lifecycle"), life])
                self.assertEqual(without.returncode, loaded.returncode)
                self.assertNotEqual(loaded.returncode, 0)
                self.assertIn(text, without.output)
                self.assertIn(text, loaded.output)
                self.assertNotIn("survived", loaded.output)


if __name__ == "__main__":
    t.main()
