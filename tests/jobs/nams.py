"""Windows, allocations and namctl over the NAMs of a manager: itself and two memory nodes that have joined it.
nams.py LIBRARY PROGRAM STORE_TOOL NAMCTL NAMD LIBNAM DIE_AT_REQUEST mapped|fabric"""

import ctypes
import errno
import json
import os
import re
import subprocess
import sys
import threading
import time

from jobs import Site, files_of
from manager import Manager

LIMIT_S = 30
PAUSE = threading.Event()  # that nobody sets
CAPACITY = {0: "64M", 1: "96M", 2: "128M"}
TIMEOUT_S = 3


def until(what, condition):
    """Waits for `condition`, asked again and again, with a limit."""
    end = time.monotonic() + LIMIT_S
    while not (found := condition()):
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        PAUSE.wait(0.05)
    return found


class Nams:
    """A manager with memory nodes, and jobs that reach them by `path`."""

    def __init__(self, library, program, namctl, namd, path):
        self.site = Site(library)
        self.program, self.namctl_path, self.path = program, namctl, path
        options = ["--timeout", str(TIMEOUT_S)]
        self.nams = [Manager(namd, self.site.folder, [*options, "--capacity", CAPACITY[0]])]
        for index in (1, 2):
            self.nams.append(Manager(namd, self.site.folder, [*options, "--capacity", CAPACITY[index], "--join", self.nams[0].socket]))

    def __enter__(self):
        try:
            for nam in self.nams:
                nam.start()
            assert self.indices() == [0, 1, 2], self.listed()
        except BaseException:
            self.__exit__(*sys.exc_info())
            raise
        return self

    def __exit__(self, *what):
        try:
            for nam in reversed(self.nams):
                nam.__exit__(*what)
        finally:
            self.site.__exit__(*what)

    @property
    def environment(self):
        return {"PSNAM_MANAGER": self.nams[0].address(self.path), "PSNAM_PATH": self.path, "PSNAM_TIMEOUT": str(TIMEOUT_S)}

    def command(self, role, arguments):
        return [self.program, f"--gtest_filter={role}", *(f"{key}={value}" for key, value in arguments.items())]

    def role(self, role, ranks, env=None, must_succeed=True, **arguments):
        result = self.site.wait(self.site.start(ranks, self.command(role, arguments), {**self.environment, **(env or {})}), 120)
        if must_succeed and (result.timed_out or result.returncode != 0):
            print(result.output)
            raise AssertionError(f"{role} with {ranks} ranks {arguments} failed: {'timeout' if result.timed_out else result.returncode}")
        return result

    def namctl(self, *arguments, must_succeed=True):
        done = subprocess.run([self.namctl_path, "--manager", self.nams[0].socket, *arguments], text=True, capture_output=True, timeout=60)
        assert not must_succeed or done.returncode == 0, f"namctl {arguments}: {done}"
        return done

    def listed(self):
        return json.loads(self.namctl("--json", "nams").stdout)["nams"]

    def indices(self, reachable=True):
        return [nam["index"] for nam in self.listed() if nam["reachable"] == reachable]

    def windows(self, nam=0):
        return [window["name"] for window in json.loads(self.namctl("--json", "--nam", str(nam), "list").stdout)["windows"]]

    def files(self):
        return [len(files_of(nam.store)) for nam in self.nams]

    def expect_empty(self):
        until(f"no memory is left of {self.files()}", lambda: self.files() == [0, 0, 0])
        until("no window is left", lambda: [self.windows(nam) for nam in range(3)] == [[], [], []])


def placed_windows(nams):
    for index in range(3):
        nams.role("Every/Volatile.*", 3, index=index)
        nams.role("Every/Producer.*contiguous", 2, index=index)
        assert nams.files() == [int(index == nam) for nam in range(3)], (index, nams.files())
        nams.role("Every/Remover.*contiguous", 1)
        nams.expect_empty()
    # That with most left is the largest.
    nams.role("Every/Producer.*contiguous", 1, index="any")
    assert nams.files() == [0, 0, 1], nams.files()
    nams.role("Every/Remover.*contiguous", 2)
    nams.role("WrongIndex.*", 2, index=3, says="the NAMs 0, 1, 2")
    nams.expect_empty()


def spread_windows(nams):
    nams.role("Every/Volatile.*", 3, index="spread")
    nams.role("Every/Volatile.*", 1, index="spread")
    nams.role("Counters.*", 3, index="spread")
    nams.role("Counters.*", 2, index=1)
    nams.role("Every/Producer.*distributed", 5, index="spread")
    # Ranks 0 and 3, 2, and 4: rank 1 gives nothing.
    assert nams.files() == [2, 1, 1] or sum(nams.files()) == 4, nams.files()
    assert nams.windows() == ["nams.managed_distributed"], nams.windows()
    nams.role("Every/Reader.*distributed", 1, makers=5, salt=1)
    nams.role("Every/Writer.*distributed", 3, makers=5)
    nams.role("Every/Reader.*distributed", 2, makers=5, salt=2)
    removed = nams.namctl("rm", "nams.managed_distributed")
    assert "removed" in removed.stdout, removed
    nams.expect_empty()


