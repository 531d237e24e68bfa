"""Kills a job that makes checkpoints by parity at random instants, one rank or all of it, and sees that the next job gets back what was
committed last. With a manager its memory is reached over the fabric, so that it makes the parity, and it is killed too.
parity.py PROGRAM STORE_TOOL [KILLS [SEED [NAMD]]]"""

import collections
import random
import sys
import threading
import time

from jobs import Site
from victims import Board, kill_all, without_missed_members

RANKS = 3
LIMIT_S = 60
PHASES = ("idle", "restart", "checkpoint")
PAUSE = threading.Event()  # that nobody sets


def program(victim, board, rounds, lost, parities):
    return [victim, "--gtest_filter=Parity.SavesUntilItIsKilled", f"board={board.path}", f"rounds={rounds}", f"lost={lost}", f"parities={parities}"]


def kill_once(site, board, victim, rng, parities):
    board.begin_job()
    restored = board.restored
    job = site.start(RANKS, program(victim, board, 1_000_000, rng.randrange(RANKS), parities))
    end = time.monotonic() + LIMIT_S
    # Some die while they get their data back, which begins with connecting where there is a manager.
    early = 0.0003 if site.manager else 0.003
    while board.restored == restored and not (rng.random() < early and 1 in board.phases):
        assert time.monotonic() < end and job.poll() is None, Site.wait(job, 1).output
        PAUSE.wait(0.0005)
    PAUSE.wait(rng.random() * 0.25)
    assert job.poll() is None, Site.wait(job, 1).output
    phase = PHASES[board.phases[0]]
    pids = board.pids
    of_manager = site.manager is not None and rng.random() < 0.3
    if of_manager:
        site.manager.kill()
    else:
        killed = range(RANKS) if rng.random() < 0.5 else [rng.randrange(RANKS)]
        kill_all(pids[rank] for rank in killed)
    result = Site.wait(job, LIMIT_S)
    assert not result.timed_out, "the job hangs\n" + result.output
    if of_manager:
        assert result.returncode != 0, "nobody missed the manager\n" + result.output
        assert "the data are wrong" not in result.output, result.output
        site.manager.start()
        return "manager"
    assert "Failure" not in without_missed_members(result.output, killed), result.output
    return phase


def main(victim, store_tool, kills="20", seed="20261126", namd=None):
    rng = random.Random(int(seed))
    for parities in (1, 2):
        with Site(namd=namd, paths=("fabric", "mixed")[parities - 1] if namd else None) as site:
            board = Board(site.folder, RANKS)
            died_in = collections.Counter(kill_once(site, board, victim, rng, parities) for _ in range(int(kills) // 2))
            board.begin_job()
            restored = board.restored
            site.expect(RANKS, program(victim, board, 3, 1, parities))
            assert board.restored == restored + 1
            numbers = site.check(store_tool)
            assert numbers["allocations"] == 1 and numbers["uses"] == 0, numbers
            print(f"{parities} parities: killed {dict(died_in)}; {board.restored} jobs got their data back; version {board.committed}")


if __name__ == "__main__":
    main(*sys.argv[1:])
