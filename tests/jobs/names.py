"""Service names across jobs, and the MPI library's own names beside them. names.py LIBRARY PROGRAM"""

import sys

from jobs import Site


def native_lines(output):
    return [line for line in output.splitlines() if line.startswith("native: ")]


def main(library, program, *_):
    with Site(library) as site:
        for role, ranks in (("Publisher", 2), ("User", 3), ("Ender", 2)):
            site.expect(ranks, [program, f"--gtest_filter={role}.*"])
        assert site.files() == [], site.files()

    native = [program, "--gtest_filter=Native.*"]
    with Site() as without, Site(library) as with_library:
        expected = native_lines(without.expect(2, native).output)
        seen = native_lines(with_library.expect(2, native).output)
        assert len(expected) >= 8, expected
        assert seen == expected, f"with the library: {seen}; without: {expected}"
        assert not with_library.has_store(), "a job without windows made a store"


if __name__ == "__main__":
    main(*sys.argv[1:])
