"""Memory granted before the job, divided among windows, and found by later jobs. segments.py LIBRARY PROGRAM STORE_TOOL DIE NAMCTL"""

import os
import re
import signal
import subprocess
import sys

from jobs import Site

GRANT = "4M"


def main(library, program, _store_tool, _die, namctl):
    def role(name, *arguments):
        return [program, f"--gtest_filter={name}", *arguments]

    for end in ("freed", "killed"):
        with Site(library) as site:
            def ask(*arguments, status=0):
                done = subprocess.run([namctl, *arguments], text=True, capture_output=True, timeout=60, env={**os.environ, **site.environment()})
                assert done.returncode == status, (arguments, done.returncode, done.stdout, done.stderr)
                return done.stdout + done.stderr

            granted = ask("alloc", GRANT, "--name", "grant").strip()
            assert re.fullmatch(r"[1-9][0-9]*", granted), granted
            env = {"SLURM_NAM_ALLOC_ID": granted}
            if end == "freed":
                site.expect(3, role("Maker.*", "end=freed"), env)
            else:
                with site.talk(3, role("Maker.*", "end=killed"), env) as maker:
                    maker.expect("made")
                    os.killpg(maker.process.pid, signal.SIGKILL)
            for ranks in (1, 2, 4):
                site.expect(ranks, role("Reader.*"), env)
            site.expect(2, role("Taker.*", "taken=yes"), env)
            assert len(site.files()) == 1, site.files()

            # What lies in it protects it, name by name.
            assert "grant." in ask("free", granted, status=1)
            assert "grant." in ask("free", "grant", status=1)
            ask("rm", "grant.placed", "grant.found", "grant.contiguous")
            site.expect(1, role("Taker.*", "taken=no"), env)
            assert "grant.raw" in ask("free", granted, status=1)
            ask("rm", "grant.raw")
            ask("free", granted)
            assert site.files() == [], site.files()

    with Site(library) as site:
        granted = site.run([namctl, "alloc", GRANT]).strip()
        site.expect(3, role("Maker.*", "end=freed"), {"SLURM_NAM_ALLOC_ID": granted})
        site.run([namctl, "free", "--recursive", granted])
        assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
