"""namctl over a manager, by the socket and by TCP, as several users; limits and quotas; metrics. clients.py NAMD NAMCTL"""

import json
import os
import re
import sys
import urllib.request

from namd import Place

MEGABYTE = 1 << 20
NOBODY = 65534


def commands_work_over_both_kinds_of_connection(place):
    daemon = place.start("--listen", "127.0.0.1:0", "--capacity", "64M", "--name", "test-nam")
    # A client on the same host goes over to the socket, unless it wants the fabric.
    for number, env in enumerate(({}, {"PSNAM_MANAGER": daemon.tcp_address(), "PSNAM_PATH": "fabric"})):
        name = f"memory-{number}"
        identity = place.must("alloc", "1M", "--name", name, env=env).strip()
        assert place.json("show", name, env=env)["id"] == int(identity)
        assert [one["name"] for one in place.json("list", env=env)["allocations"]] == [name]
        assert place.json("capacity", env=env)["reserved_bytes"] == MEGABYTE
        sessions = place.json("sessions", env=env)["sessions"]
        assert len(sessions) == 1 and sessions[0]["uid"] == os.getuid(), sessions
        assert sessions[0]["method"] == ("kernel" if not number else "plain"), sessions
        nams = place.json("nams", env=env)["nams"]
        assert [nam["index"] for nam in nams] == [0] and nams[0]["reserved_bytes"] == MEGABYTE, nams
        assert "SESSION" in place.must("sessions", env=env) and "INDEX" in place.must("nams", env=env)
        place.must("gc", env=env)
        assert place.json("free", name, env=env)["freed"][0]["gone"]
        doctor = json.loads(place.namctl("doctor", "--json", env=env).stdout)
        about = [finding["text"] for finding in doctor["findings"] if finding["subject"] == "manager"]
        assert any("answers" in text for text in about) and any("clock" in text for text in about), doctor
    by_option = place.namctl("list", "--manager", place.socket, env={"PSNAM_MANAGER": "/nowhere/at/all"})
    assert by_option.returncode == 0, by_option
    both = place.namctl("list", "--manager", place.socket, "--store", place.store)
    assert both.returncode == 2, both
    assert daemon.end() == 0


def top_shows_rates(place):
    daemon = place.start()
    place.must("alloc", "1M", "--name", "one")
    output = place.must("top", "--json", "--count", "2", "--interval", "0.1")
    decoder = json.JSONDecoder()
    first, end = decoder.raw_decode(output)
    second, _ = decoder.raw_decode(output[end:].lstrip())
    assert first["rates"] is None and second["rates"]["requests_per_second"] > 0, output
    assert second["control_requests"] > first["control_requests"]
    kinds = {one["kind"]: one["answered"] for one in second["requests"]}
    assert kinds["allocate"] == 1, kinds
    page = place.must("top", "--count", "1")
    assert "sessions" in page or "1 session" in page
    assert place.namctl("top", "--count", "1", "--interval", "0").returncode == 1
    embedded = place.namctl("top", "--count", "1", "--store", place.store + "2")
    assert embedded.returncode == 1 and "no manager serves it" in embedded.stderr, embedded
    assert daemon.end() == 0


def a_manager_that_is_not_there_is_named(place):
    for address in (place.folder + "/none.sock", "127.0.0.1:1"):
        result = place.namctl("list", env={"PSNAM_MANAGER": address, "PSNAM_TIMEOUT": "5"})
        assert result.returncode == 1 and address in result.stderr, result
        doctor = place.namctl("doctor", "--json", env={"PSNAM_MANAGER": address, "PSNAM_TIMEOUT": "5"})
        assert doctor.returncode == 1
        wrong = [one for one in json.loads(doctor.stdout)["findings"] if one["verdict"] == "wrong" and one["subject"] == "manager"]
        assert wrong and address in wrong[0]["text"], doctor


def capacity_is_a_limit(place):
    daemon = place.start("--capacity", "4M")
    refused = place.namctl("alloc", "5M")
    assert refused.returncode == 1 and str(4 * MEGABYTE) in refused.stderr, refused
    place.must("capacity", "8M")
    place.must("alloc", "5M", "--name", "fits")
    place.must("free", "fits")
    assert daemon.end() == 0


