"""The ways in which a program and the library come together, and the ways in which programs are built."""

import unittest

import transparency as t
from jobs import Site, files_of


class Roundtrip(unittest.TestCase):
    """Each test runs a producer and a consumer of one persistent window; the consumer removes it."""

    def roundtrip(self, produce, consume=None, preload=True):
        with Site(t.LIBRARY if preload else None) as site:
            output = site.expect(2, [*produce, "produce", "linking"]).output
            self.assertIn("produce ok", output)
            self.assertEqual(len([name for name in files_of(site.store) if "/memory/" in name]), 2)
            output = site.expect(3, [*(consume or produce), "consume", "linking"]).output
            self.assertIn("consume ok", output)
            self.assertEqual(files_of(site.store), [])

    def test_by_preloading(self):
        self.roundtrip([t.program("roundtrip")])

    def test_by_linking(self):
        self.roundtrip([t.program("roundtrip_linked")], preload=False)

    def test_by_linking_and_preloading_at_once(self):
        self.roundtrip([t.program("roundtrip_linked")])

    def test_a_program_without_plt(self):
        self.roundtrip([t.program("roundtrip_no_plt")])

    def test_a_plugin_that_brings_its_own_private_mpi(self):
        self.roundtrip([t.program("private_main"), t.program("roundtrip_plugin.so")])

    def test_a_linked_producer_and_a_private_consumer(self):
        self.roundtrip([t.program("roundtrip_linked")], [t.program("private_main"), t.program("roundtrip_plugin.so")])

    def test_a_cpp_program_with_exceptions(self):
        self.roundtrip([t.program("exceptions")])
        with Site(t.LIBRARY) as site:
            self.assertEqual(site.expect(2, [t.program("exceptions")]).output, "caught\n")

    def test_without_the_library_the_program_is_told(self):
        with Site() as site:
            result = site.job(1, [t.program("roundtrip"), "produce", "linking"])
            self.assertNotEqual(result.returncode, 0)
            self.assertIn("the base pointer is NULL", result.output)


class GetByTheHeader(unittest.TestCase):
    """The calls of psnam.h that the library, not MPI, carries out: found in executables of every kind, if it is there."""

    KINDS = ("iget_plain", "iget_cpp", "iget_no_pie", "iget_pie")

    def expect(self, name, preload, *words):
        """Each of two ranks says each of the words once. Lines of ranks may run into each other."""
        with Site(t.LIBRARY if preload else None) as site:
            output = site.expect(2, [t.program(name)]).output
            self.assertEqual([output.count(word) for word in words], [2] * len(words), output)
            self.assertEqual(output.count("iget "), 2, output)

    def test_with_the_library_preloaded(self):
        for name in self.KINDS:
            with self.subTest(name):
                self.expect(name, True, "iget ok")

    def test_with_the_library_linked(self):
        for preload in (False, True):
            with self.subTest(preload=preload):
                self.expect("iget_linked", preload, "iget ok")

    def test_without_the_library_the_program_starts_and_is_told(self):
        for name in self.KINDS:
            with self.subTest(name):
                self.expect(name, False, "iget missing", "MPIX_Iget:", "LD_PRELOAD=libpsnam.so is missing")


if __name__ == "__main__":
    t.main()
