"""namd begins, is ready, reads its settings again, ends, and finds its store again. lifecycle.py NAMD NAMCTL"""

import os
import select
import signal
import sys

from namd import Place

MEGABYTE = 1 << 20


def starts_and_ends(place):
    for how in (signal.SIGTERM, signal.SIGINT):
        daemon = place.start("--capacity", "64M")
        assert os.path.exists(place.socket)
        line = daemon.wait_for_log(r"serving .*\n").group(0)
        assert place.store in line and place.socket in line and str(64 * MEGABYTE) in line, line
        assert daemon.end(how) == 0, daemon.text()
        assert "has ended" in daemon.text() or "namd ended" in daemon.text()


def second_daemon_is_refused(place):
    daemon = place.start()
    second = place.run("--store", place.store, "--listen", place.socket + "2")
    assert second.returncode == 1, second
    assert f"process {daemon.process.pid}" in second.stderr and place.store in second.stderr, second.stderr
    assert not os.path.exists(place.socket + "2"), "the second one listens all the same"
    # The address, too, has one owner.
    other = place.run("--store", place.store + "2", "--listen", place.socket)
    assert other.returncode == 1 and place.socket in other.stderr, other
    place.must("list")
    assert daemon.end() == 0


def bad_settings_are_named(place):
    for arguments, words in ((("--capacity", "12X"), ("--capacity", "12X")), (("--log", "loud"), ("--log", "loud", "trace")),
                             (("--nonsense",), ("--nonsense",)), (("--metrics", "0.0.0.0"), ("metrics-public",)),
                             (("--config", place.folder + "/none"), (place.folder + "/none",))):
        result = place.run(*arguments)
        assert result.returncode == 2, (arguments, result)
        assert result.stdout == "" and all(word in result.stderr for word in words), (arguments, result)
    place.write_config("store = /tmp\nqouta = 3\n")
    result = place.run("--config", place.config, "--check-config")
    assert result.returncode == 2 and "qouta" in result.stderr and "quota" in result.stderr, result
    place.write_config("quota = 3\n")
    result = place.run("--config", place.config, "--check-config")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), result
    assert place.run("--version").stdout.startswith("namd (psnam) ")


def memory_lies_where_it_is_wanted(place):
    daemon = place.start("--numa-nodes", "0", "--huge-pages", "yes", "--capacity", "64M")
    place.must("alloc", "1M")
    assert daemon.end() == 0
    absent = place.run("--store", place.store, "--listen", place.socket, "--numa-nodes", "1000")
    assert absent.returncode == 1 and "1000" in absent.stderr, absent
    in_memory = place.run("--store", place.store, "--listen", place.socket, "--durable", "yes")
    assert in_memory.returncode == 1 and place.store in in_memory.stderr, in_memory


def settings_are_read_again(place):
    base = f"store = {place.store}\nlisten = {place.socket}\n"
    place.write_config(base + "quota = 1M\n")
    daemon = place.start(config=True)
    place.write_config(base + "quota = 2M\nlog = debug\nworkers = 2\n")
    daemon.reload()
    daemon.wait_for_log(f"settings read again: quota {2 * MEGABYTE} bytes")
    daemon.wait_for_log("only after a restart: workers")
    place.write_config(base + "quota = 3M\nlog = loud\n")
    daemon.reload()
    daemon.wait_for_log('the old ones stay: log in .* = "loud"')
    place.must("list")
    # Still at debug: the broken file changed nothing.
    daemon.wait_for_log("psnam: debug: session")
    assert daemon.end() == 0


def a_killed_daemon_comes_back(place):
    daemon = place.start("--capacity", "64M")
    persistent = place.must("alloc", "1M", "--name", "kept").strip()
    daemon.process.kill()
    daemon.process.wait()
    gone = place.namctl("list", env={"PSNAM_TIMEOUT": "5"})
    assert gone.returncode == 1 and place.socket in gone.stderr, gone
    again = place.start()
    kept = place.json("show", "kept")
    assert str(kept["id"]) == persistent and kept["bytes"] == MEGABYTE, kept
    assert place.json("capacity")["capacity_bytes"] == 64 * MEGABYTE
    assert place.namctl("show", "kept", "--store", place.store).returncode == 1, "the folder is served"
    refused = place.namctl("list", "--store", place.store)
    assert "is served by namd" in refused.stderr and f"PSNAM_MANAGER={place.socket}" in refused.stderr, refused
    place.must("free", "kept")
    assert again.end() == 0
    # Embedded again, once nobody serves it.
    place.must("list", "--store", place.store)


def idles(place):
    daemon = place.start("--metrics", "127.0.0.1:0", "--listen", "127.0.0.1:0")
    place.must("list")
    before = daemon.processor_ticks()
    # Nothing is said meanwhile, so this lasts its whole limit.
    assert select.select([daemon.notifications], [], [], 3)[0] == []
    used = daemon.processor_ticks() - before
    assert used <= 1, f"{used} clock ticks of processor time in 3 s without anything to do"
    assert daemon.end() == 0


def tells_that_it_is_alive(place):
    daemon = place.start(env={"WATCHDOG_USEC": "200000"})
    for _ in range(3):
        daemon.wait_for_notification("WATCHDOG=1", 20)
    assert daemon.end() == 0


def main(namd, namctl):
    for check in (starts_and_ends, second_daemon_is_refused, bad_settings_are_named, memory_lies_where_it_is_wanted,
                  settings_are_read_again,
                  a_killed_daemon_comes_back, idles, tells_that_it_is_alive):
        print(check.__name__, flush=True)
        with Place(namd, namctl) as place:
            check(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
