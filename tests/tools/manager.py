"""A real namd for tests: with a store of its own, a Unix socket and a TCP port of its own, and an end that is certain.

    with Manager(namd, folder) as manager:
        ... PSNAM_MANAGER=manager.socket or manager.tcp ...

It is ready when `start` returns: the daemon says so by the protocol of sd_notify(3). Whatever happens, the daemon is ended by
its process id, and the last lines that it wrote are shown if it ended otherwise than it was told."""

import os
import re
import select
import shutil
import signal
import socket
import subprocess
import tempfile
import time

READY_LIMIT_S = 30
END_LIMIT_S = 30


class Manager:
    """namd on a store under `folder`. `host`: the address that TCP clients connect to; `launcher`: what the command begins with, such
    as ip(8) of another network namespace; `options`: further ones of namd; `env`: variables of its environment."""

    def __init__(self, namd, folder, options=(), host="127.0.0.1", launcher=(), env=None):
        self.namd = namd
        self.folder = tempfile.mkdtemp(prefix="namd-", dir=folder)
        self.store = os.path.join(self.folder, "store")
        self.socket = os.path.join(self.folder, "socket")
        self.log = os.path.join(self.folder, "log")
        self.options = list(options)
        self.launcher = list(launcher)
        self.env = dict(env or {})
        self.host = host
        self.port = 0
        self.process = None
        self.pid = None
        self.status = ""

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, *_):
        try:
            ended = self.process.poll() if self.process is not None else None
            if self.process is not None:
                self.kill()
            if ended is not None:
                self._fail(f"had ended by itself, with status {ended}")
            if kind is not None:
                print(f"namd said:\n{self.log_text()[-4000:]}")
        finally:
            shutil.rmtree(self.folder, ignore_errors=True)

    @property
    def tcp(self):
        """Of the first start on, always the same."""
        return f"{self.host}:{self.port}"

    def address(self, path):
        """What PSNAM_MANAGER names for clients that are to reach memory by `path`."""
        return self.tcp if path == "fabric" else self.socket

    def log_text(self):
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read()
        except FileNotFoundError:
            return ""

    def _fail(self, what):
        print(self.log_text()[-4000:])
        raise AssertionError(f"namd (process {self.pid}) {what}")

    def start(self):
        assert self.process is None, "namd runs already"
        listen = [arg for address in (self.socket, self.tcp) for arg in ("--listen", address)]
        # The name of a Unix socket is limited to 107 bytes, so it is not in a folder of a folder.
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready, open(self.log, "ab") as log:
            notify = os.path.join(self.folder, "ready")
            ready.bind(notify)
            try:
                self.process = subprocess.Popen(
                    [*self.launcher, self.namd, "--store", self.store, *listen, *self.options], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                    start_new_session=True, env={**os.environ, **self.env, "NOTIFY_SOCKET": notify})
                self.pid = self.process.pid
                self._wait_until_ready(ready)
            except BaseException:
                if self.process is not None:
                    self.kill()
                raise
            finally:
                os.unlink(notify)
        return self

    def _wait_until_ready(self, ready):
        end = time.monotonic() + READY_LIMIT_S
        ended = os.pidfd_open(self.pid)
        try:
            while True:
                found, _, _ = select.select([ready, ended], [], [], max(0, end - time.monotonic()))
                if ready in found:
                    words = dict(line.split("=", 1) for line in ready.recv(65536).decode().splitlines() if "=" in line)
                    if words.get("READY") == "1":
                        break
                elif ended in found:
                    self._fail(f"ended with status {self.process.wait()} before it was ready")
                else:
                    self._fail(f"is not ready after {READY_LIMIT_S} s")
        finally:
            os.close(ended)
        self.status = words.get("STATUS", "")
        if self.port == 0:
            self.port = int(re.search(rf"{re.escape(self.host)}:(\d+)", self.status).group(1))

    def stop(self, limit=END_LIMIT_S):
        """Ends it as systemd would; it must end well. Returns the seconds that it took."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            status = self.process.wait(limit)
        except subprocess.TimeoutExpired:
            self.kill()
            self._fail(f"did not end within {limit} s of SIGTERM")
        self.process = None
        if status != 0:
            self._fail(f"ended with status {status} after SIGTERM")
        return time.monotonic() - began

    def kill(self):
        """SIGKILL, by the id of the process; one that ended by itself is no error here."""
        self.process.kill()
        self.process.wait(END_LIMIT_S)
        self.process = None

    def move(self):
        """When it starts the next time it is at other addresses."""
        assert self.process is None, "namd runs"
        self.port = 0
        self.socket += ".moved"

    def restart(self):
        """Begins again on the same store and addresses."""
        if self.process is not None:
            self.stop()
        return self.start()

    def alive(self):
        return self.process is not None and self.process.poll() is None
