"""The shared table, as several jobs fill it at once: shared_table_test.py PROGRAM LIBRARY [unittest arguments]."""

import os
import re
import signal
import struct
import sys
import unittest

from jobs import Site, files_of

PROGRAM, LIBRARY = (os.path.abspath(path) for path in sys.argv[1:3])
LIMIT_S = 200


def command(*arguments):
    return [PROGRAM, *map(str, arguments)]


class TheSharedTable(unittest.TestCase):
    def setUp(self):
        self.site = Site(LIBRARY)
        self.addCleanup(self.site.__exit__)

    def check(self, ranks, *options):
        """What the check of the table says, which must be that all is right."""
        return self.site.expect(ranks, command("check", *options), timeout=LIMIT_S).output

    def two_jobs(self, ranks, operations, *options):
        """A job makes the table, another finds it, and both work on it at once; what both said."""
        both = ["--jobs", 2, "--operations", operations]
        with self.site.talk(ranks, command("make", *both, "--tickets", 2 * operations, *options)) as first:
            first.line(".* is published")
            threads = options[options.index("--threads"):][:2] if "--threads" in options else []
            with self.site.talk(ranks, command("work", *both, *threads)) as second:
                second.finish(LIMIT_S)
                first.finish(LIMIT_S)
        return first.output + second.output

    def test_two_jobs_of_a_million_operations_each_leave_exact_sums(self):
        for structure in ["raw_and_flat", "managed_contiguous", "managed_distributed"]:
            for manifestation in ["libnam", "pershm"]:
                with self.subTest(structure, memory=manifestation):
                    said = self.two_jobs(1, 1000000, "--structure", structure, "--manifestation", manifestation)
                    self.assertEqual(len(re.findall(r"job [12] did 1000000 tickets", said)), 2, said)
                    found = self.check(1, "--remove")
                    self.assertIn("2000000 tickets drawn, none twice: 1000000 done by job 1, 1000000 done by job 2, "
                                  "0 by nobody", found)
                    self.assertIn("50000 keys, 2000000 additions, sum 2000001000000: exactly", found)
                    self.assertEqual(files_of(self.site.store), [])

    def test_jobs_of_two_ranks_share_the_parts_of_a_table(self):
        for structure, parts in [("raw_and_flat", 1), ("managed_contiguous", 2), ("managed_distributed", 2)]:
            with self.subTest(structure):
                said = self.two_jobs(2, 100000, "--structure", structure, "--keys", 1000)
                self.assertIn(f"2000 slots and 200000 tickets in {parts} part", said)
                self.assertIn("1000 keys, 200000 additions, sum 20000100000: exactly", self.check(3, "--remove"))
                self.assertEqual(files_of(self.site.store), [])

    def test_threads_of_a_process_at_few_keys(self):
        # One key and few slots: all threads at the same elements all the time.
        for keys in [1, 100]:
            self.site.expect(1, command("make", "--threads", 4, "--keys", keys, "--tickets", 400000))
            self.assertIn(f"{keys} keys, 400000 additions, sum 80000200000: exactly", self.check(1, "--remove"))

    def test_a_million_operations_of_the_threads_of_a_process(self):
        self.site.expect(1, command("make", "--threads", 4), timeout=LIMIT_S)
        self.assertIn("50000 keys, 1000000 additions, sum 500000500000: exactly", self.check(1, "--remove"))

    def test_two_jobs_of_two_threads_each(self):
        self.two_jobs(1, 50000, "--keys", 1000, "--threads", 2)
        self.assertIn("1000 keys, 100000 additions, sum 5000050000: exactly", self.check(1, "--remove"))

    def one_is_killed(self, structure, ranks):
        """Both work; rank 0 of the second is killed, at whatever it is doing; the first and a third do all they
        have to; nothing but what the killed ranks had at hand is open."""
        many, limited = 20000000, 500000
        with self.site.talk(1 if structure == "raw_and_flat" else 2,
                            command("make", "--structure", structure, "--tickets", many, "--jobs", 2, "--operations",
                                    limited)) as survivor:
            survivor.line(".* is published")
            with self.site.talk(ranks, command("work", "--jobs", 2, "--operations", many, "--progress", 5000)) as victim:
                process = int(victim.line(r".*job 2 begins, process (\d+)").group(1))
                victim.line(".*has done 5000 tickets")
                os.kill(process, signal.SIGKILL)
                survivor.finish(LIMIT_S)
                victim.process.wait(LIMIT_S)
                self.assertNotEqual(victim.process.returncode, 0)
        self.assertIn(f"job 1 did {limited} tickets", survivor.output)
        found = self.check(2, "--lost", ranks)
        undone = int(re.search(rf"{limited} done by job 1, \d+ done by job 2, (\d) by nobody", found).group(1))
        self.site.expect(2, command("work", "--operations", 1000))
        found = self.check(1, "--lost", ranks, "--remove")
        self.assertRegex(found, rf"{limited} done by job 1, \d+ done by job 2, 1000 done by job 3, {undone} by nobody")
        self.assertEqual(files_of(self.site.store), [])

    def test_a_job_that_is_killed_leaves_all_it_had_done_and_stops_nobody(self):
        for structure, ranks in [("raw_and_flat", 1), ("managed_contiguous", 2), ("managed_distributed", 2)]:
            for attempt in range(2):
                with self.subTest(structure, attempt=attempt):
                    self.one_is_killed(structure, ranks)

    def test_a_wrong_sum_is_found_and_the_table_is_kept(self):
        self.site.expect(1, command("make", "--keys", 1, "--tickets", 1000, "--structure", "raw_and_flat"))
        (memory,) = [path for path in files_of(self.site.store) if os.path.basename(os.path.dirname(path)) == "memory"]
        with open(memory, "r+b") as file:
            file.seek(file.read().index(struct.pack("<qq", 1000, 500500)) + 8)
            file.write(struct.pack("<q", 500501))
        result = self.site.job(2, command("check", "--remove", "--lost", 1))
        self.assertNotEqual(result.returncode, 0, result.output)
        self.assertIn("key 0 has count 1000 and sum 500501, not 1000 and 500500", result.output)
        self.assertNotEqual(files_of(self.site.store), [])

    def test_a_ticket_without_its_mark_is_lost_and_counted(self):
        self.site.expect(1, command("make", "--keys", 1, "--tickets", 1000, "--structure", "raw_and_flat"))
        (memory,) = [path for path in files_of(self.site.store) if os.path.basename(os.path.dirname(path)) == "memory"]
        with open(memory, "r+b") as file:
            file.seek(file.read().index(b"\1" * 1000) + 7)
            file.write(b"\0")
        result = self.site.job(1, command("check"))
        self.assertNotEqual(result.returncode, 0, result.output)
        self.assertIn("ticket 7 was drawn and not done", result.output)
        self.assertIn("1000 additions, sum 500500: exactly", self.check(1, "--lost", 1, "--remove"))

    def test_wrong_options_are_usage_errors_of_status_2(self):
        for case in [[], ["fill"], ["make", "--keys", "0"], ["work", "--threads", "x"], ["check", "--lost"],
                     ["work", "--unknown", "1"], ["make", "left"]]:
            with self.subTest(case=case):
                result = self.site.job(2, command(*case))
                self.assertEqual(result.returncode, 2, result.output)
                self.assertEqual(result.output.count("usage: "), 1, result.output)

    def test_without_the_library_or_the_table_it_says_what_is_missing(self):
        with Site() as bare:
            result = bare.job(2, command("make"))
            self.assertNotEqual(result.returncode, 0, result.output)
            self.assertIn("LD_PRELOAD=libpsnam.so", result.output)
        result = self.site.job(2, command("work", "--service", "nobody"))
        self.assertEqual(result.returncode, 1, result.output)
        self.assertEqual(result.output.count("no window is published as 'nobody'"), 1, result.output)


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
