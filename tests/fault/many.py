"""1,000 windows one after another, and 1,000 at once. many.py LIBRARY PROGRAM STORE_TOOL"""

import sys

from jobs import Site


def main(library, program, store_tool):
    with Site(library) as site:
        for test in ("CyclesOfCreateAndFreeLeaveNothing", "WindowsAtOnceAllWorkAndLeaveNothing"):
            result = site.expect(2, [program, f"--gtest_filter=Many.{test}", f"store={site.store}"], timeout=240)
            print("\n".join(line for line in result.output.splitlines() if line.startswith(("[       OK", "catalog"))))
            assert site.files() == []
        numbers = site.check(store_tool)
        assert not any(numbers.values()), numbers


if __name__ == "__main__":
    main(*sys.argv[1:])
