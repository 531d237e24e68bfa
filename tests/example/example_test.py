"""The examples, run as a user runs them: example_test.py BUILD_DIR SOURCE_DIR LIBRARY [unittest arguments]."""

import os
import re
import struct
import subprocess
import sys
import tempfile
import unittest
import zlib

from jobs import Site, files_of

BUILD, SOURCE, LIBRARY = (os.path.abspath(path) for path in sys.argv[1:4])
HEAT = os.path.join(BUILD, "examples", "heat")
PAIR = os.path.join(BUILD, "examples", "producer_consumer")
LIBNAM = os.path.join(BUILD, "examples", "libnam")
SMALL = ["--size", "45x31", "--steps", "40", "--every", "10"]
FORTRAN = os.path.join(HEAT, "heat_producer_f08")
PRODUCERS = [path for path in [os.path.join(HEAT, "heat_producer"), FORTRAN] if os.path.exists(path)]
VIEWER = os.path.join(HEAT, "heat_viewer")


def png_chunks(path):
    """Yields (type, content) of each chunk, with its checksum verified."""
    with open(path, "rb") as file:
        data = file.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise AssertionError(f"{path} is not a PNG file")
    at = 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        content = data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack(">I", data[at + 8 + length : at + 12 + length])
        if zlib.crc32(kind + content) != checksum:
            raise AssertionError(f"{path}: the checksum of chunk {kind} at {at} is wrong")
        yield kind, content
        at += 12 + length


def png_size(path):
    """Width and height, after all pixels have been unpacked."""
    chunks = list(png_chunks(path))
    width, height, depth, colour = struct.unpack(">IIBB", chunks[0][1][:10])
    pixels = zlib.decompress(b"".join(content for kind, content in chunks if kind == b"IDAT"))
    if (depth, colour) != (8, 2) or len(pixels) != height * (1 + 3 * width):
        raise AssertionError(f"{path}: {len(pixels)} bytes are not {width} x {height} pixels of three bytes")
    return width, height


class TheHeatExample(unittest.TestCase):
    def test_run_draws_the_pictures_and_leaves_an_empty_store(self):
        run = os.path.join(SOURCE, "examples", "heat", "run")
        with tempfile.TemporaryDirectory() as output:
            result = subprocess.run(["bash", run, BUILD, output, *SMALL], stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=240)
            self.assertEqual(result.returncode, 0, result.stdout)
            pictures = ["heat.png"] + (["heat_f08.png"] if os.path.exists(FORTRAN) else [])
            self.assertEqual(sorted(os.listdir(output)), pictures)
            told = re.findall(r"wrote \S*/(\S+), (\d+) x (\d+) pixels", result.stdout)
            found = [(name, *(str(n) for n in png_size(os.path.join(output, name)))) for name in pictures]
            self.assertEqual(told, found, result.stdout)
            self.assertEqual(result.stdout.count("the store is empty again"), len(pictures), result.stdout)

    def test_every_structure_and_manifestation_is_read_by_other_numbers_of_ranks(self):
        for number, structure in enumerate(["raw_and_flat", "managed_contiguous", "managed_distributed"]):
            for manifestation in ["libnam", "pershm"]:
                for producer in PRODUCERS:
                    with self.subTest(structure, memory=manifestation, producer=producer), Site(LIBRARY) as site:
                        site.expect(3, [producer, *SMALL, "--structure", structure, "--manifestation", manifestation])
                        self.assertNotEqual(files_of(site.store), [])
                        picture = os.path.join(site.folder, "heat.png")
                        seen = site.expect(number + 1, [VIEWER, "--picture", picture, "--remove"])
                        self.assertIn("all 6975 values of 5 frames equal the serial computation", seen.output)
                        self.assertEqual(files_of(site.store), [])

    def test_a_wrong_bit_is_found_and_the_window_is_kept(self):
        with Site(LIBRARY) as site:
            site.expect(1, [PRODUCERS[0], *SMALL, "--structure", "raw_and_flat"])
            (memory,) = [path for path in files_of(site.store) if os.path.basename(os.path.dirname(path)) == "memory"]
            with open(memory, "r+b") as file:
                at = file.read().index(struct.pack("<d", 100.0))
                file.seek(at)
                file.write(b"\x01")
            picture = os.path.join(site.folder, "heat.png")
            result = site.job(2, [VIEWER, "--picture", picture, "--remove"])
            self.assertFalse(os.path.exists(picture))
            self.assertNotEqual(result.returncode, 0, result.output)
            self.assertIn("1 of 6975 values are wrong", result.output)
            self.assertIn("0x1.9000000000001p+6 in the window, 0x1.9p+6 computed", result.output)
            self.assertNotEqual(files_of(site.store), [])

    def test_a_service_name_that_is_taken_leaves_only_the_first_window(self):
        for producer in PRODUCERS:
            with self.subTest(producer=producer), Site(LIBRARY) as site:
                site.expect(2, [producer, *SMALL])
                before = files_of(site.store)
                result = site.job(2, [producer, *SMALL])
                self.assertNotEqual(result.returncode, 0, result.output)
                self.assertIn("cannot publish the window as 'heat', so it is removed", result.output)
                self.assertEqual(files_of(site.store), before)

    def test_wrong_options_are_usage_errors_of_status_2(self):
        cases = [["--size", "10"], ["--size", "7x100"], ["--steps", "-1"], ["--every", "0"], ["--structure", "flat"],
                 ["--manifestation", "segment"], ["--steps"], ["--unknown", "1"], ["left"]]
        with Site() as site:
            for producer in PRODUCERS:
                for case in cases:
                    with self.subTest(producer=producer, case=case):
                        result = site.job(2, [producer, *case])
                        self.assertEqual(result.returncode, 2, result.output)
                        self.assertEqual(result.output.count("usage: "), 1, result.output)

    def test_without_the_library_every_program_says_what_is_missing(self):
        with Site() as site:
            for program in [*PRODUCERS, VIEWER, os.path.join(PAIR, "producer")]:
                with self.subTest(program=program):
                    result = site.job(2, [program])
                    self.assertNotEqual(result.returncode, 0, result.output)
                    self.assertIn("LD_PRELOAD=libpsnam.so", result.output)

    def test_a_service_that_nobody_published_is_named(self):
        with Site(LIBRARY) as site:
            result = site.job(2, [VIEWER, "--service", "nobody"])
            self.assertEqual(result.returncode, 1, result.output)
            self.assertEqual(result.output.count("no window is published as 'nobody'"), 1, result.output)


