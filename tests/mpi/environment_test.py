"""Runs the tests of environment_cases.cpp, each under the environment it is for: environment_test.py LIBRARY PROGRAM."""

import re
import sys

from jobs import Site

MPI_ERR_OTHER = "15"
failures = []


def check(good, what, output):
    if not good:
        failures.append(what)
        print(f"FAILED: {what}\n{output}")


class Cases:
    def __init__(self, preload, program):
        self.preload = preload
        self.program = program

    def run(self, test, env=None, ranks=2, nodes=None):
        ranks = nodes or {"node": ranks}
        with Site(self.preload, tuple(ranks)) as site:
            result = site.job(ranks, [self.program, f"--gtest_filter={test}"], env, timeout=60)
        check(not result.timed_out, f"{test} with {env} ran too long", result.output)
        return result

    def passes(self, test, env=None, ranks=2, nodes=None):
        result = self.run(test, env, ranks, nodes)
        check(result.returncode == 0, f"{test} with {env} passes", result.output)
        return result.output

    def ends(self, test, *words):
        """The job is ended by the error, which is told."""
        result = self.run(test)
        check(result.returncode != 0, f"{test} ends the job with a status other than 0", result.output)
        check("the program went on" not in result.output, f"{test}: nothing after the error runs", result.output)
        for word in words:
            check(word in result.output, f'{test}: the output has "{word}"', result.output)


def lines_with(output, *words):
    return [line for line in output.splitlines() if all(word in line for word in words)]


def once(output, *words):
    """Exactly one line has all the words."""
    check(len(lines_with(output, *words)) == 1, f"exactly one line has {words}", output)


def per_rank(output, *words, ranks=2):
    check(len(lines_with(output, *words)) == ranks, f"one line of each of {ranks} ranks has {words}", output)


def histogram(output):
    """What each rank counted, in the order of the bins, by rank."""
    found = {}
    for line in output.splitlines():
        title = re.search(r"message sizes in bytes, rank (\d+)", line)
        bin_line = re.match(r"\s*(<=|>)\s+(\d+)\s+(\d+)$", line)
        if title:
            bins = found.setdefault(int(title.group(1)), [])
        elif bin_line:
            bins.append((bin_line.group(1) + bin_line.group(2), int(bin_line.group(3))))
    return found


def test_keys(cases):
    once(cases.passes("Keys.AnUnknownOneIsIgnored"), "psnam: warning:", "psnam_frobnicate")
    quiet = cases.passes("Keys.AnUnknownOneIsIgnored", {"PSNAM_LOG": "error"})
    check("psnam: warning" not in quiet, "PSNAM_LOG=error drops warnings", quiet)
    cases.passes("Keys.WithoutAManifestationTheWindowIsTheMpiLibrarys")


def test_defaults(cases):
    defaults = {"PSNAM_DEFAULTS": "psnam_manifestation=psnam_manifestation_pershm,psnam_structure=psnam_structure_managed_contiguous,"
                                  "psnam_baseptr=load_store"}
    for test in ("MakeEveryWindowOneOfOurs", "KeysOfTheProgramGoBeforeThem", "AreNotForAWindowWithAManifestation"):
        cases.passes("Defaults." + test, defaults)
    cases.passes("Defaults.AWrongValueIsAnErrorOfEachWindow", {"PSNAM_DEFAULTS": "psnam_manifestation=psnam_manifestation_disk"})
    wrong = {"PSNAM_DEFAULTS": "psnam_baseptr=null,psnam_manifest=x"}
    per_rank(cases.passes("Defaults.AWrongKeyIsAnErrorOfEachWindow", wrong), "psnam: error:", "PSNAM_DEFAULTS", "psnam_manifest=x")
    per_rank(cases.passes("NoWindows.*", wrong), "psnam: error:", "PSNAM_DEFAULTS")


