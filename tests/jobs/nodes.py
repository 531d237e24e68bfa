"""Windows over simulated nodes, each with a store of its own, and maybe a manager beside them. nodes.py LIBRARY PROGRAM STORE_TOOL DIE_AT_COMMIT"""

import shutil
import subprocess
import sys

from jobs import Site, files_of

STRUCTURES = ("raw_and_flat", "managed_contiguous", "managed_distributed")


class Nodes:
    def __init__(self, library, program, store_tool, names=("A", "B")):
        self.site = Site(library, nodes=names)
        self.program = program
        self.store_tool = store_tool

    def __enter__(self):
        self.site.__enter__()
        return self

    def __exit__(self, *error):
        self.site.__exit__(*error)

    def role(self, role, ranks, launcher=(), mpi_env=None, env=None, must_succeed=True, **arguments):
        command = [self.program, f"--gtest_filter={role}", *(f"{key}={value}" for key, value in arguments.items())]
        result = self.site.wait(self.site.start(ranks, command, env, mpi_env, launcher), 120)
        if must_succeed and (result.timed_out or result.returncode != 0):
            print(result.output)
            raise AssertionError(f"{role} with ranks {ranks} {arguments} failed: {'timeout' if result.timed_out else result.returncode}")
        return result

    def tool(self, command, node, *arguments):
        return subprocess.run([self.store_tool, command, self.site.stores[node], *arguments], text=True, capture_output=True, timeout=60)

    def remove_part(self, node, window):
        removed = self.tool("remove", node, window)
        assert removed.returncode == 0, removed

    def remove_at_home(self, window):
        """Home is the manager, or else the first node of the window."""
        if self.site.manager:
            self.site.run([self.store_tool, "remove", "-", window])
        else:
            self.remove_part("A", window)

    def expect_empty(self):
        assert self.site.files() == [], self.site.files()
        numbers = self.site.check(self.store_tool)
        assert not any(numbers[what] for what in ("windows", "allocations", "uses")), numbers


def volatile_windows(nodes):
    nodes.role("Every/Volatile.*", {"A": 2, "B": 2})
    # Interleaved ranks, and nodes of different sizes.
    nodes.role("Every/Volatile.*", [("A", 1), ("B", 1), ("A", 1)])
    # The MPI library too takes the job for one on two nodes, in two ways.
    nodes.role("Every/Volatile.*", {"A": 2, "B": 2}, mpi_env={"MPIR_CVAR_NUM_CLIQUES": "2"})
    nodes.role("Every/Volatile.*", {"A": 2, "B": 2}, launcher=("-launcher", "fork", "-hosts", "nodeA:2,nodeB:2"))
    nodes.expect_empty()


def persistent_windows(nodes):
    nodes.role("Every/Producer.*", {"A": 2, "B": 2})
    # Raw and flat and contiguous: one file on A. Distributed: ranks 0 (A), 2 and 3 (B).
    assert [len(files_of(store)) for store in nodes.site.stores.values()] == [3, 2]
    nodes.role("Every/Reader.*", {"A": 1, "B": 1}, salt=1)
    nodes.role("Every/Reader.*", {"B": 1, "A": 3}, salt=1)
    nodes.role("Every/Reader.*", {"A": 2, "B": 1}, mpi_env={"MPIR_CVAR_NUM_CLIQUES": "2"}, salt=1)
    nodes.role("Every/Lonely.*distributed", {"A": 2}, missing=nodes.site.stores["B"])
    nodes.role("Every/Lonely.*distributed", {"B": 2}, missing=nodes.site.stores["A"])
    nodes.role("Every/Reader.*raw_and_flat:Every/Reader.*contiguous", {"A": 2}, salt=1)
    nodes.role("Every/Writer.*", {"B": 2, "A": 1})
    nodes.role("Every/Reader.*", {"A": 1, "B": 2}, salt=2)
    nodes.role("Every/Remover.*", {"B": 1, "A": 2})
    nodes.expect_empty()


