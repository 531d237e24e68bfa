"""ThreadSanitizer, with its suppressions as the other tests have them, sees a race in a window: race_test.py PROGRAM LIBRARY"""

import sys

from jobs import Site

SANITIZER_STATUS = 66


def main(program, library):
    # A few bytes are moved by the library's own instructions, many by memcpy.
    for number in ["4", "4096"]:
        with Site(library) as site:
            result = site.job(1, [program, number])
            assert result.returncode == SANITIZER_STATUS, (number, result.returncode, result.output)
            assert "WARNING: ThreadSanitizer: data race" in result.output, (number, result.output)
            assert "psnam::win::Window::try_put" in result.output, (number, result.output)


if __name__ == "__main__":
    main(*sys.argv[1:3])
