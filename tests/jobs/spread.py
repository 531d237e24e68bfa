"""Managed checkpoints that go over to other numbers of ranks: lost nodes, partners, files, and jobs that are killed at random instants,
above all in the first version of a new number. spread.py PROGRAM NAMD"""

import os
import random
import shutil
import sys

from jobs import Site

ROUNDS = int(os.environ.get("TEST_ROUNDS", "24"))
SEED = int(os.environ.get("TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
OWN, FILE, PARTNER, PARTS = 1, 4, 5, 6  # psnam_checkpoint_team.h
BY_PARITY, BY_PARTNER = 1, 2
# Ranks, and how many of them are beside each other.
DIVISIONS = [(4, 1), (4, 2), (4, 4), (3, 1), (3, 3), (2, 1), (2, 2), (1, 1)]


class Series:
    def __init__(self, site, program, **options):
        self.site = site
        self.program = program
        self.options = options
        self.progress = os.path.join(site.folder, "progress")
        if os.path.exists(self.progress):
            os.remove(self.progress)  # of a series before this one

    def role(self, name, **arguments):
        arguments = {**self.options, **arguments}
        return [self.program, f"--gtest_filter=Spread.{name}", f"progress={self.progress}", *(f"{key}={value}" for key, value in arguments.items())]

    def expect(self, ranks, name, **arguments):
        return self.site.expect(ranks, self.role(name, **arguments))

    def go_on(self, ranks, across=1, **arguments):
        return self.expect(ranks, "GoesOnForSomeVersions", across=across, **arguments)

    def kill(self, rng, ranks, across):
        """A job of which one rank, or all, are killed at a random instant, from its first call on."""
        count = sum(ranks.values()) if isinstance(ranks, dict) else ranks
        arguments = {"after_us": rng.randrange(1, 60_000), "across": across}
        if rng.random() < 0.4:
            arguments["victim"] = rng.randrange(count)
        result = self.site.wait(self.site.start(ranks, self.role("GoesOnUntilItIsKilled", **arguments)), 120)
        assert not result.timed_out, f"{arguments}: a job with a killed rank did not end: {result.output}"
        assert result.returncode != 0, f"{arguments}: nobody was killed: {result.output}"
        # The library must not have found anything wrong before the end came.
        assert "is gone" not in result.output and "is not what was saved" not in result.output, f"{arguments}: {result.output}"

    def end(self, ranks):
        """On all nodes: what jobs have left there that had others goes too."""
        self.expect(ranks, "RemovesEverything")
        assert not self.site.files(), self.site.files()


def killed_at_random_instants(site, program, divisions, rounds, rng, **options):
    series = Series(site, program, **options)
    ranks, across = divisions[0]
    series.go_on(ranks, across)
    for _ in range(rounds):
        # Mostly another number than the last one's, so that many are killed while it is taken over.
        ranks, across = rng.choice(divisions)
        series.kill(rng, ranks, across)
        if rng.random() < 0.4:
            ranks, across = rng.choice(divisions)
            series.go_on(ranks, across, versions=rng.randrange(3))
    series.go_on(*rng.choice(divisions))
    series.end(divisions[-1][0])


def lost_nodes(site, program):
    """Sets of two ranks over nodes of two: a lost node costs each set one, which others of another number make again."""
    series = Series(site, program)
    series.go_on({"A": 2, "B": 2}, 2)
    shutil.rmtree(site.stores["A"])
    series.go_on({"A": 1, "B": 2}, 1, source=PARTS)  # other ranks than before on either node
    series.go_on({"A": 2, "B": 2}, 4, source=PARTS)
    shutil.rmtree(site.stores["B"])
    series.go_on({"A": 1, "B": 1}, 2, source=PARTS)
    # Both lost: told, and by a smaller job too.
    for node in site.stores:
        shutil.rmtree(site.stores[node])
    series.expect({"A": 1}, "IsToldWhatIsLost", message="the data of ranks 0, 1 are lost")
    series.end({"A": 1})


def partners(site, program, policy):
    series = Series(site, program, policy=policy, set_size=0)
    series.go_on({"A": 2, "B": 2}, 2)
    for node in ("A", "B"):
        shutil.rmtree(site.stores[node])
        # Those whose node it was get theirs from the other; nobody is missing his afterwards.
        result = series.go_on({"A": 2, "B": 2}, 2, versions=0)
        assert "warning" not in result.output, result.output
        series.go_on({"A": 2, "B": 2}, 2, source=OWN, versions=1)
    # On the node that is left: own copies, and those of partners.
    shutil.rmtree(site.stores["B"])
    series.go_on({"A": 3}, 1, source=PARTS)
    series.go_on({"A": 2, "B": 2}, 1, source=PARTS)
    # As many ranks as those whose partners were chosen, and placed otherwise.
    result = series.go_on([("A", 1), ("B", 1), ("A", 1), ("B", 1)], 1, versions=1)
    assert "is on the same node, which may be lost with both copies" in result.output, result.output
    result = series.go_on({"A": 2, "B": 2}, 1, versions=1)
    assert "is on the same node" not in result.output, result.output
    for node in site.stores:
        shutil.rmtree(site.stores[node])
    series.expect({"A": 2, "B": 2}, "IsToldWhatIsLost", message="are lost")
    series.end({"A": 2, "B": 2})


def files(program):
    """All memory is lost; the folder is on another file system."""
    with Site() as site:
        folder = os.path.join(site.folder, "files")
        series = Series(site, program, folder=folder)
        series.go_on(4, 2, flush=1)
        shutil.rmtree(site.store)
        series.go_on(3, 3, source=PARTS, flush=1)
        assert all("of3." in name for name in os.listdir(folder)), os.listdir(folder)
        shutil.rmtree(site.store)
        series.go_on(3, 3, source=FILE)
        shutil.rmtree(site.store)
        series.go_on(2, 2, source=PARTS)
        series.end(4)
        assert not os.listdir(folder), os.listdir(folder)


def progress_line(program):
    with Site() as site:
        series = Series(site, program, folder=os.path.join(site.folder, "files"), versions=1, flush=1)
        quiet = site.expect(2, series.role("GoesOnForSomeVersions"))
        assert "in files" not in quiet.output, quiet.output
        told = site.expect(2, series.role("GoesOnForSomeVersions"), {"PSNAM_PROGRESS": "1"})
        assert 'checkpoints "spread", version 2: 1 of 1 MiB in files' in told.output or "0 of 0 MiB" in told.output, told.output


def main(program, namd):
    print(f"TEST_SEED={SEED}")
    rng = random.Random(SEED)
    files(program)
    progress_line(program)
    with Site() as site:
        killed_at_random_instants(site, program, DIVISIONS, ROUNDS, rng)
        killed_at_random_instants(site, program, DIVISIONS, ROUNDS // 2, rng, policy=BY_PARTNER)
    with Site(None, ("A", "B"), namd, "mapped") as site:
        lost_nodes(site, program)
        for policy in (BY_PARTNER, BY_PARTNER | BY_PARITY):
            partners(site, program, policy)
        nodes = [({"A": 2, "B": 2}, 2), ({"A": 1, "B": 2}, 1), ({"A": 1, "B": 1}, 1), ({"B": 2}, 2), ({"A": 1, "B": 1}, 2)]
        killed_at_random_instants(site, program, nodes, ROUNDS // 2, rng)
        killed_at_random_instants(site, program, nodes, ROUNDS // 4, rng, policy=BY_PARTNER | BY_PARITY)


if __name__ == "__main__":
    main(*sys.argv[1:])
