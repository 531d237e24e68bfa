"""The heat example is killed at random times, loses a node's memory each time, goes on, and ends with the picture of an undisturbed
run. heat_restart_test.py HEAT_FOLDER LIBRARY NAMD"""

import filecmp
import os
import random
import re
import select
import shutil
import signal
import sys
import threading
import time

from jobs import Site, files_of

SEED = int(os.environ.get("TEST_SEED", "0")) or random.SystemRandom().randrange(1, 1 << 32)
KILLS = 4
LIMIT_S = 120
PLATE = ["--size", "90x60", "--steps", "1200", "--every", "100", "--structure", "managed_distributed"]
PAUSE = threading.Event()  # that nobody sets


def ranks_of(program, folder):
    """The processes of a program that run on the stores of `folder`."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if os.readlink(f"/proc/{pid}/exe") == program and folder.encode() in file.read():
                    found.append(int(pid))
        except OSError:
            continue  # it has ended, or is somebody else's
    return found


def read_until(job, pattern):
    """What a job says, until a line matches or it ends."""
    output, end = "", time.monotonic() + LIMIT_S
    while not re.search(pattern, output):
        ready, _, _ = select.select([job.stdout], [], [], max(0, end - time.monotonic()))
        assert ready, f"no \"{pattern}\" within {LIMIT_S} s: {output}"
        data = os.read(job.stdout.fileno(), 65536)
        if not data:
            break
        output += data.decode(errors="replace")
    return output


def killed_once(site, ranks, command, rng):
    """All ranks are killed some time after a version was saved. The time-step that it began with; None if it was quicker."""
    job = site.start(ranks, command)
    output = read_until(job, r"saved step \d+\n")
    PAUSE.wait(rng.random() * 0.2)
    for pid in ranks_of(command[0], site.folder):
        os.kill(pid, signal.SIGKILL)
    result = site.wait(job)
    output += result.output
    assert not result.timed_out, output
    if "published as" in output:
        return None
    assert result.returncode != 0 and "saved step" in output, output
    started = re.search(r"goes on from step (\d+)", output)
    return int(started.group(1)) if started else 0


def picture(site, viewer, name):
    path = os.path.join(site.folder, name)
    seen = site.expect({"A": 2}, [viewer, "--picture", path, "--remove"])
    assert "frames equal the serial computation" in seen.output, seen.output
    return path


def main(heat, library, namd):
    print(f"TEST_SEED={SEED}")
    rng = random.Random(SEED)
    producer, viewer = os.path.join(heat, "heat_producer_restartable"), os.path.join(heat, "heat_viewer")
    ranks = {"A": 2, "B": 2}
    with Site(library, ("A", "B"), namd, "mapped") as site:
        site.expect(ranks, [producer, *PLATE])
        undisturbed = picture(site, viewer, "undisturbed.png")
        command = [producer, *PLATE, "--checkpoint-every", "50", "--checkpoint-set", "2"]
        started = []
        for kill in range(KILLS):
            started.append(killed_once(site, ranks, command, rng))
            if started[-1] is None:
                break
            node = "AB"[kill % 2]
            shutil.rmtree(site.stores[node])
        if started[-1] is not None:
            last = site.expect(ranks, command)
            assert re.search(r"goes on from step \d+", last.output), last.output
        assert started[0] == 0 and len(started) > 1, started
        # Each run went on where the one before had come to.
        known = [step for step in started if step is not None]
        assert known == sorted(known) and all(step % 50 == 0 for step in known), started
        restarted = picture(site, viewer, "restarted.png")
        assert filecmp.cmp(undisturbed, restarted, shallow=False), f"the pictures differ; runs began at steps {started}"
        print(f"killed runs began at steps {started}")
        assert not [path for store in site.stores.values() for path in files_of(store)], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
