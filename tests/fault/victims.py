"""What tests have in common that kill the processes of a job."""

import contextlib
import os
import re
import signal


def kill_all(pids):
    """The launcher ends the others once it has seen one die: they may be gone before their turn."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def without_missed_members(output, killed):
    """Without the failures of those who have missed one of the `killed` ranks before the launcher has ended them: that it has ended, or that its
    memory cannot be reached any more."""
    ranks = "|".join(str(rank) for rank in killed)
    return re.sub(rf"[^\n]*: Failure\nFailed\nmember ({ranks})( has ended|: [^\n]*\(the server is gone[^\n]*)\n", "", output)
