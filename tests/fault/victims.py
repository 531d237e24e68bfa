"""What tests have in common that kill the processes of a job."""

import contextlib
import mmap
import os
import re
import signal
import struct


class Board:
    """See parity_board.hpp."""

    WORDS = 11

    def __init__(self, folder, ranks):
        self.ranks = ranks
        self.path = os.path.join(folder, "board")
        with open(self.path, "wb") as file:
            file.write(bytes(4 * self.WORDS))
        with open(self.path, "r+b") as file:
            self.page = mmap.mmap(file.fileno(), 4 * self.WORDS)

    def words(self):
        return struct.unpack(f"{self.WORDS}I", self.page[:])

    committed = property(lambda self: self.words()[0])
    restored = property(lambda self: self.words()[1])
    pids = property(lambda self: self.words()[2 : 2 + self.ranks])
    phases = property(lambda self: self.words()[6 : 6 + self.ranks])

    def begin_job(self):
        self.page[8:40] = bytes(32)


def kill_all(pids):
    """The launcher ends the others once it has seen one die: they may be gone before their turn."""
    for pid in pids:
        assert pid > 0, "a rank has not told its process"
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def without_missed_members(output, killed):
    """Without the failures of those who have missed one of the `killed` ranks before the launcher has ended them: that it has ended, or that its
    memory cannot be reached any more. The line of one may be continued by what another rank writes."""
    ranks = "|".join(str(rank) for rank in killed)
    return re.sub(rf"[^\n]*: Failure\nFailed\nmember ({ranks})( has ended|: [^\n]*\(the server is gone[^\n]*)", "", output)