def lost_node(nams):
    """A memory node is killed under a job, and comes back."""
    lost = nams.nams[1]
    arguments = {"index": "spread", "lost": 1, "limit_ms": 1000 * (TIMEOUT_S + 3), "path": nams.path}
    with nams.site.talk(3, nams.command("Survivor.*", arguments), nams.environment) as job:
        job.expect("kill")
        lost.kill()
        until("the manager knows that NAM 1 is lost", lambda: nams.indices(reachable=False) == [1])
        refused = nams.namctl("nams", "rm", "1", must_succeed=False)
        assert refused.returncode == 1 and "nams.survivor" in refused.stderr, refused
        job.go_on()
        job.expect("back")
        lost.move()  # where those who have used it look for it in vain
        lost.start()
        until("NAM 1 is back", lambda: nams.indices() == [0, 1, 2])
        job.go_on()
        job.finish()
        print(*re.findall("error after .*", job.output), sep="\n")
    lost.kill()
    until("NAM 1 is lost", lambda: nams.indices() == [0, 2])
    # Who does not use it notices nothing.
    nams.role("Every/Volatile.*", 2, index=2)
    nams.role("Every/Volatile.*", 2, index="spread")
    lost.start()
    nams.role("Heir.*", 2, makers=3)
    nams.expect_empty()


def lost_manager(nams):
    """Memory nodes join again by themselves, under the index that they had."""
    stores = {nam["index"]: nam["store"] for nam in nams.listed()}
    nams.nams[0].kill()
    nams.nams[0].start()
    until("all are there again", lambda: nams.indices() == [0, 1, 2])
    assert {nam["index"]: nam["store"] for nam in nams.listed()} == stores
    nams.role("Every/Volatile.*distributed", 2, index="spread")


def parts_of_absent(nams):
    """A window is removed while a NAM that has a part of it is away: the part goes when that is back."""
    nams.role("Every/Producer.*distributed", 3, index="spread")
    away = nams.nams[2]
    away.kill()
    until("NAM 2 is lost", lambda: nams.indices() == [0, 1])
    nams.namctl("rm", "nams.managed_distributed", must_succeed=False)
    assert nams.windows() == []
    away.start()
    nams.expect_empty()


def killed_between_commits(nams, die_at_request):
    """The rank that speaks for the NAMs dies before or after each of its requests while a window is made and made persistent, then
    while it is removed: a later job finds all of it or nothing."""
    outcomes = {"whole": 0, "none": 0}
    kills = 0
    # What is asked before the window is complete, and after its last part is gone, was tried by the first and the last.
    for role in ("MakesFillsAndKeeps", "Removes"):
        for request in range(1, 200, 1 if role == "Removes" else 2):
            if role == "Removes":
                nams.role("Every/Victim.MakesFillsAndKeeps/managed_distributed", 3, index="spread")
            when = "after" if request % 4 < 2 else "before"
            env = {"DIE_RANK": "0", "DIE_AT_REQUEST": str(request), "DIE_WHEN": when, "LD_PRELOAD": die_at_request}
            victim = nams.role(f"Every/Victim.{role}/managed_distributed", 3, env=env, must_succeed=False, index="spread")
            assert not victim.timed_out, f"hangs: {env}"
            kills += victim.returncode != 0
            settled = nams.role("Every/Settler.*distributed", 2, makers=3).output
            outcomes["whole" if "settled: whole" in settled else "none"] += 1
            nams.expect_empty()
            if victim.returncode == 0:
                break
    print(f"killed {kills} times; afterwards {outcomes}")
    assert kills >= 16 and all(outcomes.values()), (kills, outcomes)


class Record(ctypes.Structure):
    """nam_allocation_t"""

    _fields_ = [("status", ctypes.c_int32), ("persistent", ctypes.c_int32), ("nam_index", ctypes.c_int32), ("reserved", ctypes.c_int32),
                ("challenge", ctypes.c_uint64), ("address", ctypes.c_uint64), ("size", ctypes.c_size_t), ("private_data", ctypes.c_void_p)]


class Request(ctypes.Structure):
    """nam_async_request_t"""

    _fields_ = [("state", ctypes.c_uint64), ("bytes", ctypes.c_ssize_t), ("error", ctypes.c_int32), ("unused", ctypes.c_int32)]


