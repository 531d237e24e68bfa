"""A store on a small file system of its own. full.py LIBRARY PROGRAM STORE_TOOL

Ends with 77 (skipped) where this user may not mount one."""

import os
import subprocess
import sys

from jobs import Site, files_of

SKIPPED = 77
FILE_SYSTEM_BYTES = 16 << 20
TOO_MUCH = 64 << 20
FITS = 8 << 20
# The store's own limit, 80 % of the file system, stops a large window early; this one is within it and more than is left.
FILLED_BY_OTHERS = 9 << 20
WITHIN_THE_LIMIT = 10 << 20


class SmallFileSystem:
    """A tmpfs at `folder`."""

    def __init__(self, folder):
        self.folder = folder

    def __enter__(self):
        os.mkdir(self.folder)
        mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={FILE_SYSTEM_BYTES}", "psnam-test", self.folder], text=True, capture_output=True)
        if mounted.returncode != 0:
            print(f"skipped: no file system can be mounted here: {mounted.stderr.strip()}")
            sys.exit(SKIPPED)
        return self

    def __exit__(self, *_):
        subprocess.run(["umount", "--lazy", self.folder], check=True, timeout=60)

    def fill(self, name, leave):
        """Takes the room but for `leave` bytes, as a file of somebody else."""
        room = os.statvfs(self.folder)
        path = os.path.join(self.folder, name)
        with open(path, "wb") as file:
            os.posix_fallocate(file.fileno(), 0, room.f_bavail * room.f_frsize - leave)
        return path

    def free_bytes(self):
        room = os.statvfs(self.folder)
        return room.f_bavail * room.f_frsize


def too_large(site, program):
    for ranks in (1, 2, 4):
        site.expect(ranks, [program, "--gtest_filter=Every/TooLarge.*", f"too_much={TOO_MUCH}", f"fits={FITS}"])
        assert files_of(site.store) == [], files_of(site.store)


def too_large_for_the_file_system(site, small, program):
    """Within the store's limit, so that it is the file system that has no room."""
    ballast = small.fill("ballast", FILE_SYSTEM_BYTES - FILLED_BY_OTHERS)
    for ranks in (1, 3):
        site.expect(ranks, [program, "--gtest_filter=Every/TooLarge.*", f"too_much={WITHIN_THE_LIMIT}", f"fits={2 << 20}"])
        assert files_of(site.store) == [], files_of(site.store)
    os.unlink(ballast)


def crowded(site, small, program, store_tool):
    with site.talk(2, [program, "--gtest_filter=Crowded.WindowsStayUsableAndCanBeRemoved", "manifestation=pershm"]) as job:
        job.expect("made")
        ballast = small.fill("ballast", 0)
        assert small.free_bytes() == 0, small.free_bytes()
        job.go_on()
        job.finish()
    os.unlink(ballast)
    ballast = small.fill("ballast", 0)
    site.expect(2, [program, "--gtest_filter=Crowded.WindowIsReadAndRemovedByALaterJob"])
    os.unlink(ballast)
    assert files_of(site.store) == [], files_of(site.store)
    checked = subprocess.run([store_tool, "check", site.store], text=True, capture_output=True, timeout=60)
    assert checked.returncode == 0 and checked.stdout.startswith("windows=0 allocations=0 uses=0"), checked


def main(library, program, store_tool):
    with Site(library) as site, SmallFileSystem(os.path.join(site.folder, "small")) as small:
        site.stores["node"] = os.path.join(small.folder, "store")
        too_large(site, program)
        too_large_for_the_file_system(site, small, program)
        crowded(site, small, program, store_tool)


if __name__ == "__main__":
    main(*sys.argv[1:])
