"""Runs one MPI test program as one job:
run_job.py [--np N] [--nodes A:2,B:2] [--preload LIB] [--namd NAMD --manager mapped|fabric|mixed] [--env K=V]... -- PROGRAM ARGS..."""

import argparse
import sys

from jobs import PATHS, Site


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--np", type=int, default=1)
    parser.add_argument("--nodes", help="simulated nodes and their ranks, A:2,B:2")
    parser.add_argument("--preload")
    parser.add_argument("--namd", help="the daemon, for --manager")
    parser.add_argument("--manager", choices=PATHS, help="with a manager, whose memory the ranks reach so")
    parser.add_argument("--env", action="append", default=[])
    parser.add_argument("--timeout", type=float, default=240)
    parser.add_argument("program", nargs="+")
    arguments = parser.parse_args()
    nodes = {"node": arguments.np}
    if arguments.nodes:
        nodes = {name: int(count) for name, count in (part.split(":") for part in arguments.nodes.split(","))}
    if arguments.manager and not arguments.namd:
        parser.error("--manager needs --namd")
    namd = arguments.namd if arguments.manager else None
    with Site(arguments.preload, tuple(nodes), namd, arguments.manager or "mapped") as site:
        env = dict(pair.split("=", 1) for pair in arguments.env)
        if namd:
            env["TEST_JOB_PATHS"] = arguments.manager
            env["TEST_MANAGER_STORE"] = site.manager.store
        result = site.job(nodes, arguments.program, env, arguments.timeout)
        print(result.output)
        if result.timed_out:
            sys.exit(f"ran longer than {arguments.timeout} s")
        if namd:
            site.manager.stop()  # which tells that the daemon, too, has come through it
    sys.exit(result.returncode)


if __name__ == "__main__":
    main()
