"""Clients under load (tests/fault/load_test.cpp): started, watched by their boards, killed, and held to their limits."""

import os
import select
import signal
import struct
import subprocess
import time

# What programs and namd are told in tests of faults, in seconds; and how much later than that a call may come back here, where
# tests share processors with others.
TIMEOUT_S = 3
GRACE_S = 3
PROGRESS_LIMIT_S = 30
WORDS = ("process", "verified", "acknowledged", "errors", "first_data_error", "first_call_error", "longest_call_ns", "in_call_since", "lost",
         "wrong")
LOOK_S = 0.002


class Board:
    """A file that a rank writes to; see load_board.hpp."""

    def __init__(self, path):
        self.path = path
        if not os.path.exists(path):
            with open(path, "wb") as file:
                file.write(bytes(8 * len(WORDS)))

    def read(self):
        with open(self.path, "rb") as file:
            return dict(zip(WORDS, struct.unpack(f"{len(WORDS)}Q", file.read(8 * len(WORDS)))))

    def clear(self, *words):
        with open(self.path, "r+b") as file:
            for word in words:
                file.seek(8 * WORDS.index(word))
                file.write(bytes(8))


class Client:
    """A job of the load program, whose ranks reach the manager's memory by `path`."""

    def __init__(self, site, program, name, path, region_bytes=1 << 18, ranks=1, control=True, prefix=(), env=None):
        self.site = site
        self.name = name
        self.path = path
        self.ranks = ranks
        self.prefix = prefix
        self.env = {"PSNAM_TIMEOUT": str(TIMEOUT_S), **(env or {})}
        board = os.path.join(site.folder, "board-" + name)
        self.boards = [Board(f"{board}.{rank}") for rank in range(ranks)]
        self.program = [program, "--gtest_filter=Load.*", f"board={board}", f"name=load.{name}", f"bytes={region_bytes}",
                        f"control={'yes' if control else 'no'}"]
        self.output = os.path.join(site.folder, "output-" + name)
        self.process = None

    def __enter__(self):
        return self.start()

    def __exit__(self, kind, *_):
        if self.process is not None:
            self.kill()
        if kind is not None:
            print(f"{self.name} ({self.path}): {[board.read() for board in self.boards]}\n{self.text()[-3000:]}")

    def text(self):
        with open(self.output, encoding="utf-8", errors="replace") as file:
            return file.read()

    def start(self, rounds=None):
        for board in self.boards:
            board.clear("process")
        with open(self.output, "w", encoding="utf-8") as output:
            program = self.program + ([f"rounds={rounds}"] if rounds else [])
            self.process = self.site.start(self.ranks, program, self.env, path=self.path, stdout=output, prefix=self.prefix)
        return self

    def board(self):
        return self.boards[0].read()

    def wait_until(self, condition, what, limit=PROGRESS_LIMIT_S):
        """Until `condition` holds for the board of each rank; the job must not end before."""
        end = time.monotonic() + limit
        with_end = os.pidfd_open(self.process.pid)
        try:
            while not all(condition(board.read()) for board in self.boards):
                ended, _, _ = select.select([with_end], [], [], LOOK_S)
                assert not ended, f"{self.name} ended with status {self.process.wait()} before {what}"
                assert time.monotonic() < end, f"{self.name}: not {what} within {limit} s: {[board.read() for board in self.boards]}"
        finally:
            os.close(with_end)

    def progress(self, rounds=2, limit=PROGRESS_LIMIT_S):
        """Until it has come `rounds` generations further."""
        before = min(board.read()["verified"] for board in self.boards)
        self.wait_until(lambda words: words["process"] and words["verified"] >= before + rounds, f"{rounds} rounds further", limit)

    def wait_for_process(self):
        """Until it says who it is: from then on it is at work."""
        self.wait_until(lambda words: words["process"] != 0, "at work")

    def signal(self, number):
        for board in self.boards:
            os.kill(board.read()["process"], number)

    def kill(self):
        """SIGKILL of its processes, by their ids; what it has told stays on the boards. One that does not say who it is, or a launcher
        that does not end, goes as a group."""
        try:
            self.wait_for_process()
            for board in self.boards:
                os.kill(board.read()["process"], signal.SIGKILL)
            self.process.wait(PROGRESS_LIMIT_S)
        except (AssertionError, ProcessLookupError, subprocess.TimeoutExpired):
            self.kill_group()
        self.process = None

    def kill_group(self):
        """Of one that has no window yet, and so does not say who it is."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(PROGRESS_LIMIT_S)
        self.process = None

    def finish(self, limit=PROGRESS_LIMIT_S):
        """Of one that was started with a number of rounds."""
        status = self.process.wait(limit)
        self.process = None
        assert status == 0, f"{self.name} ended with status {status}: {self.text()[-3000:]}"

    def expect_right(self):
        """No wrong byte, and no call that took longer than it may."""
        for words in (board.read() for board in self.boards):
            assert words["wrong"] == 0, f"{self.name}: {words}: {self.text()[-3000:]}"
            assert words["longest_call_ns"] < (TIMEOUT_S + GRACE_S) * 1e9, f"{self.name}: a call took {words['longest_call_ns'] / 1e9} s"
            if words["in_call_since"]:
                took = time.monotonic_ns() - words["in_call_since"]
                assert took < (TIMEOUT_S + GRACE_S) * 1e9, f"{self.name}: a call takes {took / 1e9} s already"


def wait_a_random_time(rng, process, longest_s):
    """The instant at which something happens to a process; it must not end by itself before."""
    watched = os.pidfd_open(process)
    ended, _, _ = select.select([watched], [], [], rng.uniform(0, longest_s))
    os.close(watched)
    assert not ended, f"process {process} has ended by itself"


def wait_for(condition, what, limit=PROGRESS_LIMIT_S):
    """Until `condition` holds, which is asked again and again; what it says at last is in the error."""
    end = time.monotonic() + limit
    while True:
        good, found = condition()
        if good:
            return found
        assert time.monotonic() < end, f"not {what} within {limit} s: {found}"