def libnam_program(library):
    """What the script does as a program of libNAM, in a process of its own."""
    nam = ctypes.CDLL(library, use_errno=True)
    nam.nam_alloc.restype = ctypes.POINTER(Record)
    nam.nam_strerror.restype = ctypes.c_char_p
    for function in (nam.nam_put_sync, nam.nam_get_sync):
        function.restype = ctypes.c_ssize_t
    size = ctypes.c_size_t
    made = {}
    for index in (0, 1, 2, -1):
        allocation = nam.nam_alloc(size(100000), 0, index, 1)
        assert allocation, nam.nam_strerror()
        assert allocation.contents.nam_index == (2 if index == -1 else index), (index, allocation.contents.nam_index)
        made[index] = allocation
    assert not nam.nam_alloc(size(10), 0, 3, 0) and b"0, 1, 2" in nam.nam_strerror(), nam.nam_strerror()
    requests = (Request * 8)()
    parts = [bytes([number]) * 1000 for number in range(8)]
    for number, data in enumerate(parts):
        assert nam.nam_put_async(data, size(1000 * number), size(1000), made[number % 2 + 1], ctypes.byref(requests[number])) == 0
    assert nam.nam_wait_all(8, requests) == 0, nam.nam_strerror()
    for number, data in enumerate(parts):
        buffer = ctypes.create_string_buffer(1000)
        # Another record of the same allocation, as another process would have it.
        source = made[number % 2 + 1].contents
        copy = Record(0, 0, source.nam_index, 0, source.challenge, source.address, source.size, None)
        assert nam.nam_connect_allocation(ctypes.byref(copy)) == 0, nam.nam_strerror()
        request = Request()
        assert nam.nam_get_async(buffer, size(1000 * number), size(1000), ctypes.byref(copy), ctypes.byref(request)) == 0
        assert nam.nam_wait(ctypes.byref(request)) == 0 and buffer.raw == data, nam.nam_strerror()
    # Memory only, in /dev/shm.
    assert nam.nam_persist(made[1]) == -1 and ctypes.get_errno() == errno.ENOTSUP, nam.nam_strerror()
    for allocation in made.values():
        assert nam.nam_free(allocation) == 0, nam.nam_strerror()
    assert nam.nam_finalize() == 0


def libnam_over_nams(nams, libnam):
    done = subprocess.run([sys.executable, __file__, "libnam", libnam], env={**os.environ, **nams.environment}, text=True, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    nams.expect_empty()


def allocations_by_namctl(nams):
    made = [nams.namctl("--nam", where, "alloc", "1M").stdout.strip() for where in ("0", "1", "any")]
    assert nams.files() == [1, 1, 1], nams.files()
    nams.namctl("free", *made)
    unknown = nams.namctl("--nam", "7", "list", must_succeed=False)
    assert unknown.returncode == 1 and "0, 1, 2, any" in unknown.stderr, unknown
    nams.expect_empty()


def refused_stores(nams, namd):
    """A store keeps its place, and a manager that does not know it does not take it."""
    node, manager = nams.nams[2], nams.nams[0]

    def attempt(*options):
        return subprocess.run([namd, "--listen", os.path.join(nams.site.folder, "other"), *options], text=True, capture_output=True, timeout=60)

    node.stop()
    alone = attempt("--store", node.store)
    assert alone.returncode == 1 and "has been NAM 2" in alone.stderr, alone
    manager.stop()
    joining = attempt("--store", manager.store, "--join", nams.nams[1].socket)
    assert joining.returncode == 1 and "has been the manager" in joining.stderr, joining
    with Manager(namd, nams.site.folder) as stranger:
        foreign = attempt("--store", node.store, "--join", stranger.socket)
        assert foreign.returncode == 1 and "does not know it" in foreign.stderr, foreign
    manager.start()
    wrong = attempt("--store", os.path.join(nams.site.folder, "new"), "--join", nams.nams[1].socket)
    assert wrong.returncode == 1 and "this is NAM 1 of the manager" in wrong.stderr, wrong
    until("NAM 1 is there", lambda: 1 in nams.indices())
    gone = nams.namctl("nams", "rm", "2")
    assert "removed" in gone.stdout, gone
    assert nams.indices() == [0, 1] and nams.indices(reachable=False) == []
    busy = nams.namctl("nams", "rm", "1", must_succeed=False)
    assert busy.returncode == 1 and "is connected" in busy.stderr, busy
    removed = attempt("--store", node.store, "--join", manager.socket)
    assert removed.returncode == 1 and "does not know it, or has removed it" in removed.stderr, removed


def main(library, program, _, namctl, namd, libnam, die_at_request, path):
    with Nams(library, program, namctl, namd, path) as nams:
        placed_windows(nams)
        spread_windows(nams)
        libnam_over_nams(nams, libnam)
        lost_node(nams)
        if path == "fabric":
            return
        allocations_by_namctl(nams)
        lost_manager(nams)
        parts_of_absent(nams)
        killed_between_commits(nams, die_at_request)
        refused_stores(nams, namd)


if __name__ == "__main__":
    if sys.argv[1] == "libnam":
        libnam_program(sys.argv[2])
    else:
        main(*sys.argv[1:])
