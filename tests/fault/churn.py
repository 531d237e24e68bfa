"""Kills a job at random instants, many times, and looks at what it leaves; another job lives on beside it.

churn.py LIBRARY CHURN KEEPER STORE_TOOL [KILLS [SEED]]
"""

import collections
import os
import random
import select
import signal
import struct
import sys
import time

from jobs import Site

PHASES = ("idle", "create", "put", "set_info", "publish", "free", "connect")
AIMED_AT = ("create", "put", "set_info", "free")
DEATH_LIMIT_S = 30
KEEPER_FILES = 2  # one rank: its persistent and its volatile window


class Victim:
    """One job that kills itself."""

    def __init__(self, site, churn, phase, seed, kill):
        self.board = os.path.join(site.folder, "board")
        with open(self.board, "wb") as file:
            file.write(bytes(32))
        program = [churn, "--gtest_filter=Churn.GoesOnUntilItIsKilled", f"board={self.board}", f"seed={seed}", f"phase={PHASES.index(phase)}",
                   f"kill={kill}"]
        self.process = site.start(2, program)
        self.shooter = seed % 2

    def words(self):
        with open(self.board, "rb") as file:
            return struct.unpack("8I", file.read(32))

    def wait(self):
        """Returns the phase it died in."""
        result = Site.wait(self.process, DEATH_LIMIT_S)
        words = self.words()
        phases, pids, fired, iterations = words[0:2], words[2:4], words[4], words[5]
        if result.timed_out or not fired:
            for pid in pids:
                kill(pid)
            print(result.output)
            raise AssertionError("the job hangs" if result.timed_out else f"the job ended by itself with {result.returncode} after {iterations} iterations")
        for pid in pids:
            wait_for_end(pid)
        return PHASES[phases[self.shooter]]


def kill(pid):
    if pid:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass


def wait_for_end(pid):
    try:
        fd = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    ended, _, _ = select.select([fd], [], [], DEATH_LIMIT_S)
    os.close(fd)
    assert ended, f"process {pid} outlives its job"


def check_store(site, store_tool):
    """Catalog, files and numbers agree, after what the dead have left was released."""
    numbers = site.check(store_tool)
    files = site.files()
    sizes = sum(os.stat(file).st_size for file in files)
    if numbers["reserved"] != numbers["allocated"] or len(files) != numbers["allocations"] or sizes != numbers["reserved"]:
        raise AssertionError(f"{dict(numbers)}, {len(files)} files of {sizes} bytes: {files}")
    return numbers


def main(library, churn, keeper_program, store_tool, kills="200", seed="20260917"):
    rng = random.Random(int(seed))
    print(f"seed {seed}")
    counts = collections.Counter()
    started = time.monotonic()
    with Site(library) as site, site.talk(1, [keeper_program]) as keeper:
        keeper.expect("well")
        for i in range(int(kills)):
            keeper.go_on("go on")  # at work while the other dies
            kill_what = "rank" if i % 5 == 4 else "job"
            victim = Victim(site, churn, AIMED_AT[i % len(AIMED_AT)], rng.getrandbits(48), kill_what)
            phase = victim.wait()
            counts[phase] += 1
            keeper.expect("well")
            try:
                numbers = check_store(site, store_tool)
                assert numbers["uses"] == KEEPER_FILES, numbers
            except AssertionError as error:
                raise AssertionError(f"after kill {i} of a {kill_what} in {phase}, of processes {victim.words()[2:4]}: {error}") from None
        took = time.monotonic() - started
        print(f"{sum(counts.values())} kills in {took:.0f} s: " + ", ".join(f"{counts[phase]} in {phase}" for phase in PHASES))
        print(site.expect(2, [churn, "--gtest_filter=Churn.EndsWell", f"board={os.path.join(site.folder, 'board')}"]).output)
        assert len(site.files()) == KEEPER_FILES, site.files()
        keeper.go_on("end")
        keeper.finish()
        assert site.files() == []
        assert check_store(site, store_tool)["windows"] == 0
    few = {phase: counts[phase] for phase in AIMED_AT if counts[phase] < int(kills) / 20}
    assert not few, f"too few kills in {few}"


if __name__ == "__main__":
    main(*sys.argv[1:])
