"""What the transparency tests share: their two arguments (the library, the folder of the programs), and their main."""

import os
import subprocess
import sys
import unittest

LIBRARY = ""
PROGRAMS = ""


def program(name):
    """The path of one of the programs; skips the test if the build has none (no Fortran compiler)."""
    path = os.path.join(PROGRAMS, name)
    if not os.path.exists(path):
        raise unittest.SkipTest(f"{name} was not built")
    return path


def plain_run(command, preload=None, store=None, stdin=None, timeout=120):
    """Runs a program without a launcher, with or without a library preloaded; returns (status, output, errors)."""
    env = {key: value for key, value in os.environ.items() if key not in ("LD_PRELOAD", "PSNAM_STORE")}
    if preload:
        env["LD_PRELOAD"] = preload
    if store:
        env["PSNAM_STORE"] = store
    done = subprocess.run(command, env=env, input=stdin, capture_output=True, text=True, errors="replace", timeout=timeout)
    return done.returncode, done.stdout, done.stderr


def main():
    global LIBRARY, PROGRAMS
    if len(sys.argv) < 3:
        sys.exit("usage: TEST.py LIBPSNAM FOLDER-OF-PROGRAMS [TEST...]")
    LIBRARY, PROGRAMS = sys.argv[1], sys.argv[2]
    sys.exit(0 if unittest.main(module="__main__", argv=[sys.argv[0], *sys.argv[3:]], exit=False, verbosity=2).result.wasSuccessful() else 1)
