"""The handle for a window, by jobs of 1, 2 and 3 ranks. connect.py LIBRARY PROGRAM"""

import sys

from jobs import Site


def main(library, program, *_):
    with Site(library) as site:
        site.expect(2, [program, "--gtest_filter=Producer.*"])
        before = site.files()
        assert len(before) == 2 * 2, before
        for ranks in (2, 1, 3):
            # The job's own window needs the producer's number of ranks.
            own = "" if ranks == 2 else ":Handle.CanBeHadByTheJobThatMadeTheWindow"
            site.expect(ranks, [program, f"--gtest_filter=-Producer.*:Remover.*{own}"])
            assert site.files() == before, site.files()
        site.expect(2, [program, "--gtest_filter=Remover.*"])
        assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
