"""A manager without room, for clients that map its memory or reach it over the fabric: its file system is full, its
store is, a user has had his share, or as many objects are there as may be. full_manager.py LIBRARY PROGRAM STORE_TOOL NAMCTL NAMD

Whoever asks for more is told so at once, on all ranks; nothing of it is left, nobody else notices, and there is room again as soon as
something is released. Ends with 77 (skipped) where this user may not mount a file system."""

import os
import subprocess
import sys
import tempfile

from full import FILE_SYSTEM_BYTES, FILLED_BY_OTHERS, FITS, TOO_MUCH, WITHIN_THE_LIMIT, SmallFileSystem
from jobs import Site

# All that a refusal may take, with the start of the job: far less than the time limits that end what hangs.
REFUSED_WITHIN_S = 60
OBJECTS = 12
ROOM = 12 << 20
PIECE = 1 << 20


class FullSite(Site):
    """A site whose manager has its store where it is said."""

    def __init__(self, library, namd, paths, options=(), store=None):
        super().__init__(library, namd=namd, paths=paths, namd_options=options)
        if store:
            self.manager.store = store

    def expect_nothing(self, store_tool):
        numbers = self.check(store_tool)
        assert not any(numbers[what] for what in ("windows", "allocations", "uses", "reserved")), numbers
        assert self.files() == [], self.files()

    def namctl(self, program, *arguments):
        """Status and what it said."""
        done = subprocess.run([program, *arguments], text=True, capture_output=True, timeout=REFUSED_WITHIN_S,
                              env={**os.environ, **self.environment()})
        return done.returncode, (done.stdout + done.stderr).strip()


def too_large(site, program, store_tool, ranks, too_much, fits):
    """Windows of all structures, each refused, and one after it that fits."""
    site.expect(ranks, [program, "--gtest_filter=Every/TooLarge.*_libnam", f"too_much={too_much}", f"fits={fits}"])
    site.expect_nothing(store_tool)


def file_system(tools, paths):
    """First what the store's own limit refuses, then what is within it, and more than the file system has."""
    library, program, store_tool, _, namd = tools
    with tempfile.TemporaryDirectory(prefix="psnam-test-", dir="/dev/shm") as folder, SmallFileSystem(os.path.join(folder, "small")) as small:
        with FullSite(library, namd, paths, store=os.path.join(small.folder, "store")) as site:
            too_large(site, program, store_tool, 2, TOO_MUCH, FITS)
            ballast = small.fill("ballast", FILE_SYSTEM_BYTES - FILLED_BY_OTHERS)
            too_large(site, program, store_tool, 3, WITHIN_THE_LIMIT, 2 << 20)
            os.unlink(ballast)
            crowded(site, small, program)
            site.expect_nothing(store_tool)
            too_large(site, program, store_tool, 2, TOO_MUCH, FITS)
            site.manager.stop()


def crowded(site, small, program):
    """The file system is filled by somebody else while windows are there: they stay usable."""
    with site.talk(2, [program, "--gtest_filter=Crowded.WindowsStayUsableAndCanBeRemoved", "manifestation=libnam"]) as job:
        job.expect("made")
        ballast = small.fill("ballast", 0)
        job.go_on()
        job.finish()
    os.unlink(ballast)
    ballast = small.fill("ballast", 0)
    site.expect(2, [program, "--gtest_filter=Crowded.WindowIsReadAndRemovedByALaterJob"])
    os.unlink(ballast)


def bytes_of_store_or_user(tools, paths, option):
    """Root has no quota but that of a section of its own."""
    library, program, store_tool, namctl, namd = tools
    with tempfile.NamedTemporaryFile("w", suffix=".conf") as config:
        config.write(f"{'[user.root]' if option == 'quota' else ''}\n{option} = {ROOM}\n")
        config.flush()
        with FullSite(library, namd, paths, ("--config", config.name)) as site:
            too_large(site, program, store_tool, 2, TOO_MUCH, FITS)
            taken = site.namctl(namctl, "alloc", str(ROOM - PIECE))
            assert taken[0] == 0, taken
            status, said = site.namctl(namctl, "alloc", str(2 * PIECE))
            print(f"{option}, {paths}: {said}")
            assert status != 0 and str(2 * PIECE) in said, said
            freed = site.namctl(namctl, "free", taken[1])
            assert freed[0] == 0, freed
            too_large(site, program, store_tool, 2, TOO_MUCH, FITS)
            site.manager.stop()


def objects(tools, paths):
    """A window has an object for itself and one for each of its allocations."""
    library, program, store_tool, namctl, namd = tools
    with FullSite(library, namd, paths, ("--max-objects", str(OBJECTS))) as site:
        ids = []
        while True:
            status, said = site.namctl(namctl, "alloc", "4K")
            if status != 0:
                break
            ids.append(said)
            assert len(ids) <= OBJECTS, ids
        print(f"max-objects, {paths}: {said}")
        assert ids and str(OBJECTS) in said, said
        before = site.check(store_tool)
        refused = site.job(2, [program, "--gtest_filter=Crowded.WindowsStayUsableAndCanBeRemoved", "manifestation=libnam"], timeout=REFUSED_WITHIN_S)
        assert not refused.timed_out and refused.returncode != 0, refused.output
        assert str(OBJECTS) in refused.output, refused.output
        assert site.check(store_tool) == before
        for one in ids:
            status, said = site.namctl(namctl, "free", one)
            assert status == 0, said
        too_large(site, program, store_tool, 2, 1 << 50, FITS)
        site.manager.stop()


def main(paths, *tools):
    file_system(tools, paths)
    for option in ("capacity", "quota"):
        bytes_of_store_or_user(tools, paths, option)
    objects(tools, paths)


if __name__ == "__main__":
    main(*sys.argv[1:])
