"""Other PMPI tools stacked above and below the library count each call of the program once, on its windows and on others."""

import unittest

import transparency as t
from jobs import Site

# What rank 0 of each program calls. The consumer of a window of two ranks reads two regions.
PRODUCE = {"put": 1, "get": 1, "allocate": 1, "fence": 3, "free": 1, "connect": 0, "init": 1, "finalize": 1}
CONSUME = {"put": 0, "get": 2, "allocate": 0, "fence": 4, "free": 1, "connect": 1, "init": 1, "finalize": 1}
NATIVE = {"put": 1, "get": 0, "allocate": 1, "fence": 2, "free": 1, "connect": 0, "init": 1, "finalize": 1}


def counts_of(output, tool):
    lines = [line for line in output.splitlines() if line.startswith(tool + ":")]
    if len(lines) != 1:
        raise AssertionError(f"{len(lines)} reports of the tool {tool} in:\n{output}")
    return {name: int(number) for name, number in (pair.split("=") for pair in lines[0].split()[1:])}


class Stacked(unittest.TestCase):
    def expect_counts(self, stack, tools):
        with Site(":".join(stack)) as site:
            for command, expected in (([t.program("roundtrip"), "produce", "tools"], PRODUCE),
                                      ([t.program("roundtrip"), "consume", "tools"], CONSUME),
                                      ([t.program("lifecycle"), "plain"], NATIVE)):
                output = site.expect(2, command).output
                for tool in tools:
                    self.assertEqual(counts_of(output, tool), expected, (stack, tool, command))

    def test_the_tool_counts_without_the_library(self):
        with Site(t.program("counting_tool_first.so")) as site:
            output = site.expect(2, [t.program("lifecycle"), "plain"]).output
            self.assertEqual(counts_of(output, "first"), NATIVE)

    def test_a_tool_above(self):
        self.expect_counts([t.program("counting_tool_first.so"), t.LIBRARY], ["first"])

    def test_a_tool_below(self):
        self.expect_counts([t.LIBRARY, t.program("counting_tool_first.so")], ["first"])

    def expect_first_alone(self, *stack):
        """A PMPI tool calls PMPI_ functions, so of two tools the lower one sees nothing: with the library as without."""
        first, second = t.program("counting_tool_first.so"), t.program("counting_tool_second.so")
        stack = [{"first": first, "second": second, "library": t.LIBRARY}[item] for item in stack]
        for command in ([t.program("lifecycle"), "plain"], [t.program("roundtrip"), "produce", "tools"]):
            with Site(":".join(stack)) as site:
                output = site.expect(2, command).output
                self.assertEqual(counts_of(output, "first"), NATIVE if "plain" in command else PRODUCE)
                self.assertNotIn("second:", output)

    def test_a_tool_on_either_side(self):
        self.expect_first_alone("first", "library", "second")

    def test_two_tools_above(self):
        self.expect_first_alone("first", "second", "library")

    def test_two_tools_below(self):
        self.expect_first_alone("library", "first", "second")

    def test_of_two_tools_without_the_library_the_first_sees_the_calls(self):
        with Site(t.program("counting_tool_first.so") + ":" + t.program("counting_tool_second.so")) as site:
            output = site.expect(2, [t.program("lifecycle"), "plain"]).output
            self.assertEqual(counts_of(output, "first"), NATIVE)
            self.assertNotIn("second:", output)

    def test_a_tool_above_a_linked_library(self):
        with Site(t.program("counting_tool_first.so")) as site:
            for role, expected in (("produce", PRODUCE), ("consume", CONSUME)):
                output = site.expect(2, [t.program("roundtrip_linked"), role, "tools"]).output
                self.assertEqual(counts_of(output, "first"), expected)


if __name__ == "__main__":
    t.main()
