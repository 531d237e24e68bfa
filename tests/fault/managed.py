"""Kills a job that saves managed checkpoints of parts of a table, with partners, at random instants of a save, of its end, and of a restart: one
rank, all of it, or the manager. Now and then a node is lost with it. The next job, of the same or another number of ranks, gets back the newest
version that was saved, or the one that was just being, whole and unmixed. managed.py PROGRAM NAMD STORE_TOOL [KILLS [SEED]]"""

import collections
import os
import random
import shutil
import signal
import sys
import time

from jobs import Site
from victims import Board, kill_all, without_missed_members

LIMIT_S = 60
PHASES = ("idle", "restart", "save", "commit")
RANKS = 4
BY_PARITY, BY_PARTNER = 1, 2  # psnam_checkpoint_team.h
# Where a job has its ranks. Each node has some, so that what is lost with one is with partners on the other. Partners are dealt out once for a number
# of ranks, so that there is one place for each number.
PLACES = ({"A": 2, "B": 2}, {"A": 1, "B": 2}, {"A": 1, "B": 1})


class Series:
    """One series of checkpoints, and what jobs may expect of it."""

    def __init__(self, site, victim, policy, places, versions):
        self.site = site
        self.victim = victim
        self.policy = policy
        self.places = places
        self.versions = versions
        self.board = Board(site.folder, RANKS)
        self.loses_nodes = len(site.stores) > 1
        # Something was saved since a node was lost last: partners have all of it.
        self.protected = False
        self.died_in = collections.Counter()
        self.lost_nodes = 0

    def program(self, name, rounds=0, older=False):
        return [self.victim, f"--gtest_filter=Managed.{name}", f"board={self.board.path}", f"rounds={rounds}", f"policy={self.policy}",
                f"versions={self.versions}", f"older={int(older)}"]

    def wait_for(self, job, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert job.poll() is None, Site.wait(job, 1).output
            if time.monotonic() > end:
                raise AssertionError("the job hangs\n" + self.end_of(job))

    @staticmethod
    def end_of(job):
        os.killpg(job.pid, signal.SIGKILL)
        return job.communicate()[0]

    def kill(self, rng):
        board = self.board
        board.begin_job()
        committed, restored = board.committed, board.restored
        # A version that was complete in part is no newer one than that which was saved, once a node is lost.
        places = rng.choice(self.places)
        job = self.site.start(places, self.program("SavesUntilItIsKilled", 1_000_000, older=self.loses_nodes))
        target = rng.choice((1, 2, 2, 3, 3))
        if target != 1:
            some = rng.randrange(3)
            self.wait_for(job, lambda: board.restored > restored and board.committed >= committed + some)
        self.wait_for(job, lambda: target in board.phases)
        instant = time.monotonic() + 0.00005 * 2 ** (rng.random() * 9)
        while time.monotonic() < instant:
            pass
        assert job.poll() is None, Site.wait(job, 1).output
        phases = board.phases
        of_manager = self.site.manager is not None and rng.random() < 0.15
        killed = []
        if of_manager:
            self.site.manager.kill()
        else:
            ranks = range(sum(places.values()))
            killed = ranks if rng.random() < 0.5 else [rng.choice(ranks)]
            pids = board.pids
            kill_all(pids[rank] for rank in killed)
        self.died_in[("manager: " if of_manager else "") + PHASES[max(phases)]] += 1
        self.look_at_end(job, of_manager, killed)
        self.protected = self.protected or board.committed > committed

    def look_at_end(self, job, of_manager, killed):
        result = Site.wait(job, LIMIT_S)
        assert not result.timed_out, "the job hangs\n" + result.output
        assert "the data are wrong" not in result.output and "came back" not in result.output, result.output
        if of_manager:
            self.site.manager.start()
        else:
            assert "Failure" not in without_missed_members(result.output, killed), result.output

    def lose_a_node(self, rng):
        if not self.loses_nodes or not self.protected or rng.random() < 0.6:
            return
        shutil.rmtree(self.site.stores[rng.choice(sorted(self.site.stores))])
        self.protected = False
        self.lost_nodes += 1

    def end(self, store_tool):
        board = self.board
        board.begin_job()
        restored = board.restored
        self.site.expect(self.places[0], self.program("SavesUntilItIsKilled", 3, older=self.loses_nodes))
        assert board.restored == restored + 1
        board.begin_job()
        self.site.expect(self.places[0], self.program("RemovesEverything"))
        numbers = self.site.check(store_tool)
        assert numbers["allocations"] == 0 and numbers["uses"] == 0, dict(numbers)
        return f"killed {dict(self.died_in)}; {self.lost_nodes} nodes lost; {board.restored} jobs got their data back; version {board.committed}"


def main(victim, namd, store_tool, kills="20", seed="20261128"):
    rng = random.Random(int(seed))
    kinds = {
        "partners": ((None, ("A", "B"), namd, "mapped"), BY_PARTNER, PLACES, 2),
        "partners and parity over the fabric": ((None, ("A", "B"), namd, "fabric"), BY_PARTNER | BY_PARITY, PLACES, 3),
        "partners in one store": ((None, ("node",), None, None), BY_PARTNER, ({"node": 4}, {"node": 3}, {"node": 2}), 4),
    }
    for share, (name, (place, policy, places, versions)) in zip((0.4, 0.4, 0.2), kinds.items()):
        with Site(*place) as site:
            series = Series(site, victim, policy, places, versions)
            for _ in range(round(int(kills) * share)):
                series.kill(rng)
                series.lose_a_node(rng)
            print(f"{name}: {series.end(store_tool)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
