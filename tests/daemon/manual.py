"""The manual pages, the example and --help of namd name the same settings. manual.py NAMD PAGE_8 PAGE_5 EXAMPLE"""

import re
import subprocess
import sys


def differences(what, found, known):
    return [f"{what}: {name} is missing" for name in sorted(known - found)] + [
        f"{what}: {name} is no setting" for name in sorted(found - known)]


def main(namd, daemon_page, file_page, example):
    text = subprocess.run([namd, "--help"], capture_output=True, text=True, check=True).stdout
    options = set(re.findall(r"^\s+(?:-h,)?--([a-z-]+)", text, re.MULTILINE))
    settings = options - {"help", "version", "config", "check-config"}
    assert len(settings) > 15, text
    with open(daemon_page, encoding="utf-8") as file:
        findings = differences(daemon_page, set(re.findall(r"^\.It Fl -([a-z-]+)", file.read(), re.MULTILINE)), options)
    with open(file_page, encoding="utf-8") as file:
        findings += differences(file_page, set(re.findall(r"^\.It Cm ([a-z-]+)$", file.read(), re.MULTILINE)), settings)
    with open(example, encoding="utf-8") as file:
        named = set(re.findall(r"^(?:# )?([a-z-]+) = ", file.read(), re.MULTILINE))
    findings += [f"{example}: {name} is no setting" for name in sorted(named - settings)]
    # As it stands, and with all that stands there as a comment.
    check = subprocess.run([namd, "--config", example, "--check-config"], capture_output=True, text=True, check=False)
    if check.returncode != 0:
        findings.append(f"{example}: {check.stderr}")
    assert not findings, "\n".join(findings)


if __name__ == "__main__":
    main(*sys.argv[1:])
