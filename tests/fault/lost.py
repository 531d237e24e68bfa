"""A rank dies and the launcher does not end the others. lost.py LIBRARY PROGRAM STORE_TOOL

MPICH's launcher kills a job of which a rank is killed, even when told not to (-disable-auto-cleanup). So each rank is the child of
a shell, which ends well whatever becomes of it."""

import sys

from jobs import Site

LIMIT_S = 20
IN_A_SHELL = ("sh", "-c", 'trap "" USR1; "$@"; exit 0', "sh")
TESTS = ("RankEndsTheFenceOfTheOthersWithAnError", "RankEndsTheFreeOfTheOthersWithAnError", "RankEndsAChangeOfConsistencyWithAnError")


def main(library, program, store_tool):
    for test in TESTS:
        for ranks in (2, 3, 4):
            with Site(library) as site:
                job = site.start(ranks, [*IN_A_SHELL, program, f"--gtest_filter=Lost.{test}"], launcher=("-disable-auto-cleanup",))
                result = site.wait(job, LIMIT_S)
                told = result.output.count("lost: told")
                if result.timed_out or told != ranks - 1:
                    print(result.output)
                    raise AssertionError(f"{test} with {ranks} ranks: {told} ranks were told" + (", and it hangs" if result.timed_out else ""))
                numbers = site.check(store_tool)
                assert not numbers["windows"] and not numbers["allocations"] and not numbers["uses"], numbers
                assert site.files() == [], site.files()


if __name__ == "__main__":
    main(*sys.argv[1:])
