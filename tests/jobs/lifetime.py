"""Jobs that use one window at the same time, and how long its memory lives. lifetime.py LIBRARY PROGRAM STORE_TOOL"""

import os
import subprocess
import sys

from jobs import Site

IN_USE = 3


def main(library, program, store_tool, *_):
    def role(name):
        return [program, f"--gtest_filter={name}"]

    with Site(library) as site:

        def expect_files(number):
            assert len(site.files()) == number, site.files()

        # While the maker still has it, a reader comes and goes, and a writer.
        with site.talk(2, role("Maker.KeepsTheWindowOpenWhileOthersUseIt")) as maker:
            maker.expect("made")
            with site.talk(1, role("Holder.OfAHandleOnlyHoldsTheMemory")) as other:
                other.expect("connected")
                other.go_on()
                other.finish()
            maker.go_on()
            maker.finish()
        expect_files(1)
        site.expect(1, role("Remover.*"))
        expect_files(0)

        with site.talk(2, role("Maker.SeesWhatAnotherJobWrote")) as maker:
            maker.expect("made")
            site.expect(3, role("Writer.*"))
            maker.go_on()
            maker.finish()
        site.expect(1, role("Remover.*"))
        expect_files(0)

        # One removes it while another has it: that one goes on, and the memory goes with it.
        for holder_name, ranks in (("GoesOnReadingAfterTheRemoval", 2), ("MayReadForTheFirstTimeAfterTheRemoval", 1), ("OfAHandleOnlyHoldsTheMemory", 2)):
            site.expect(2, role("Maker.OfAPersistentWindowEnds"))
            with site.talk(ranks, role("Holder." + holder_name)) as holder:
                holder.expect("connected")
                site.expect(2, role("Remover.*"))
                expect_files(1)
                site.expect(2, role("Successor.*"))
                expect_files(1)
                holder.go_on()
                holder.finish()
            expect_files(0)

        # An administrator removes it while a job has it.
        site.expect(2, role("Maker.OfAPersistentWindowEnds"))
        with site.talk(2, role("Holder.GoesOnReadingAfterTheRemoval")) as holder:
            holder.expect("connected")
            removed = subprocess.run([store_tool, "remove", "-", "lifetime.window"], text=True, capture_output=True, timeout=60,
                                     env={**os.environ, **site.environment()})
            assert removed.returncode == IN_USE, removed
            expect_files(1)
            holder.go_on()
            holder.finish()
        expect_files(0)

        site.expect(2, role("Maker.OfAVolatileWindowLeavesNothing"))
        expect_files(0)
        site.expect(2, role("Maker.TurnsAVolatileWindowPersistent"))
        expect_files(1)
        site.expect(2, role("Maker.OfATakenNameIsRefusedOnAllRanks"))
        expect_files(1)
        site.expect(1, role("Remover.*"))
        expect_files(0)


if __name__ == "__main__":
    main(*sys.argv[1:])
