"""A manager with no room left, for all or for a user, and one with as many objects as it may have: each of these is refused at once with
an error of its own, costs nobody else anything, leaves nothing, and is over as soon as something is released.

limits.py LIBRARY NAMD LOAD STORE_TOOL NAMCTL"""

import os
import subprocess
import sys
import time

from jobs import Site
from load import GRACE_S, TIMEOUT_S, Client, wait_for

ROOM = "16M"
PIECE = "1M"
OBJECTS = "12"
MOST_PIECES = 64
# Of the window that is refused: more than what is left where not even a piece fits.
LATE_BYTES = 2 << 20


def ask(site, path, *command):
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, env={**os.environ, **site.environment(path)})
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def fill(site, path, namctl, size):
    """Allocates until that is refused; the ids, and what the refusal said."""
    ids = []
    for _ in range(MOST_PIECES):
        status, out, err = ask(site, path, namctl, "alloc", size)
        if status != 0:
            return ids, err
        ids.append(out)
    raise AssertionError(f"{MOST_PIECES} allocations of {size} and no end")


def refused_window(site, load, store_tool, path, says):
    """A program whose window is refused, again and again, without leaving half of one; it goes on trying."""
    before = site.check(store_tool)
    late = Client(site, load, f"late-{path}", path, region_bytes=LATE_BYTES, control=False).start()
    try:
        late.wait_until(lambda words: words["errors"] >= 3, "refused", TIMEOUT_S + GRACE_S)
        words = late.board()
        assert words["verified"] == 0 and words["longest_call_ns"] < TIMEOUT_S * 1e9, words
        assert says in late.text(), late.text()[-2000:]
    finally:
        late.kill_group()

    def look():
        after = site.check(store_tool)
        return before == after, (dict(before), dict(after))

    wait_for(look, "as it was before")
    return late


def over_again(site, path, namctl, late, ids, size):
    """What was refused is had once there is room: an allocation in the place of one, a window in the place of all."""
    site.run([namctl, "free", ids.pop()], path=path)
    status, again, err = ask(site, path, namctl, "alloc", size)
    assert status == 0, f"nothing fits in what was released: {err}"
    for one in [*ids, again]:
        site.run([namctl, "free", one], path=path)
    late.start()
    late.progress(2)
    late.expect_right()
    late.kill()
    site.run([namctl, "rm", "load." + late.name + ".0"], path=path)


def refused(library, namd, load, store_tool, namctl, options, size, says):
    with Site(library, namd=namd, namd_options=("--timeout", str(TIMEOUT_S), *options)) as site:
        with Client(site, load, "maps", "mapped", control=False) as maps, Client(site, load, "remote", "fabric", control=False) as remote:
            clients = [maps, remote]
            for client in clients:
                client.progress(1)
            errors = [client.board()["errors"] for client in clients]
            for path in ("mapped", "fabric"):
                began = time.monotonic()
                ids, said = fill(site, path, namctl, size)
                assert says in said, f"{options} over {path}: {said}"
                assert ids, "not one allocation is possible"
                for client in clients:
                    client.progress(2)
                late = refused_window(site, load, store_tool, path, says)
                over_again(site, path, namctl, late, ids, size)
                print(f"{options} over {path}, {time.monotonic() - began:.1f} s: \"{said}\"")
            assert [client.board()["errors"] for client in clients] == errors
            for client in clients:
                client.expect_right()
                client.kill()
        numbers = site.check(store_tool)
        assert (numbers["windows"], numbers["allocations"], numbers["uses"]) == (2, 2, 0), dict(numbers)
        site.manager.stop()


def quota_file(folder):
    """The user that this test runs as has a quota, whoever that is: user 0 has none that is not set for it by name."""
    path = os.path.join(folder, "quota.conf")
    with open(path, "w", encoding="utf-8") as file:
        file.write(f"[user.{os.geteuid()}]\nquota = {ROOM}\n")
    return path


def main(library, namd, load, store_tool, namctl):
    tools = (library, namd, load, store_tool, namctl)
    refused(*tools, ("--capacity", ROOM), PIECE, "bytes left")
    refused(*tools, ("--max-objects", OBJECTS), "4K", "at most")
    with Site() as settings:
        refused(*tools, ("--config", quota_file(settings.folder)), PIECE, f"user {os.geteuid()} has")


if __name__ == "__main__":
    main(*sys.argv[1:])
