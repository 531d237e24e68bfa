"""namctl checkpoint on what jobs have saved: what it tells, what it finds damaged, what it writes to files, and what it removes.
checkpoint_view.py PROGRAM NAMD NAMCTL"""

import json
import os
import pwd
import shutil
import subprocess
import sys

from checkpoint import Series
from jobs import Site, files_of

BLOCK = 65536
PAGE = 4096


class View:
    """namctl on the checkpoints of a site, also with copies on nodes that are not this one."""

    def __init__(self, site, namctl):
        self.site = site
        self.namctl = namctl

    def run(self, *arguments, status=0, env=None, user=None):
        further = [word for store in list(self.site.stores.values())[1:] if os.path.exists(store) for word in ("--copies", store)]
        done = subprocess.run([self.namctl, "checkpoint", *arguments, *further], text=True, capture_output=True, timeout=120, user=user,
                              extra_groups=[] if user else None, env={**os.environ, **self.site.environment(), **(env or {})})
        assert done.returncode == status, f"{arguments}: status {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def json(self, *arguments, status=0, **more):
        return json.loads(self.run(*arguments, "--json", status=status, **more))

    def file(self, part):
        """The memory of a copy or an area that show tells of."""
        store = part["place"]
        return os.path.join(store, "memory", f"{part['allocation_id']:016x}")