def a_third_node(library, program, store_tool):
    with Nodes(library, program, store_tool, ("A", "B", "C")) as nodes:
        nodes.role("Every/Producer.*", {"A": 2, "B": 2})
        # C holds nothing, and has no store at first.
        nodes.role("Every/Reader.*", {"C": 1, "A": 1, "B": 1}, salt=1)
        nodes.role("Every/Writer.*", {"A": 1, "C": 1, "B": 1})
        nodes.role("Every/Reader.*", {"B": 1, "A": 1, "C": 1}, salt=2)
        nodes.role("Every/Remover.*", {"A": 1, "C": 1, "B": 1})
        nodes.expect_empty()


def lost_parts(nodes):
    window = "nodes.managed_distributed"
    for lost in ("B", "A", "home") if nodes.site.manager else ("B", "home"):
        nodes.role("Every/Producer.*distributed", {"A": 2, "B": 2})
        if lost == "home":
            nodes.remove_at_home(window)
        else:
            nodes.remove_part(lost, window)
            nodes.role("Every/Broken.*distributed", {"A": 1, "B": 1}, says="gone")
            nodes.remove_at_home(window)
        # What the home node no longer knows goes with the attempt to connect.
        left = any(files_of(store) for store in nodes.site.stores.values())
        nodes.role("Every/Broken.*distributed", {"A": 1, "B": 1}, says="home node" if left else "no window")
        nodes.expect_empty()
    # A node that was started anew has another store: it is missing.
    nodes.role("Every/Producer.*distributed", {"A": 2, "B": 2})
    shutil.rmtree(nodes.site.stores["B"])
    nodes.role("Every/Lonely.*distributed", {"A": 1, "B": 1}, missing=nodes.site.stores["B"])
    nodes.remove_at_home(window)
    if nodes.site.manager:
        nodes.remove_part("A", window)
    nodes.expect_empty()


def killed_between_commits(nodes, die_at_commit):
    """One node's speaker dies before or after each of its commits while a window is made, made persistent and freed, then while
    it is removed."""
    nodes.role("Every/Producer.*distributed", {"A": 2, "B": 2})  # both stores are there
    nodes.role("Every/Settler.*distributed", {"A": 1, "B": 1})
    outcomes = {"whole": 0, "none": 0}
    kills = 0
    for role in ("MakesFillsAndKeeps", "Removes"):
        for rank in (0, 2):
            # Commits are counted until one is not reached any more.
            for commit in range(1, 20):
                killed = False
                # While a window is removed nothing but commits matters: after one is before the next.
                for when in ("before", "after") if role == "MakesFillsAndKeeps" or commit == 1 else ("after",):
                    if role == "Removes":
                        nodes.role("Every/Victim.MakesFillsAndKeeps/managed_distributed", {"A": 2, "B": 2})
                    env = {"DIE_RANK": str(rank), "DIE_AT_COMMIT": str(commit), "DIE_WHEN": when, "LD_PRELOAD": die_at_commit}
                    victim = nodes.role(f"Every/Victim.{role}/managed_distributed", {"A": 2, "B": 2}, env=env, must_succeed=False)
                    assert not victim.timed_out, f"hangs: {env}"
                    killed = killed or victim.returncode != 0
                    kills += victim.returncode != 0
                    settled = nodes.role("Every/Settler.*distributed", {"A": 1, "B": 1}).output
                    outcomes["whole" if "settled: whole" in settled else "none"] += 1
                    nodes.expect_empty()
                if not killed:
                    break
    print(f"killed {kills} times; afterwards {outcomes}")
    assert kills >= 16 and all(outcomes.values()), (kills, outcomes)


def main(library, program, store_tool, die_at_commit, *_):
    with Nodes(library, program, store_tool) as nodes:
        nodes.role("LibnamOfAManager.*" if nodes.site.manager else "Libnam.*", {"A": 1, "B": 2})
        volatile_windows(nodes)
        persistent_windows(nodes)
        lost_parts(nodes)
    a_third_node(library, program, store_tool)
    with Nodes(library, program, store_tool) as nodes:
        killed_between_commits(nodes, die_at_commit)


if __name__ == "__main__":
    main(*sys.argv[1:])
