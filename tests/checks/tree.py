"""What the checks share: the files of the tree, C++ text without comments and strings, and the way a check reports.

A check is a function that takes the root of a tree and returns findings, one sentence each; none means that it passes. It
therefore runs on a small made-up tree as well as on this one, and self_test.py shows that each check can fail."""

import argparse
import pathlib
import re
import subprocess
import sys


def files(root, *suffixes, under=()):
    """Tracked and not ignored files of the tree, as paths relative to `root`; all files where there is no git checkout."""
    git = subprocess.run(
        ["git", "-C", str(root), "ls-files", "--cached", "--others", "--exclude-standard", "--full-name", "."],
        capture_output=True, text=True, check=False)
    if (root / ".git").exists() and git.returncode == 0:
        names = [pathlib.PurePosixPath(line) for line in git.stdout.splitlines()]
    else:
        names = [pathlib.PurePosixPath(p.relative_to(root).as_posix()) for p in root.rglob("*") if p.is_file()]
        names = [n for n in names if not any(part.startswith("build") or part == ".git" for part in n.parts[:1])]
    chosen = [n for n in names if (not suffixes or n.name.endswith(suffixes)) and (not under or n.parts[0] in under)]
    return sorted({n for n in chosen if (root / n).is_file()})


def text(root, name):
    """The text of a file; None for one that is not text."""
    data = (root / name).read_bytes()
    if b"\0" in data:
        return None
    return data.decode("utf-8", errors="replace")


_TOKENS = re.compile(
    r'(?P<raw>R"(?P<tag>[^()\\\s]{0,16})\(.*?\)(?P=tag)")|(?P<string>"(?:\\.|[^"\\\n])*")|(?P<char>(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])*\')'
    r"|(?P<line>//(?:\\\n|[^\n])*)|(?P<block>/\*.*?\*/)", re.DOTALL)


def without_comments(source, keep_strings=False):
    """C or C++ source with comments, and unless kept strings, blanked; line numbers stay."""
    def blank(match):
        if keep_strings and (match["string"] or match["raw"] or match["char"]):
            return match[0]
        lines = "\n" * match[0].count("\n")
        return '""' + lines if match["string"] or match["raw"] else lines or " "
    return _TOKENS.sub(blank, source)


def report(name, findings, warnings=()):
    """Prints findings; the exit status of the check."""
    for warning in warnings:
        print(f"warning: {warning}")
    for finding in findings:
        print(f"{name}: {finding}")
    print(f"{name}: {len(findings)} findings, {len(list(warnings))} warnings")
    return 1 if findings else 0


def root_argument(description):
    """A parser with the one argument that all checks have."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--root", type=pathlib.Path, default=pathlib.Path(__file__).resolve().parents[2], help="root of the tree")
    return parser


def main(name, description, check):
    """main() of a check that needs nothing but the tree."""
    options = root_argument(description).parse_args()
    result = check(options.root)
    findings, warnings = result if isinstance(result, tuple) else (result, ())
    sys.exit(report(name, findings, warnings))
