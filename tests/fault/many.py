"""1,000 windows one after another, and 1,000 at once. many.py LIBRARY PROGRAM STORE_TOOL"""

import subprocess
import sys

from jobs import Site, files_of


def main(library, program, store_tool):
    with Site(library) as site:
        for test in ("CyclesOfCreateAndFreeLeaveNothing", "WindowsAtOnceAllWorkAndLeaveNothing"):
            result = site.expect(2, [program, f"--gtest_filter=Many.{test}", f"store={site.store}"], timeout=240)
            print("\n".join(line for line in result.output.splitlines() if line.startswith(("[       OK", "catalog"))))
            assert files_of(site.store) == []
        checked = subprocess.run([store_tool, "check", site.store], text=True, capture_output=True, timeout=60)
        assert checked.returncode == 0 and checked.stdout.startswith("windows=0 allocations=0 uses=0 services=0 reserved=0"), checked


if __name__ == "__main__":
    main(*sys.argv[1:])
