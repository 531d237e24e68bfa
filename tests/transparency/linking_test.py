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


if __name__ == "__main__":
    t.main()
