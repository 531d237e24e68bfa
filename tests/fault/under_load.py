"""A manager under the load of two clients, one that maps and one over the fabric, and what happens to one of them.

under_load.py LIBRARY NAMD LOAD STORE_TOOL CLOCK WHAT [KILLS [SEED]], WHAT one of
  clients   a client is killed at random instants: it costs the other nothing, and what it had acknowledged is there
  manager   namd is killed at random instants and begins again on the same store
  error     how long it takes until a program sees that namd is gone
  stopped   a client is stopped in the middle of a transfer
  clock     the clock of namd's host jumps
"""

import os
import random
import re
import signal
import struct
import sys
import time

from jobs import Site
from load import GRACE_S, TIMEOUT_S, Client, wait_a_random_time, wait_for

LARGE = 16 << 20
NAMD_OPTIONS = ("--timeout", str(TIMEOUT_S))


def persistent(clients):
    return sum(client.ranks for client in clients)


def check_users(site, store_tool, clients, dead=()):
    """Soon nothing is there but what the clients keep, and what the living, at most one window each, are making just now; the processes
    that are dead use nothing."""

    def look():
        numbers = site.check(store_tool)  # fails for catalogs and files that do not agree
        users = [int(pid) for pid in re.findall(r"by process (\d+)", site.run([store_tool, "check", "-"]))]
        passing = numbers["windows"] - persistent(clients)
        good = 0 <= passing <= len(clients) - len(dead) and not set(users) & set(dead)
        return good, (dict(numbers), users, dead)

    return wait_for(look, "without what the dead had")


def end_well(site, store_tool, clients):
    """All clients have been killed or have ended: what they keep is there, all of it right, and nothing else."""
    for client in clients:
        client.start(rounds=3)
        client.finish()
        client.expect_right()
    numbers = site.check(store_tool)
    assert numbers["windows"] == persistent(clients) and numbers["uses"] == 0, numbers
    assert numbers["allocations"] == persistent(clients), numbers
    site.manager.stop()


def kill_clients(site, clients, store_tool, kills, rng):
    died_in_transfer = 0
    for i in range(kills):
        victim, other = (clients[i % 2], clients[(i + 1) % 2])
        victim.wait_for_process()
        wait_a_random_time(rng, victim.process.pid, 0.15)
        before = victim.board()
        victim.kill()
        died_in_transfer += victim.board()["in_call_since"] != 0
        errors = other.board()["errors"]
        other.progress()
        assert other.board()["errors"] == errors, f"kill {i} of {victim.name} cost {other.name}: {other.text()[-2000:]}"
        check_users(site, store_tool, clients, [before["process"]])
        victim.boards[0].clear("in_call_since")
        victim.start()  # which checks what it finds
        for client in clients:
            client.expect_right()
        assert site.manager.alive(), site.manager.log_text()[-2000:]
    print(f"{kills} clients killed, {died_in_transfer} of them in a call")
    assert died_in_transfer > kills / 4


def kill_manager(site, clients, store_tool, kills, rng):
    longest_down = longest_start = 0
    for i in range(kills):
        for client in clients:
            client.progress(1)
        wait_a_random_time(rng, site.manager.pid, 0.15)
        killed = time.monotonic()
        site.manager.kill()
        wait_a_random_time(rng, clients[i % 2].process.pid, 0.1)
        began = time.monotonic()
        site.manager.start()
        longest_start = max(longest_start, time.monotonic() - began)
        for client in clients:
            client.progress(2)
            client.expect_right()
        longest_down = max(longest_down, time.monotonic() - killed)
        check_users(site, store_tool, clients)
    longest = max(client.board()["longest_call_ns"] for client in clients) / 1e9
    errors = {client.name: client.board()["errors"] for client in clients}
    print(f"namd killed {kills} times: it began again in at most {longest_start:.2f} s, all clients went on after at most {longest_down:.2f} s; "
          f"longest call {longest:.2f} s; calls that failed: {errors}")
    assert all(errors.values()), f"somebody has not noticed: {errors}"


