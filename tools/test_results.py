#!/usr/bin/env python3
"""Counts what `meson test` did, from its own log: prints "PASSED FAILED SKIPPED", and on stderr the ends of the failed tests' output.

The log has one JSON object a line (meson-logs/testlog.json). An expected failure passes, an unexpected pass fails."""

import argparse
import json
import pathlib
import sys

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def read(log):
    """The records of a log; a line that is cut off (meson was killed) counts as a failed record."""
    records = []
    for line in log.read_text(errors="replace").splitlines():
        if not line.strip():
            continue
        try:
            records.append(json.loads(line))
        except ValueError:
            records.append({"name": "(a damaged line of the log)", "result": "ERROR", "stdout": line})
    return records


def count(records):
    """(passed, failed, skipped)"""
    passed = sum(r.get("result") in PASSED for r in records)
    skipped = sum(r.get("result") in SKIPPED for r in records)
    return passed, len(records) - passed - skipped, skipped


def describe_failure(record, lines):
    """Name, result and the end of the output of one failed test."""
    output = (record.get("stdout") or "") + (record.get("stderr") or "")
    end = output.splitlines()[-lines:]
    head = f"---- {record.get('name')}: {record.get('result')} after {float(record.get('duration') or 0):.1f} s"
    return "\n".join([head, *end])


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("log", type=pathlib.Path)
    parser.add_argument("--lines", type=int, default=40, help="how many lines of a failed test's output to show")
    options = parser.parse_args()
    records = read(options.log) if options.log.exists() else []
    for record in records:
        if record.get("result") in SKIPPED:
            print(f"skipped: {record.get('name')}", file=sys.stderr)
        elif record.get("result") not in PASSED:
            print(describe_failure(record, options.lines), file=sys.stderr)
    print(*count(records))
    return 0


if __name__ == "__main__":
    sys.exit(main())
