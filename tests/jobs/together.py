"""Jobs that change one window at the same time, and what is left of a job that is killed then. together.py LIBRARY PROGRAM"""

import os
import re
import signal
import sys

from jobs import Site

# How long a job may wait for what a killed one held.
TAKEOVER_LIMIT_S = 60


def main(library, program, *_):
    def role(name):
        return [program, f"--gtest_filter={name}"]

    with Site(library) as site:
        site.expect(2, role("Maker.*"))

        for worker in ("DrawsTickets", "CountsUnderTheExclusiveLock", "AddsWideNumbersThatNoProcessorAdds"):
            with site.talk(2, role("Worker." + worker)) as first, site.talk(2, role("Worker." + worker)) as second:
                for job in (first, second):
                    job.expect("ready")
                for job in (first, second):
                    job.go_on()
                for job in (first, second):
                    job.finish()
        site.expect(1, role("Checker.*"))

        # Whether the victim's end is told: it is if it held what the other job needed.
        for victim_name, is_told in (("HoldsTheExclusiveLock", True), ("HoldsAllLocks", True),
                                     ("AccumulatesUnderAllLocks", True), ("IsInAFenceEpoch", False)):
            with site.talk(1, role("Survivor.*")) as survivor, site.talk(1, role("Victim." + victim_name)) as victim:
                survivor.expect("ready")
                victim.expect("in")
                logged = site.manager.log_text() if site.manager else ""
                process = int(re.search(r"^process (\d+)$", victim.output, re.MULTILINE).group(1))
                survivor.go_on()
                os.kill(process, signal.SIGKILL)
                survivor.finish(TAKEOVER_LIMIT_S)
                # Who maps the locks looks after them himself; those of clients over the fabric the manager takes back.
                said = survivor.output + (site.manager.log_text()[len(logged):] if site.manager else "")
                told = re.findall(r"^.*\bwarn.*process (\d+)\b.* has ended while it held.*$", said, re.MULTILINE | re.IGNORECASE)
                assert told == ([str(process)] if is_told else []), (victim_name, process, said)
                victim.process.wait(TAKEOVER_LIMIT_S)

        site.expect(1, role("Remover.*"))
        assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