def flip(path, offset):
    with open(path, "r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 4]))


def up(bytes_, unit):
    return (bytes_ + unit - 1) // unit * unit


def slot_parts(area, members, parities, slot):
    """Where the parts of a slot are (docs/formats/parity-area.md)."""
    blocks = up(area["capacity_bytes"], BLOCK) // BLOCK
    window = min(max(blocks, 1), 64)
    tiles = up(PAGE + 8192 + 64 * members + 64 * window, PAGE)
    slots = up(tiles + window * parities * BLOCK, PAGE)
    rows = up(192 + 8 * members, 64)
    parity = up(rows + (members + parities) * up(4 * blocks, 64), PAGE)
    begin = slots + slot * up(parity + parities * blocks * BLOCK, PAGE)
    return {"header": begin + 8, "commit": begin + 128 + 16, "sizes": begin + 192, "rows": begin + rows, "parity": begin + parity + 777}


def newest_slot(view, area, members, parities):
    """The slot with the newest version of an area, by the number in its header."""
    with open(view.file(area), "rb") as file:
        numbers = []
        for slot in (0, 1):
            file.seek(slot_parts(area, members, parities, slot)["header"] - 8)
            numbers.append(int.from_bytes(file.read(8), "little"))
    return numbers.index(max(numbers))


def told_and_removed(site, view, series):
    assert view.run("list").startswith("no checkpoints in ")
    view.run("show", "killed", status=1)
    series.expect("Saver.SavesSomeVersions")
    (one,) = view.json("list")["checkpoints"]
    assert (one["name"], one["kind"], one["ranks"], one["sets"], one["parities"]) == ("killed", "managed", 4, 2, 1), one
    assert (one["newest"]["number"], one["older"]["number"], one["copies_here"], one["jobs"]) == (3, 2, 4, 0), one
    shown = view.json("show", "killed")
    assert [(v["number"], v["state"], v["missing_ranks"]) for v in shown["versions"]] == [(3, "complete", []), (2, "complete", [])], shown
    assert sorted((c["rank"], c["version"]["number"]) for c in shown["copies"]) == [(r, v) for r in range(4) for v in (2, 3)], shown
    assert sum(c["bytes"] for c in shown["copies"]) == one["copy_bytes"] and not shown["damage"] and not shown["begun"], shown
    assert "it can be restored" in view.run("verify", "killed")
    assert "did you mean killed?" in view.run("verify", "kiled", status=1)
    assert "there is no version 9" in view.run("verify", "killed", "--version", "9", status=1)
    view.run("verify", status=2)
    series.lose(1)
    shown = view.json("show", one["id"])
    assert [v["missing_ranks"] for v in shown["versions"]] == [[1], [1]], shown
    assert [v["restorable"] for v in view.json("verify", "killed")["versions"]] == [True, True]
    series.lose(3)
    shown = view.json("verify", "killed", "--version", "3", status=1)
    (version,) = shown["versions"]
    assert not version["restorable"] and version["missing_ranks"] == [1, 3] and "ranks 1, 3" in version["reasons"][0], version
    folder = os.path.join(site.folder, "not-made")
    assert "ranks 1, 3 are not here" in view.run("export", "killed", folder, status=1)
    assert not os.path.exists(folder)
    assert view.run("rm", "killed") == "killed removed\n"
    assert view.run("list").startswith("no checkpoints in ") and not site.files(), site.files()


def damage_is_found_wherever_it_is(view, series):
    """A bit of each part: named by verify, and never given to a job."""
    series.expect("Saver.SavesSomeVersions")

    def expect(path, offset, text):
        flip(path, offset)
        said = view.run("verify", "killed", status=1)
        assert text in said, f"no \"{text}\" in {said}"

    def recovers():
        series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
        newest = view.json("list")["checkpoints"][0]["newest"]["number"]
        view.run("verify", "killed", "--version", str(newest))

    for offset, text in ((0, "it begins with"), (40, "checksum of its header"), (60, "checksum of its header"), (PAGE, "its checksums are not"),
                         (2 * PAGE + 70000, "rank 1: block 1 of its copy"), (2 * PAGE + 17, "rank 1: block 0 of its copy")):
        shown = view.json("show", "killed")
        newest = shown["versions"][0]["number"]
        (copy,) = [c for c in shown["copies"] if c["rank"] == 1 and c["version"]["number"] == newest]
        expect(view.file(copy), offset, text)
        recovers()
    for part, text in (("parity", "parity 0: block 0 not as it was written"), ("rows", "are not those that were committed"),
                       ("sizes", "slot"), ("commit", "its commit record"), ("header", "slot"), ("area", "the parity of set 0")):
        shown = view.json("show", "killed")
        area = [a for a in shown["areas"] if a["set"] == 0][-1]
        slot = newest_slot(view, area, 2, 1)
        expect(view.file(area), 40 if part == "area" else slot_parts(area, 2, 1, slot)[part], text)
        series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
    (page,) = [path for path in view.site.files() if open(path, "rb").read(4) == b"NSER"]
    expect(page, 50, "its checksum does not hold")
    series.expect("Finder.IsRefusedWhatCannotBeOpened", errno=5, message="the page of a series of checkpoints: its checksum does not hold")
    assert view.json("list")["checkpoints"][0]["name"] is None or view.json("list")["checkpoints"][-1]["problem"]
    flip(page, 50)
    series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
    # Damage in the same block of two ranks of a set is too much; other versions are not touched by it.
    shown = view.json("show", "killed")
    newest, older = (v["number"] for v in shown["versions"][:2])
    for copy in shown["copies"]:
        if copy["version"]["number"] == newest and copy["rank"] in (0, 2):
            flip(view.file(copy), 2 * PAGE + 30)
    said = view.run("verify", "killed", "--version", str(newest), status=1)
    assert "set 0: more of block 0 is lost or damaged than 1 parity can make again" in said and "it cannot be restored" in said, said
    assert "set 0: block 0: more is lost or damaged" in view.run("export", "killed", os.path.join(view.site.folder, "never"), status=1)
    assert view.json("verify", "killed", "--version", str(older), status=1 if view.json("show", "killed")["damage"] else 0)["versions"][0]["restorable"]
    series.expect("Finder.GetsTheVersionThatIsLeft", version=older)
    series.expect("Finder.RemovesEverything")
    assert not view.site.files(), view.site.files()


def files_are_a_way_back(site, view, program):
    series = Series(site, program, 4)
    series.expect("Saver.SavesSomeVersions")
    series.lose(2)
    shown = view.json("show", "killed")
    (copy,) = [c for c in shown["copies"] if c["rank"] == 3 and c["version"]["number"] == 3]
    flip(view.file(copy), 2 * PAGE + 5)
    folder = os.path.join(site.folder, "exported")
    told = view.json("export", "killed", folder)
    assert (told["number"], told["rebuilt_ranks"], told["repaired_ranks"]) == (3, [2], [3]), told
    told = view.json("export", "killed", folder, "--version", "2")
    assert (told["number"], len(os.listdir(folder))) == (2, 8), told
    shutil.rmtree(site.store)
    series.expect("Finder.ComesBackFromFilesWhereNothingElseIs", files=folder, version=3)
    view.run("rm", "killed")
    for name in os.listdir(folder):
        if ".3." in name:
            flip(os.path.join(folder, name), 2 * PAGE + 5)
    series.expect("Finder.ComesBackFromFilesWhereNothingElseIs", files=folder, version=2)
    view.run("rm", "killed")


def what_a_job_uses_stays(view, series):
    with view.site.talk(series.ranks, series.role("Saver.StandsInTheMiddleOfAVersion")) as job:
        job.expect("saved")
        (one,) = view.json("list")["checkpoints"]
        assert one["jobs"] == 1 and not view.json("show", "killed")["begun"], one
        assert "is in use by a job; --force removes it all the same" in view.run("rm", "killed", status=1)
        # A second job at the same time.
        series.expect("Finder.IsRefusedWhatCannotBeOpened", errno=16, message="is in use by another job")
        job.go_on()
        job.expect("saving")
        (begun,) = view.json("show", "killed")["begun"]
        assert begun["number"] == 2 and begun["by_a_job"], begun
        assert "being saved" in view.run("show", "killed")
        (version,) = view.json("verify", "killed")["versions"]
        assert version["number"] == 1 and version["restorable"], version
        job.go_on()
        job.finish()
    view.run("verify", "killed")
    view.run("rm", "killed")
    series = Series(view.site, series.program, series.ranks)
    with view.site.talk(series.ranks, series.role("Saver.StandsInTheMiddleOfAVersion")) as job:
        job.expect("saved")
        assert "its memory goes when the job" in view.run("rm", "killed", "--force")
        job.go_on()
        job.expect("saving")
        job.go_on()
        job.finish()
    # What the job has saved since has no page, and goes by its id.
    (rest,) = view.json("list")["checkpoints"]
    assert rest["name"] is None and rest["problem"] == "the page of the series is not here", rest
    view.run("verify", rest["id"], status=1)
    view.run("rm", rest["id"])
    assert view.run("list").startswith("no checkpoints in "), view.run("list")


def folder_of(site, user):
    """A folder of `user` on the site, with a store, and a way to it."""
    os.chmod(site.folder, 0o711)
    folder = os.path.join(site.folder, "his")
    os.mkdir(folder, 0o700)
    os.chown(folder, user, user)
    return folder


def saved_by_another_user(site, namctl, program, user):
    """All of it as somebody who is not root, whose node's store is in a folder of his own. Over a manager, which is root's, he neither
    sees nor touches what is root's."""
    if site.manager:
        os.chmod(site.manager.folder, 0o711)
        Series(site, program, {"A": 2}).expect("Saver.SavesSomeVersions")
    folder = folder_of(site, user)
    root_view = View(site, namctl)
    stores, site.stores = site.stores, {"node": os.path.join(folder, "store")}
    view, his = View(site, namctl), {"user": user, "env": {"HOME": folder}}
    prefix = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "env", f"HOME={folder}"]
    series = Series(site, program, 3)
    series.progress = os.path.join(folder, "progress")

    def expect(name):
        result = site.wait(site.start(3, series.role(name), prefix=prefix))
        assert result.returncode == 0 and not result.timed_out, result.output

    assert view.run("list", **his).startswith("no checkpoints in ")
    for command in (["show", "killed"], ["verify", "killed"], ["rm", "killed"], ["rm", "killed", "--force"], ["export", "killed", folder]):
        assert "no checkpoints are called" in view.run(*command, status=1, **his), command
    expect("Saver.SavesSomeVersions")
    series.lose(1)
    assert len(view.json("list", **his)["checkpoints"]) == 1
    (version, _) = view.json("verify", "killed", **his)["versions"]
    assert version["missing_ranks"] == [1] and version["restorable"], version
    expect("Finder.GetsTheNewestVersionBackAndGoesOn")
    if site.manager:
        view.run("rm", "killed", **his)
        site.stores = stores
        root_view.run("verify", "killed")
        root_view.run("rm", "killed")
    else:
        expect("Finder.RemovesEverything")
    assert not site.files(), site.files()


