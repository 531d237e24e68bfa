"""Checkpoints and jobs from Fortran. fortran.py PROGRAM"""

import sys

from jobs import Site


def main(program):
    with Site() as site:
        for expected in ("saved", "went on", "saved"):
            process = site.start(2, [program])
            output, _ = process.communicate(timeout=60)
            assert process.returncode == 0 and expected in output.split("\n"), output


if __name__ == "__main__":
    main(*sys.argv[1:])
