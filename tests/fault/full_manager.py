"""A manager without room, for clients that map its memory or reach it over the fabric: its file system is full, its
store is, a user has had his share, as many objects are there as may be, or their records take all that they may. full_manager.py LIBRARY PROGRAM STORE_TOOL NAMCTL NAMD

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
MOST_OBJECTS = 100  # that may be left when a catalog was full for larger ones
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

    def allocate_until_refused(self, program):
        """The ids, and what the refusal said."""
        ids = []
        while True:
            status, said = self.namctl(program, "alloc", "4K")
            if status != 0:
                return ids, said
            ids.append(said)
            assert len(ids) <= MOST_OBJECTS, ids

    def free(self, program, ids):
        status, said = self.namctl(program, "free", *ids)
        assert status == 0, said


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
        ids, said = site.allocate_until_refused(namctl)
        print(f"max-objects, {paths}: {said}")
        assert ids and str(OBJECTS) in said, said
        before = site.check(store_tool)
        refused = site.job(2, [program, "--gtest_filter=Crowded.WindowsStayUsableAndCanBeRemoved", "manifestation=libnam"], timeout=REFUSED_WITHIN_S)
        assert not refused.timed_out and refused.returncode != 0, refused.output
        assert str(OBJECTS) in refused.output, refused.output
        assert site.check(store_tool) == before
        site.free(namctl, ids)
        too_large(site, program, store_tool, 2, 1 << 50, FITS)
        site.manager.stop()


def catalog(tools, paths):
    """Nothing new is made, by MPI or from outside; the rest goes on, and is there after a crash of the manager."""
    library, program, store_tool, namctl, namd = tools
    with FullSite(library, namd, paths, ("--catalog", "1M")) as site:
        site.expect(2, [program, "--gtest_filter=FullCatalog.WhatIsThereIsWrittenConnectedToAndKept", f"folder={site.folder}"])
        ids, said = site.allocate_until_refused(namctl)
        print(f"catalog, {paths}, after {len(ids)} more: {said}")
        assert "is full: its records take" in said, said
        status, said = site.namctl(namctl, "doctor")
        assert status != 0 and "records take" in said, said
        before = site.check(store_tool)
        site.manager.kill()
        site.manager.start()
        assert site.check(store_tool) == before
        status, said = site.namctl(namctl, "rm", "catalog.filler.0." + 200 * "x")
        assert status == 0, said
        ids += site.allocate_until_refused(namctl)[0]  # what was removed may have left a page
        site.expect(2, [program, "--gtest_filter=FullCatalog.ALaterJobFindsAllOfItAndMakesRoom", f"folder={site.folder}"])
        site.free(namctl, ids)
        site.expect_nothing(store_tool)
        site.manager.stop()


def main(paths, *tools):
    file_system(tools, paths)
    for option in ("capacity", "quota"):
        bytes_of_store_or_user(tools, paths, option)
    objects(tools, paths)
    catalog(tools, paths)


if __name__ == "__main__":
    main(*sys.argv[1:])
