"""A manager with no room left, and with as many objects as it may have: each is refused with an error of its own, costs nobody else
anything, and is over as soon as something is released. limits.py LIBRARY NAMD LOAD STORE_TOOL NAMCTL"""

import os
import subprocess
import sys

from jobs import Site
from load import TIMEOUT_S, Client

CAPACITY = "16M"
PIECE = "1M"
OBJECTS = 12


def ask(site, path, *command):
    done = subprocess.run(command, text=True, capture_output=True, timeout=60, env={**os.environ, **site.environment(path)})
    return done.returncode, done.stdout.strip(), done.stderr.strip()


def fill(site, path, namctl, size, most):
    """Allocates until that is refused; the ids, and what the refusal said."""
    ids = []
    while len(ids) < most:
        status, out, err = ask(site, path, namctl, "alloc", size)
        if status != 0:
            return ids, err
        ids.append(out)
    raise AssertionError(f"{most} allocations of {size} and no end")


def refused_and_over_again(library, namd, load, store_tool, namctl, options, size, says):
    with Site(library, namd=namd, namd_options=("--timeout", str(TIMEOUT_S), *options)) as site:
        with Client(site, load, "maps", "mapped", control=False) as maps, Client(site, load, "remote", "fabric", control=False) as remote:
            clients = [maps, remote]
            for client in clients:
                client.progress(1)
            errors = [client.board()["errors"] for client in clients]
            for path in ("mapped", "fabric"):
                ids, said = fill(site, path, namctl, size, 64)
                assert any(word in said for word in says), f"{options} over {path}: {said}"
                assert ids, "not one allocation is possible"
                for client in clients:
                    client.progress(2)
                # A window is refused as an allocation is, without leaving half of one.
                before = site.check(store_tool)
                with Client(site, load, f"late-{path}", path) as late:
                    late.boards[0].clear("errors")
                    late.wait_until(lambda words: words["errors"] > 0, "refused")
                    assert any(word in late.text() for word in says), late.text()[-2000:]
                after = site.check(store_tool)
                assert before == after, (dict(before), dict(after))
                site.run([namctl, "free", ids.pop()], path=path)
                status, again, err = ask(site, path, namctl, "alloc", size)
                assert status == 0, f"nothing fits in what was released: {err}"
                for one in [*ids, again]:
                    site.run([namctl, "free", one], path=path)
            assert [client.board()["errors"] for client in clients] == errors
            for client in clients:
                client.expect_right()
                client.kill()
        numbers = site.check(store_tool)
        assert (numbers["windows"], numbers["allocations"]) == (2, 2), numbers
        site.manager.stop()
        print(f"{options}: \"{said}\"")


def main(*tools):
    # A volatile window of the load program needs little, but the first thing it wants is a persistent one.
    refused_and_over_again(*tools, ("--capacity", CAPACITY), PIECE, ("no room", "full", "capacity", "bytes"))
    refused_and_over_again(*tools, ("--max-objects", str(OBJECTS)), "4K", ("objects", "windows and allocations"))


if __name__ == "__main__":
    main(*sys.argv[1:])