def time_to_error(site, clients, _store_tool, times, _rng):
    seen = {(client.path, kind): [] for client in clients for kind in ("first_data_error", "first_call_error")}
    for _ in range(times):
        for client in clients:
            client.progress(2)
            client.boards[0].clear("first_data_error", "first_call_error")
        killed = time.monotonic_ns()
        site.manager.kill()
        for client in clients:
            kinds = ["first_data_error"] if client.path == "fabric" else ["first_call_error"]
            client.wait_until(lambda words, kinds=kinds: any(words[kind] for kind in kinds), "told of the end of namd", TIMEOUT_S + GRACE_S)
            for kind in kinds:
                seen[client.path, kind].append((client.board()[kind] - killed) / 1e6)
        site.manager.start()
        for client in clients:
            client.progress(2)
            client.expect_right()
    for (path, kind), numbers in seen.items():
        if numbers:
            numbers.sort()
            print(f"{path}: {kind} after {numbers[0]:.1f} to {numbers[-1]:.1f} ms, {numbers[len(numbers) // 2]:.1f} in the middle, of {len(numbers)}")
            assert numbers[-1] < (TIMEOUT_S + GRACE_S) * 1000, numbers


def stop_clients(site, clients, store_tool, times, rng):
    """Longer than the daemon has patience with a host that says nothing: the other one goes on all the time."""
    for i in range(times):
        victim, other = (clients[i % 2], clients[(i + 1) % 2])
        victim.progress(1)
        wait_a_random_time(rng, victim.process.pid, 0.05)
        victim.signal(signal.SIGSTOP)
        stopped = time.monotonic()
        while time.monotonic() < stopped + TIMEOUT_S + 1:
            other.progress(1)
        longest = other.board()["longest_call_ns"] / 1e9
        victim.signal(signal.SIGCONT)
        # The time for which it did not run is none of its calls.
        for client in clients:
            client.progress(2)
        victim.boards[0].clear("longest_call_ns")
        assert longest < TIMEOUT_S, f"while {victim.name} was stopped, a call of {other.name} took {longest} s"
        for client in clients:
            client.expect_right()
    check_users(site, store_tool, clients)
    print(f"clients stopped {times} times, for {TIMEOUT_S + 1} s each")


class Clock:
    """The wall clock that namd sees: see shifted_clock.c."""

    def __init__(self, folder):
        self.file = os.path.join(folder, "clock")
        if not os.path.exists(self.file):
            with open(self.file, "wb") as file:
                file.write(struct.pack("q", 0))

    def shift(self, seconds):
        # Never shorter in between: namd has it mapped, and would end if it read the clock just then.
        with open(self.file, "r+b") as file:
            file.write(struct.pack("q", seconds))


def jump_clock(site, clients, store_tool, _times, _rng):
    clock = Clock(site.folder)
    kept = clients
    for shift in (86400, -86400, 0, -1_000_000_000, 1_000_000_000, 0):
        errors = [client.board()["errors"] for client in clients]
        clock.shift(shift)
        for client in clients:
            client.progress(5)
            client.expect_right()
        assert [client.board()["errors"] for client in clients] == errors, f"a jump by {shift} s costs calls"
        # New ones are let in.
        with Client(site, clients[0].program[0], "late", "fabric") as late:
            late.progress(1)
            kept = [*clients, late]
        check_users(site, store_tool, kept, [late.board()["process"]])
    assert "shifted clock" in site.manager.log_text(), "the preloaded clock was not used"
    print("the clock jumped by days and by decades, both ways")


WHAT = {"clients": kill_clients, "manager": kill_manager, "error": time_to_error, "stopped": stop_clients, "clock": jump_clock}


def main(library, namd, load, store_tool, clock, what, kills="10", seed="20261126"):
    rng = random.Random(int(seed))
    print(f"seed {seed}")
    whole = Site(library, namd=namd, namd_options=NAMD_OPTIONS)
    if what == "clock":
        whole.manager.env = {"LD_PRELOAD": clock, "TEST_CLOCK": Clock(whole.folder).file}
    with whole as site:
        large = LARGE if what in ("clients", "stopped") else 1 << 18
        with Client(site, load, "maps", "mapped") as maps, Client(site, load, "remote", "fabric", large) as remote:
            clients = [maps, remote]
            for client in clients:
                client.progress(1)
            WHAT[what](site, clients, store_tool, int(kills), rng)
            for client in clients:
                client.kill()
            if what != "clock":
                end_well(site, store_tool, clients)


if __name__ == "__main__":
    main(*sys.argv[1:])