def test_histogram(cases):
    settings = {"PSNAM_HISTOGRAM": "1", "PSNAM_HISTOGRAM_MIN": "64", "PSNAM_HISTOGRAM_MAX": "256"}
    libnam, pershm = [2, 1, 1, 0], [0, 0, 0, 3]
    both = [a + b for a, b in zip(libnam, pershm)]
    nothing = [0, 0, 0, 0]
    expected = {None: both, "all": both, "libnam": libnam, "pershm": pershm, "mapped": both, "mpi": nothing, "segment": nothing, "fabric": nothing}
    for contype, counts in expected.items():
        extra = {"PSNAM_HISTOGRAM_CONTYPE": contype} if contype else {}
        output = cases.passes("Histogram.Traffic", {**settings, **extra})
        bins = list(zip(["<=64", "<=128", "<=256", ">256"], counts))
        check(histogram(output) == {0: bins, 1: bins}, f"the histogram of CONTYPE {contype} is {bins} on both ranks", output)
    wider = cases.passes("Histogram.Traffic", {**settings, "PSNAM_HISTOGRAM_SHIFT": "2"}, ranks=1)
    check(histogram(wider) == {0: [("<=64", 2), ("<=256", 2), (">256", 3)]}, "bins 2 bits apart", wider)
    without = cases.passes("Histogram.Traffic")
    check(histogram(without) == {}, "no histogram unless asked for", without)
    for name, value in (("PSNAM_HISTOGRAM", "maybe"), ("PSNAM_HISTOGRAM_MIN", "64Q"), ("PSNAM_HISTOGRAM_SHIFT", "0"), ("PSNAM_HISTOGRAM_CONTYPE", "disk")):
        per_rank(cases.passes("NoWindows.*", {**settings, name: value}), "psnam: error:", name, value)


def test_paths(cases):
    for path in ("auto", "mapped"):
        cases.passes("Path.AWindowIsReached", {"PSNAM_PATH": path})
    cases.passes("Path.TheFabricLeadsToAManager", {"PSNAM_PATH": "fabric"})
    unknown = cases.passes("Path.AnUnknownOneIsToldByEachWindow", {"PSNAM_PATH": "tunnel"})
    per_rank(unknown, "psnam: error:", "PSNAM_PATH", '"tunnel"')
    nodes = {"A": 1, "B": 1}
    cases.passes("TwoNodes.NoBasePointerLeadsToAnotherNode", nodes=nodes)
    cases.passes("TwoNodes.LibnamNeedsAManager", nodes=nodes)
    for env in ({"PSNAM_PATH": "mapped"}, {"TEST_ONE_RANK_MAPS": "1"}):
        cases.passes("TwoNodes.CannotBeMapped", env, nodes=nodes)
        with Site(cases.preload, tuple(nodes)) as site:
            site.expect(nodes, [cases.program, "--gtest_filter=TwoNodes.HaveAWindowThatStays"], timeout=60)
            site.expect(nodes, [cases.program, "--gtest_filter=TwoNodes.CannotBeMappedByWhoConnects"], env, timeout=60)


def test_places(cases):
    cases.passes("Manager.CannotBeReached", {"PSNAM_MANAGER": "127.0.0.1:1"})
    cases.passes("NoWindows.*", {"PSNAM_MANAGER": "127.0.0.1:1"})
    cases.passes("Store.AFolderThatCannotBeIsNamed", {"PSNAM_STORE": "/dev/null/store", "EXPECTED_CLASS": MPI_ERR_OTHER})
    cases.passes("NoWindows.*", {"PSNAM_STORE": "/dev/null/store"})
    cases.passes("Module.TheVersionIsInTheEnvironmentInfo")
    for env, expected in (({}, "(absent)"), ({"PSNAM_MODULE_ID": "3"}, "3"), ({"PSP_MSA_MODULE_ID": "5"}, "5"),
                          ({"PSP_MSA_MODULE_ID": "5", "PSNAM_MODULE_ID": "3"}, "3")):
        cases.passes("Module.IsInTheEnvironmentInfo", {**env, "EXPECTED_MODULE": expected})


def test_fatal(cases):
    cases.ends("Fatal.AnIllegalPut", "bytes 13 to 16", "region of 16 bytes")
    cases.ends("Fatal.AnIllegalAllocation", "psnam_manifestation_disk", "psnam_manifestation_libnam")


def main():
    cases = Cases(sys.argv[1], sys.argv[2])
    for test in (test_keys, test_defaults, test_histogram, test_paths, test_places, test_fatal):
        before = len(failures)
        test(cases)
        print(f"{test.__name__}: {'passed' if len(failures) == before else 'FAILED'}")
    sys.exit(f"{len(failures)} failures: {failures}" if failures else 0)


if __name__ == "__main__":
    main()
