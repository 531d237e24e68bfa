"""Runs namd for tests: each with a store and a socket of its own, ready when it says so, and gone when the test ends."""

import json
import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

DEFAULT_TIMEOUT_S = 60


class Place:
    """A folder for one daemon: store, socket, configuration. It goes when the test ends."""

    def __init__(self, namd, namctl):
        self.namd = namd
        self.namctl_program = namctl
        self.folder = tempfile.mkdtemp(prefix="psnam-test-", dir="/dev/shm")
        # Other users come to the socket, but not to the store.
        os.chmod(self.folder, 0o755)
        self.store = os.path.join(self.folder, "store")
        self.socket = os.path.join(self.folder, "namd.sock")
        self.config = os.path.join(self.folder, "namd.conf")
        self.daemons = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for daemon in self.daemons:
            daemon.kill()
        shutil.rmtree(self.folder)

    def write_config(self, text):
        with open(self.config, "w", encoding="utf-8") as file:
            file.write(text)

    def start(self, *arguments, config=False, env=None):
        """A daemon that says that it is ready."""
        daemon = Daemon(self, arguments, config, env)
        self.daemons.append(daemon)
        daemon.wait_for_notification("READY=1")
        return daemon

    def run(self, *arguments, timeout=DEFAULT_TIMEOUT_S):
        """namd with exactly these arguments, which must end by itself."""
        return subprocess.run([self.namd, *arguments], capture_output=True, text=True, timeout=timeout, check=False)

    def namctl(self, *arguments, env=None, uid=None, timeout=DEFAULT_TIMEOUT_S):
        """namctl on the daemon's socket, unless `arguments` or `env` name something else; as another user with `uid`."""
        environment = {**os.environ, "PSNAM_MANAGER": self.socket, **(env or {})}
        become = {} if uid is None else {"user": uid, "group": uid, "extra_groups": []}
        return subprocess.run([self.namctl_program, *arguments], capture_output=True, text=True, timeout=timeout, check=False,
                              env=environment, **become)

    def must(self, *arguments, **options):
        """The standard output of a namctl that succeeds."""
        result = self.namctl(*arguments, **options)
        assert result.returncode == 0, f"namctl {arguments}: {result.stdout}{result.stderr}"
        return result.stdout

    def json(self, *arguments, **options):
        return json.loads(self.must(*arguments, "--json", **options))


class Daemon:
    def __init__(self, place, arguments, config, env):
        self.notifications = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        # An abstract name: no file is left behind.
        name = f"psnam-notify-{os.getpid()}-{id(self)}"
        self.notifications.bind("\0" + name)
        self.log = open(os.path.join(place.folder, "log"), "a+", encoding="utf-8")
        self.log_begin = self.log.seek(0, os.SEEK_END)
        given = ["--config", place.config] if config else ["--store", place.store, "--listen", place.socket]
        self.process = subprocess.Popen([place.namd, *given, *arguments], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                        stderr=self.log, env={**os.environ, "NOTIFY_SOCKET": "@" + name, **(env or {})})

    def text(self):
        """What it wrote to its log."""
        self.log.seek(self.log_begin)
        return self.log.read()

    def _wait(self, condition, what, timeout):
        end = time.monotonic() + timeout
        while True:
            found = condition(max(0.0, end - time.monotonic()))
            if found is not None:
                return found
            if self.process.poll() is not None or time.monotonic() > end:
                raise AssertionError(f"namd (status {self.process.poll()}) has not come to {what}:\n{self.text()}")

    def wait_for_notification(self, word, timeout=DEFAULT_TIMEOUT_S):
        """Until it tells its service manager `word`; the whole notification."""
        def received(left):
            # In steps: one that dies says nothing any more.
            if not select.select([self.notifications], [], [], min(left, 0.2))[0]:
                return None
            text = self.notifications.recv(65536).decode()
            return text if word in text.split("\n") else None
        return self._wait(received, word, timeout)

    def wait_for_log(self, pattern, timeout=DEFAULT_TIMEOUT_S):
        """Until its log has a line that matches; the match."""
        def found(left):
            match = re.search(pattern, self.text())
            if match is None:
                select.select([self.notifications], [], [], min(left, 0.02))
            return match
        return self._wait(found, pattern, timeout)

    def reload(self):
        """SIGHUP, until it has been dealt with."""
        self.process.send_signal(signal.SIGHUP)
        self.wait_for_notification("READY=1")

    def end(self, how=signal.SIGTERM, timeout=DEFAULT_TIMEOUT_S):
        """Its exit status."""
        self.process.send_signal(how)
        status = self.process.wait(timeout)
        assert self.process.stdout.read() == b"", "namd wrote to standard output"
        return status

    def kill(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdout.close()
        self.notifications.close()
        self.log.close()

    def tcp_address(self):
        """Where it listens on TCP, of those that its log names."""
        return self.wait_for_log(r"serving \S+ at .*?(127\.0\.0\.1:\d+)").group(1)

    def metrics_address(self):
        return self.wait_for_log(r"metrics (127\.0\.0\.1:\d+)").group(1)

    def processor_ticks(self):
        """User and system time so far, in clock ticks."""
        with open(f"/proc/{self.process.pid}/stat", encoding="utf-8") as file:
            fields = file.read().rpartition(")")[2].split()
        return int(fields[11]) + int(fields[12])