def main(program, namd, namctl):
    nobody = pwd.getpwnam("nobody").pw_uid if os.geteuid() == 0 else None
    with Site() as site:
        view = View(site, namctl)
        told_and_removed(site, view, Series(site, program, 4))
        damage_is_found_wherever_it_is(view, Series(site, program, 4))
        files_are_a_way_back(site, view, program)
        what_a_job_uses_stays(view, Series(site, program, 2))
    with Site(None, ("A", "B"), namd, "mapped") as site:
        view = View(site, namctl)
        ranks = {"A": 2, "B": 2}
        told_and_removed(site, view, Series(site, program, ranks))
        what_a_job_uses_stays(view, Series(site, program, ranks))
        # From a host that maps nothing of the manager's memory.
        series = Series(site, program, ranks)
        series.expect("Saver.SavesSomeVersions")
        remote = {"PSNAM_MANAGER": site.manager.tcp, "PSNAM_PATH": "fabric"}
        assert "it can be restored" in view.run("verify", "killed", env=remote)
        assert view.json("list", env=remote)["checkpoints"][0]["newest"]["number"] == 3
        # Without the other node.
        shutil.rmtree(site.stores["B"])
        shown = view.json("show", "killed")
        assert (shown["copies_here"], shown["versions"][0]["missing_ranks"], shown["versions"][0]["state"]) == (2, [2, 3], "complete"), shown
        series.expect("Finder.GetsTheNewestVersionBackAndGoesOn")
        view.run("rm", "killed")
    if nobody:
        with Site() as site:
            saved_by_another_user(site, namctl, program, nobody)
        with Site(None, ("A",), namd, "mapped") as site:
            saved_by_another_user(site, namctl, program, nobody)
    else:
        print("the parts with a second user need root: left out")


if __name__ == "__main__":
    main(*sys.argv[1:])