class TheProducerAndTheConsumer(unittest.TestCase):
    def test_any_number_of_consumers_reads_each_number_once_and_removes_the_window(self):
        for consumers in [1, 2, 5]:
            with self.subTest(consumers=consumers), Site(LIBRARY) as site:
                site.expect(3, [os.path.join(PAIR, "producer")])
                result = site.expect(consumers, [os.path.join(PAIR, "consumer")])
                left = sorted(re.findall(r"rank (\d+) of the producer left (\d+)", result.output))
                self.assertEqual(left, [("0", "100"), ("1", "101"), ("2", "102")], result.output)
                self.assertEqual(files_of(site.store), [])


class TheLibnamExamples(unittest.TestCase):
    def alone(self, site, program):
        """Runs `program` without MPI; returns its lines."""
        result = subprocess.run([os.path.join(LIBNAM, program)], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                text=True, timeout=60, env={**os.environ, "PSNAM_STORE": site.store})
        self.assertEqual(result.returncode, 0, result.stdout)
        return result.stdout.splitlines()

    def test_what_is_put_is_got_and_an_access_outside_is_refused(self):
        with Site() as site:
            lines = self.alone(site, "put_get")
            self.assertEqual(lines[:3], ["16000 bytes on NAM 0", "number 999 of the first half is 499.5",
                                         "number 998 of the second half is 499"])
            self.assertRegex(lines[3], r"^refused: nam_put_sync: 8000 bytes at offset 8001 leave allocation \d+, which has 16000$")
            self.assertEqual(files_of(site.store), [])

    def test_one_process_waits_for_each_piece_of_the_other(self):
        with Site() as site:
            self.assertEqual(self.alone(site, "notify"), [f"piece {i} of 5" for i in range(1, 6)])
            self.assertEqual(files_of(site.store), [])

    def test_uneven_parts_go_through_the_nam_for_any_number_of_ranks(self):
        for ranks in [1, 2, 3]:
            with self.subTest(ranks=ranks), Site() as site:
                result = site.expect(ranks, [os.path.join(LIBNAM, "through_the_nam")])
                expected = [f"rank {r}: my last number is {1000 + 101 * r}" for r in range(ranks)]
                expected += [f"rank {r}: the first number of the root is {1000 + 100 * (ranks - 1)}" for r in range(ranks)]
                self.assertEqual(sorted(result.output.split("\n")[:-1]), sorted(expected))
                self.assertEqual(files_of(site.store), [])


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[4:]])
