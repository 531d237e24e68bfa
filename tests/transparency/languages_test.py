"""The bindings of C and Fortran: each makes a window that every other one reads."""

import unittest

import transparency as t
from jobs import Site, files_of

LANGUAGES = ["roundtrip", "roundtrip_fixed", "roundtrip_mpifh", "roundtrip_mpi", "roundtrip_f08"]


class Languages(unittest.TestCase):
    def roundtrip(self, producer, consumer, ranks=2):
        with Site(t.LIBRARY) as site:
            self.assertIn("produce ok", site.expect(ranks, [t.program(producer), "produce", "languages"]).output)
            self.assertIn("consume ok", site.expect(ranks + 1, [t.program(consumer), "consume", "languages"]).output)
            self.assertEqual(files_of(site.store), [])

    def test_each_binding_reads_what_it_wrote(self):
        for language in LANGUAGES:
            with self.subTest(language=language):
                self.roundtrip(language, language)

    def test_each_binding_reads_what_the_next_one_wrote(self):
        for consumer, producer in zip(LANGUAGES, LANGUAGES[1:] + LANGUAGES[:1]):
            with self.subTest(producer=producer, consumer=consumer):
                self.roundtrip(producer, consumer, ranks=1)


if __name__ == "__main__":
    t.main()
