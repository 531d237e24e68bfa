"""Managed checkpoints across jobs: ranks killed at random instants, and nodes whose memory is lost. checkpoint.py PROGRAM NAMD"""

import os
import random
import shutil
import sys

from jobs import Site, files_of

RANKS = 4
ROUNDS = int(os.environ.get("TEST_ROUNDS", "24"))
SEED = int(os.environ.get("TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
COPY = b"NCPY"
RANK_AT = 28  # format/checkpoint_page.hpp


class Series:
    def __init__(self, site, program, ranks):
        self.site = site
        self.program = program
        self.ranks = ranks
        self.progress = os.path.join(site.folder, "progress")
        if os.path.exists(self.progress):
            os.remove(self.progress)  # of a series before this one

    def role(self, name, **arguments):
        return [self.program, f"--gtest_filter={name}", f"progress={self.progress}", *(f"{key}={value}" for key, value in arguments.items())]

    def expect(self, name, **arguments):
        self.site.expect(self.ranks, self.role(name, **arguments))

    def lose(self, rank):
        """The copies of a rank are no copies any more."""
        for store in self.site.stores.values():
            for path in files_of(store):
                with open(path, "r+b") as file:
                    head = file.read(RANK_AT + 4)
                    if head[:4] == COPY and int.from_bytes(head[RANK_AT:], "little") == rank:
                        file.seek(0)
                        file.write(b"\0\0\0\0")

    def kill(self, rng):
        """A job of which one rank, or all, are killed at a random instant, from its first call on."""
        arguments = {"after_us": rng.randrange(1, 150_000)}
        if rng.random() < 0.4:
            arguments["victim"] = rng.randrange(RANKS)
        result = self.site.wait(self.site.start(self.ranks, self.role("Saver.GoesOnUntilItIsKilled", **arguments)), 120)
        assert not result.timed_out, f"{arguments}: a job with a killed rank did not end: {result.output}"
        assert result.returncode != 0, f"{arguments}: nobody was killed: {result.output}"
        # The library must not have found anything wrong before the end came.
        assert "is gone" not in result.output and "is not what was saved" not in result.output, f"{arguments}: {result.output}"


def killed_at_random_instants(site, program, ranks, rounds, rng):
    series = Series(site, program, ranks)
    series.expect("Saver.SavesSomeVersions")
    for _ in range(rounds):
        series.kill(rng)
        if rng.random() < 0.4:
            series.lose(1)
        if rng.random() < 0.5:
            series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
    series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
    series.expect("Finder.RemovesEverything")
    assert not site.files(), site.files()


def lost_nodes(site, program):
    """Sets of two ranks over nodes of two: a lost node costs each set one."""
    series = Series(site, program, {"A": 2, "B": 2})
    series.expect("Saver.SavesSomeVersions")
    for node, ranks in (("A", "01"), ("B", "23"), ("A", "01")):
        shutil.rmtree(site.stores[node])
        series.expect("Finder.GetsTheNewestVersionBackAndGoesOn", lost=ranks)
    for node in site.stores:
        shutil.rmtree(site.stores[node])
    series.expect("Finder.IsToldWhoIsLostWhereTooManyAre", message="the data of ranks 0, 2, 1, 3 are lost")
    series.expect("Finder.RemovesEverything")
    assert not site.files(), site.files()


def main(program, namd):
    print(f"TEST_SEED={SEED}")
    rng = random.Random(SEED)
    with Site() as site:
        killed_at_random_instants(site, program, RANKS, ROUNDS, rng)
    with Site(None, ("A", "B"), namd, "mapped") as site:
        lost_nodes(site, program)
        killed_at_random_instants(site, program, {"A": 2, "B": 2}, ROUNDS // 4, rng)


if __name__ == "__main__":
    main(*sys.argv[1:])
