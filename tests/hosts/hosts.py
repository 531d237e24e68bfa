"""Jobs on other hosts than their memory's: host A runs namd, B a producer, C a consumer of another size.

hosts.py LIBRARY NAMD OUTLIVE LOAD STORE_TOOL

The hosts are network namespaces, joined by a bridge, where this user may make them; else addresses of the loopback interface, and
then no cable can be cut. The script says which. Namespaces are removed by name at the end, whatever happens."""

import os
import subprocess
import sys
import time

from jobs import Site
from load import GRACE_S, TIMEOUT_S, Client
from manager import Manager

WINDOWS = "*_libnam"  # what is shared-memory of one host is none of the other's


def ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, text=True, capture_output=True, timeout=30)


class Namespaces:
    """Three hosts on one wire."""

    kind = "network namespaces"

    def __init__(self):
        self.mark = f"psn{os.getpid()}"
        # A net of its own for each test that runs here at the same time.
        self.net = f"10.{os.getpid() % 250}.{os.getpid() // 250 % 250}"
        self.names = [f"{self.mark}-{host}" for host in ("wire", "a", "b", "c")]

    @staticmethod
    def possible():
        name = f"psn{os.getpid()}-try"
        try:
            made = ip("netns", "add", name, check=False).returncode == 0
        except FileNotFoundError:
            return False
        if not made:
            return False
        works = ip("-n", name, "link", "add", "t0", "type", "veth", "peer", "name", "t1", check=False).returncode == 0
        works = works and ip("-n", name, "link", "add", "t2", "type", "bridge", check=False).returncode == 0
        ip("netns", "del", name)
        return works

    def __enter__(self):
        try:
            for name in self.names:
                ip("netns", "add", name)
            wire = self.names[0]
            ip("-n", wire, "link", "add", "bridge", "type", "bridge")
            ip("-n", wire, "link", "set", "bridge", "up")
            for number, name in enumerate(self.names[1:], 1):
                ip("-n", wire, "link", "add", f"port{number}", "type", "veth", "peer", "name", "eth0", "netns", name)
                ip("-n", wire, "link", "set", f"port{number}", "master", "bridge", "up")
                ip("-n", name, "address", "add", f"{self.net}.{number}/24", "dev", "eth0")
                ip("-n", name, "link", "set", "lo", "up")
                ip("-n", name, "link", "set", "eth0", "up")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for name in self.names:
            ip("netns", "del", name, check=False)
        left = [name for name in self.names if name in ip("netns", "list").stdout]
        assert not left, f"namespaces are left: {left}"

    def address(self, number):
        return f"{self.net}.{number}"

    def prefix(self, number):
        return ("ip", "netns", "exec", self.names[number])

    def cable(self, number, state):
        ip("-n", self.names[number], "link", "set", "eth0", state)


class Loopback:
    """Three addresses of this host."""

    kind = "loopback addresses"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def address(self, number):
        return f"127.0.87.{number}"

    def prefix(self, _):
        return ()


def secret_file(folder):
    path = os.path.join(folder, "secret")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(os.urandom(32).hex())
    return path


class Host:
    """Where jobs run: a store for what is local to it, and a command that goes before the launcher."""

    def __init__(self, site, hosts, number, manager):
        self.site = site
        self.prefix = hosts.prefix(number)
        self.env = {"PSNAM_STORE": os.path.join(site.folder, f"store-{number}"), "PSNAM_MANAGER": manager.tcp, "PSNAM_PATH": "fabric",
                    "PSNAM_SECRET": os.path.join(site.folder, "secret"), "PSNAM_TIMEOUT": str(TIMEOUT_S)}

    def expect(self, ranks, program):
        result = self.site.wait(self.site.start(ranks, program, self.env, prefix=self.prefix), 120)
        assert not result.timed_out and result.returncode == 0, f"{program} with {ranks} ranks: {result.output}"


def producer_and_consumer(site, manager, hosts, outlive):
    b, c = (Host(site, hosts, number, manager) for number in (2, 3))

    def role(name, **arguments):
        return [outlive, f"--gtest_filter=Every/{name}.*/{WINDOWS}", f"folder={site.folder}", *(f"{key}={value}" for key, value in arguments.items())]

    b.expect(4, role("Producer"))
    c.expect(3, role("Reader", salt=1))
    c.expect(1, role("Writer"))
    b.expect(2, role("Reader", salt=2))
    c.expect(2, role("Remover"))
    print(f"{hosts.kind}: what a job of 4 ranks wrote on one host, jobs of 3, 1 and 2 on another read, wrote and removed")


def cable(site, manager, hosts, load):
    """The cable of host B is drawn during transfers and put back."""
    b, c = (Host(site, hosts, number, manager) for number in (2, 3))
    with Client(site, load, "far", "fabric", ranks=2, region_bytes=4 << 20, prefix=b.prefix, env=b.env) as far, \
         Client(site, load, "other", "fabric", prefix=c.prefix, env=c.env) as other:
        longest = []
        for _ in range(3):
            for client in (far, other):
                client.progress(2)
            for board in far.boards:
                board.clear("first_data_error", "first_call_error")
            untouched = other.board()["errors"]
            cut = time.monotonic_ns()
            hosts.cable(2, "down")
            try:
                far.wait_until(lambda words: words["first_data_error"] or words["first_call_error"], "told on every rank", TIMEOUT_S + GRACE_S)
                other.progress(2)
            finally:
                hosts.cable(2, "up")
            told = [min(words for words in (board.read()["first_data_error"], board.read()["first_call_error"]) if words) for board in far.boards]
            longest += [(one - cut) / 1e6 for one in told]
            far.progress(2)
            assert other.board()["errors"] == untouched, other.text()[-2000:]
            for client in (far, other):
                client.expect_right()
        for client in (far, other):
            client.kill()
            client.start(rounds=2)  # which looks at what is there
            client.finish()
            client.expect_right()
    print(f"cable cut 3 times: errors after {min(longest):.0f} to {max(longest):.0f} ms on every rank; all went on when it was back")


def main(library, namd, outlive, load, store_tool):
    hosts = Namespaces() if Namespaces.possible() else Loopback()
    print(f"hosts are {hosts.kind}")
    with hosts, Site(library) as site:
        secret = secret_file(site.folder)
        with Manager(namd, site.folder, ("--auth", "secret", "--secret-file", secret, "--timeout", str(TIMEOUT_S)), hosts.address(1),
                     hosts.prefix(1)) as manager:
            producer_and_consumer(site, manager, hosts, outlive)
            if isinstance(hosts, Namespaces):
                cable(site, manager, hosts, load)
            site.run([store_tool, "check", "-"], env={"PSNAM_MANAGER": manager.socket})
            manager.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