def another_user_sees_and_takes_only_what_is_his(place):
    if os.getuid() != 0:
        print("not root: another user cannot be tried")
        return
    daemon = place.start("--capacity", "64M")
    place.must("alloc", "1M", "--name", "private")
    place.must("alloc", "1M", "--name", "shown", "--mode", "0644")
    names = [one["name"] for one in place.json("list", uid=NOBODY)["allocations"]]
    assert names == ["shown"], names
    for arguments in (("free", "private"), ("free", "shown"), ("capacity", "1M")):
        refused = place.namctl(*arguments, uid=NOBODY)
        assert refused.returncode == 1, (arguments, refused)
    own = place.must("alloc", "1M", "--name", "own", uid=NOBODY).strip()
    assert place.json("show", own)["uid"] == NOBODY
    seen = place.json("sessions", uid=NOBODY)["sessions"]
    assert [one["uid"] for one in seen] == [NOBODY], seen
    place.must("free", "own", uid=NOBODY)
    place.must("free", "private", "shown")
    assert daemon.end() == 0


def a_quota_is_refused_with_its_own_error(place):
    if os.getuid() != 0:
        print("not root: the store's own user is another one")
        return
    place.write_config(f"store = {place.store}\nlisten = {place.socket}\ncapacity = 64M\nquota = 2M\n"
                       "quota-objects = 3\n[user.1]\nquota = 1M\n")
    daemon = place.start(config=True)
    place.must("alloc", "2M", "--name", "all", uid=NOBODY)
    refused = place.namctl("alloc", "1K", uid=NOBODY)
    assert refused.returncode == 1 and f"user {NOBODY} has 0 of {2 * MEGABYTE} bytes left" in refused.stderr, refused
    assert place.namctl("alloc", "2M", uid=1).returncode == 1, "this user has a quota of its own"
    place.must("alloc", "3M", "--name", "roots")
    users = {one["uid"]: one for one in place.json("top", "--count", "1")["users"]}
    assert users[NOBODY]["reserved_bytes"] == users[NOBODY]["quota_bytes"] == 2 * MEGABYTE, users
    assert users[0]["quota_bytes"] is None, users
    place.write_config(f"store = {place.store}\nlisten = {place.socket}\ncapacity = 64M\nquota = 3M\nquota-objects = 2\ncatalog = 2M\n")
    assert place.json("capacity")["catalog_limit_bytes"] == 8 << 30
    daemon.reload()
    assert place.json("capacity")["catalog_limit_bytes"] == 2 * MEGABYTE
    place.must("alloc", "1K", uid=NOBODY)
    refused = place.namctl("alloc", "1K", uid=NOBODY)
    assert refused.returncode == 1 and "2 of at most 2" in refused.stderr, refused
    assert daemon.end() == 0


def metrics_can_be_read(place):
    daemon = place.start("--metrics", "127.0.0.1:0", "--capacity", "64M")
    place.must("alloc", "1M", "--name", "one")
    place.namctl("alloc", "100M")
    with urllib.request.urlopen(f"http://{daemon.metrics_address()}/metrics", timeout=30) as answer:
        assert answer.headers["Content-Type"].startswith("text/plain; version=0.0.4")
        text = answer.read().decode()
    values, types = {}, {}
    for line in text.splitlines():
        if line.startswith("# TYPE "):
            _, _, name, kind = line.split()
            assert name not in types, f"{name} is declared twice"
            types[name] = kind
        elif not line.startswith("# HELP "):
            match = re.fullmatch(r'([a-z_]+)(\{[^}]*\})? (\S+)', line)
            assert match, line
            values[match[1] + (match[2] or "")] = float(match[3])
    assert values["namd_capacity_bytes"] == 64 * MEGABYTE and values["namd_reserved_bytes"] == MEGABYTE, text
    assert 0 < values["namd_catalog_bytes"] < MEGABYTE and values["namd_catalog_limit_bytes"] == 8 << 30, text
    assert values["namd_sessions_accepted_total"] >= 2
    assert values['namd_refusals_total{reason="no_memory"}'] >= 1, text
    assert values['namd_request_duration_seconds_count{kind="allocate"}'] == 2, text
    assert types["namd_request_duration_seconds"] == "histogram"
    assert daemon.end() == 0


def main(namd, namctl):
    for check in (commands_work_over_both_kinds_of_connection, top_shows_rates, a_manager_that_is_not_there_is_named,
                  capacity_is_a_limit, another_user_sees_and_takes_only_what_is_his,
                  a_quota_is_refused_with_its_own_error, metrics_can_be_read):
        print(check.__name__, flush=True)
        with Place(namd, namctl) as place:
            check(place)


if __name__ == "__main__":
    main(*sys.argv[1:])
