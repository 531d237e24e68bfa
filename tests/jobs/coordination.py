"""Jobs that are asked from outside, by namctl job. coordination.py PROGRAM NAMCTL NAMD PRELOAD [PART]..."""

import contextlib
import functools
import json
import os
import pwd
import re
import signal
import subprocess
import sys
import time

from jobs import Site

LIMIT_S = 60


class Work:
    """A running job, what its ranks heard, and namctl."""

    def __init__(self, site, program, namctl, ranks, role="Worker.ComputesUntilItIsToldToEnd", preload=None, **arguments):
        self.site, self.namctl_path, self.ranks = site, namctl, ranks
        numbers = ranks.values() if isinstance(ranks, dict) else [number for _, number in ranks] if isinstance(ranks, list) else [ranks]
        self.count = sum(numbers)
        self.events = os.path.join(site.folder, "events")
        self.finish_file = os.path.join(site.folder, "finish")
        self.refuse_file = os.path.join(site.folder, "refuse")
        for path in [self.finish_file, self.refuse_file, *(f"{self.events}.{rank}" for rank in range(self.count))]:
            if os.path.exists(path):
                os.remove(path)
        site.preload = preload
        self.process = site.start(ranks, [program, f"--gtest_filter={role}", f"events={self.events}", f"finish={self.finish_file}",
                                          f"refuse={self.refuse_file}", *(f"{key}={value}" for key, value in arguments.items())])

    def __enter__(self):
        for rank in range(self.count):
            self.wait_for("begins at", rank)
        return self

    def __exit__(self, kind, *_):
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            output, _ = self.process.communicate()
            if kind is not None:
                print(output, {rank: self.heard(rank) for rank in range(self.count)})

    def heard(self, rank=0):
        try:
            with open(f"{self.events}.{rank}", encoding="utf-8") as file:
                return file.read().splitlines()
        except FileNotFoundError:
            return []

    def until(self, what, condition):
        end = time.monotonic() + LIMIT_S
        while not condition():
            assert time.monotonic() < end, f"{what}: not within {LIMIT_S} s: {[self.heard(rank) for rank in range(self.count)]}"
            try:
                self.process.wait(0.02)
                assert condition(), f"{what}: the job has ended: {self.process.communicate()[0]}"
            except subprocess.TimeoutExpired:
                pass

    def wait_for(self, text, rank=0):
        self.until(text, lambda: any(line.startswith(text) for line in self.heard(rank)))

    def until_dead(self):
        end = time.monotonic() + LIMIT_S
        while self.state() != "killed":
            assert time.monotonic() < end, f"of a job that was killed some live: {self.show()}"

    def pids(self):
        return [seat["pid"] for seat in self.show()["seats"]]

    def namctl(self, *words, status=0, path=None):
        done = subprocess.run([self.namctl_path, "job", *words], text=True, capture_output=True, timeout=LIMIT_S,
                              env={**os.environ, **self.site.environment(path or "mapped")})
        assert done.returncode == status, f"namctl job {words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    def show(self):
        return json.loads(self.namctl("show", "work", "--json"))

    def state(self):
        return self.show()["state"]

    def end(self, expected=0):
        """The job ends by itself; its output."""
        output, _ = self.process.communicate(timeout=LIMIT_S)
        assert self.process.returncode == expected, output
        return output

    def events_of(self, rank):
        """What it heard since it began."""
        lines = self.heard(rank)
        return lines[next(number for number, line in enumerate(lines) if line.startswith("begins at")) + 1:]

    def finish(self):
        with open(self.finish_file, "w", encoding="utf-8"):
            pass
        return self.end()

    def phases(self, rank=0):
        """What the handlers heard: each phase with the step at which it was."""
        return [tuple(re.match(r"phase (\w+) at (\d+)", line).groups()) for line in self.events_of(rank) if line.startswith("phase")]

    def all_heard_the_same(self):
        first = [line for line in self.events_of(0) if line.startswith(("phase", "told"))]
        for rank in range(1, self.count):
            assert [line for line in self.events_of(rank) if line.startswith(("phase", "told"))] == first, (rank, first, self.heard(rank))
        return first


def saved_version(text):
    return int(re.search(r"version (\d+)", text).group(1))


def checkpoint_goes_on_ends_and_comes_back(new, ranks):
    """A request reaches the job, which goes on; with --term it ends; started again it goes on from there."""
    with new(ranks) as job:
        assert job.state() == "none"
        text = job.namctl("checkpoint", "work")
        assert "the job goes on" in text, text
        version = saved_version(text)
        job.wait_for("told saved")
        again = json.loads(job.namctl("checkpoint", "work", "--json"))
        assert again["version"] == version + 1 and not again["failed"], again
        text = job.namctl("checkpoint", "--term", "work")
        assert "the job ends" in text and saved_version(text) == version + 2, text
        job.end()
        told = job.all_heard_the_same()
        assert [line.split(" at ")[0] for line in told] == ["phase checkpoint", "phase continue", "told saved"] * 2 + ["phase checkpoint", "told end"], told
        ended = int(job.phases()[-1][1])
        assert "no job" in job.namctl("show", "work", status=1)
    with new(ranks) as job:
        first = job.heard()[:2]
        assert first == [f"phase restart at {ended}", f"begins at {ended} with version {version + 2} departure 0"], first
        job.finish()


def a_busy_job_refuses(new, ranks):
    with new(ranks) as job:
        job.namctl("checkpoint", "--stop", "work")
        text = job.namctl("quiesce", "start", "work", status=1)
        assert "stopped already (stopped: checkpoint --stop)" in text, text
        job.namctl("continue", "work")
        # All ranks are held, so the request cannot come through.
        pids = job.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        text = job.namctl("checkpoint", "--wait=0", "work", status=1)
        assert "after 0 s the job is still at it" in text, text
        for words in (["checkpoint"], ["restart"], ["quiesce", "start"], ["continue"]):
            text = job.namctl(*words, "work", status=1)
            assert "refuses" in text and "another request is under way (requested: checkpoint)" in text, text
        assert job.state() == "requested"
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        job.until("the request is done", lambda: job.state() == "none")
        assert "it is not stopped" in job.namctl("continue", "work", status=1)
        assert "it is not stopped" in job.namctl("quiesce", "end", "work", status=1)
        assert 'no job "other"' in job.namctl("checkpoint", "other", status=1)
        assert "there is no rank 9" in job.namctl("migrate", "work", "1", "9", status=1)
        job.finish()
    with new(ranks, handlers=0, saves=0) as job:
        assert "registered neither data nor a handler" in job.namctl("checkpoint", "work", status=1)
        job.finish()
    with new(ranks, saves=0) as job:
        assert "no data that the library saves" in job.namctl("restart", "work", status=1)
        assert "done, the job goes on" in job.namctl("checkpoint", "work")
        job.finish()


def processor_seconds(pids):
    ticks = 0
    for pid in pids:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def stopped_jobs(new, ranks):
    with new(ranks) as job:
        text = job.namctl("checkpoint", "--stop", "work")
        assert "the job is stopped" in text, text
        assert job.state() == "stopped"
        assert [name for name, _ in job.phases()] == ["checkpoint"]
        # It sleeps: a look again later finds no processor time, and no step.
        before, began = processor_seconds(job.pids()), time.monotonic()
        steps = [seat["safe_points"] for seat in job.show()["seats"]]
        job.until("a second is over", lambda: time.monotonic() > began + 1)
        used = processor_seconds(job.pids()) - before
        assert used < 0.3, f"{used} s of the processors in a second"
        assert steps == [seat["safe_points"] for seat in job.show()["seats"]]
        assert len(set(steps)) == 1, steps
        job.namctl("continue", "work")
        job.namctl("quiesce", "start", "work")
        assert job.state() == "stopped"
        first = saved_version(job.namctl("quiesce", "checkpoint", "work"))
        assert job.state() == "stopped"
        assert saved_version(job.namctl("checkpoint", "work")) == first + 1
        job.namctl("quiesce", "end", "work")
        job.until("it goes on", lambda: job.state() == "none")
        told = [name for name, _ in job.phases()]
        assert told == ["checkpoint", "continue"] * 2, told
        job.namctl("quiesce", "start", "work")
        assert "the job ends" in job.namctl("checkpoint", "--term", "work")
        job.end()
        job.all_heard_the_same()


def back_in_place(new, ranks):
    with new(ranks) as job:
        text = job.namctl("checkpoint", "work")
        saved = int(job.phases()[-1][1])
        version = saved_version(text)
        steps = job.show()["seats"][0]["safe_points"]
        job.until("it is further", lambda: job.show()["seats"][0]["safe_points"] > steps + 10)
        assert f"back at version {version}" in job.namctl("restart", "work")
        job.wait_for("told restarted")
        told = job.phases()
        assert told[-2][0] == "checkpoint" and int(told[-2][1]) > saved and told[-1] == ("restart", str(saved)), told
        job.finish()
        job.all_heard_the_same()


def a_save_that_fails(new, ranks):
    with new(ranks) as job:
        with open(job.refuse_file, "w", encoding="utf-8"):
            pass
        text = job.namctl("checkpoint", "work", status=1)
        assert f"rank {job.count - 1}: a handler answered 7 to the phase checkpoint" in text, text
        shown = job.show()
        assert shown["state"] == "error" and "answered 7" in shown["outcome"]["error"], shown
        assert "answered 7" in job.namctl("migrate", "work", "0", status=1)
        assert not job.show()["seats"][0]["leaves"], job.show()
        os.remove(job.refuse_file)
        job.namctl("checkpoint", "work")
        assert job.state() == "none"
        job.finish()
        assert [name for name, _ in job.phases()] == ["checkpoint", "failure"] * 2 + ["checkpoint", "continue"], job.phases()
        job.all_heard_the_same()


def killed(new, ranks):
    """namctl, a rank, and all of a job are killed: nobody hangs, and the next one is served."""
    with new(ranks) as job:
        pids = job.pids()
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        asking = subprocess.Popen([job.namctl_path, "job", "checkpoint", "work"], env={**os.environ, **job.site.environment("mapped")})
        job.until("it is asked", lambda: job.state() == "requested")
        asking.kill()
        asking.wait()
        assert "another request is under way" in job.namctl("checkpoint", "work", status=1)
        for pid in pids:
            os.kill(pid, signal.SIGCONT)
        job.until("the request is done", lambda: job.state() == "none")
        job.namctl("checkpoint", "work")
        # Of those who wait one is told that the job was killed.
        job.namctl("checkpoint", "--stop", "work")
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        asking = subprocess.Popen([job.namctl_path, "job", "continue", "work"], env={**os.environ, **job.site.environment("mapped")},
                                  stderr=subprocess.PIPE, text=True)
        job.until("it is asked", lambda: job.state() == "requested")
        os.kill(pids[-1], signal.SIGKILL)
        for pid in pids[:-1]:
            # The launcher may have ended them already.
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)
        _, errors = asking.communicate(timeout=LIMIT_S)
        assert asking.returncode == 1 and "was killed" in errors, errors
        output, _ = job.process.communicate(timeout=LIMIT_S)
        assert job.process.returncode != 0, output
        assert job.state() == "killed"
        assert "does not run any more: it was killed" in job.namctl("checkpoint", "work", status=1)
    with new(ranks) as job:
        assert job.state() == "none"
        job.namctl("checkpoint", "work")
        os.killpg(job.process.pid, signal.SIGKILL)
        job.process.communicate()
        job.until_dead()
        assert "work removed" in job.namctl("rm", "work")
        assert "no jobs" in job.namctl("list")


def one_of_a_name(new, ranks, program):
    with new(ranks) as job:
        job.site.expect(2, [program, "--gtest_filter=Worker.IsRefusedWhileAJobOfItsNameRuns"])
        listed = json.loads(job.namctl("list", "--json"))["jobs"]
        assert [(one["name"], one["living"]) for one in listed] == [("work", job.count)], listed
        assert "of its processes live" in job.namctl("rm", "work", status=1)
        job.finish()


def fences(new, ranks, preload):
    for window in ("nam", "native"):
        with new(ranks, role="Worker.ComesToItsSafePointsByFences", preload=preload, window=window) as job:
            job.namctl("checkpoint", "work")
            job.namctl("checkpoint", "--term", "work")
            job.end()
            told = [line.split(" at ")[0] for line in job.all_heard_the_same()]
            assert [line for line in told if line.startswith("told")] == ["told saved", "told end"], told
    with new(ranks, role="Worker.ComesToItsSafePointsByFences", window="unseen") as job:
        job.end()


def moved(new):
    """Ranks 2 and 3 are to leave node B: at the next start rank 3 is on A, and gets its data from the parity."""
    with new({"A": 2, "B": 2}) as job:
        text = job.namctl("migrate", "work", "3", "2")
        assert "the job ends" in text, text
        job.end()
        ended = int(job.phases()[-1][1])
        shown = job.show()
        assert shown["state"] == "ended" and [seat["leaves"] for seat in shown["seats"]] == [False, False, True, True], shown
    with new([("A", 2), ("B", 1), ("A", 1)]) as job:
        assert [job.heard(rank)[-1].split()[-1] for rank in range(4)] == ["0", "0", "2", "1"], [job.heard(rank) for rank in range(4)]
        assert f"begins at {ended} " in job.heard(3)[-1], job.heard(3)
        assert [seat["stayed"] for seat in job.show()["seats"]] == [False, False, True, False]
        assert "rank 2 was asked to leave its node, and is on the same node again" in job.finish()


def not_mapped(new, ranks):
    with new(ranks, saves=0, mapped=0) as job:
        for _ in range(3):
            job.namctl("checkpoint", "work")
        job.namctl("checkpoint", "--stop", "work")
        job.namctl("quiesce", "checkpoint", "work")
        job.namctl("continue", "work")
        job.namctl("checkpoint", "--term", "work")
        job.end()
        told = [line.split(" at ")[0] for line in job.all_heard_the_same()]
        assert told == ["phase checkpoint", "phase continue", "told saved"] * 3 + ["phase checkpoint", "phase continue", "phase checkpoint", "told end"], told


def saved_over_the_fabric(new, ranks):
    """Neither the record nor the parity is mapped by all ranks, and the versions are there after --term."""
    checkpoint_goes_on_ends_and_comes_back(functools.partial(new, mapped=0), ranks)


def a_full_store(new, ranks):
    """Who asks needs no room in it, and is told that the version has none; the job goes on."""
    with new(ranks) as job:
        version = saved_version(job.namctl("checkpoint", "work"))
        room = json.loads(job.site.run([job.namctl_path, "capacity", "--json"]))
        filler = room["capacity_bytes"] - room["reserved_bytes"]
        job.site.run([job.namctl_path, "alloc", str(filler), "--name", "filler"])
        text = job.namctl("checkpoint", "work", status=1)
        assert "bytes left" in text, text
        assert job.state() == "error" and json.loads(job.namctl("list", "--json"))["jobs"][0]["living"] == ranks
        job.site.run([job.namctl_path, "free", "filler"])
        assert saved_version(job.namctl("checkpoint", "work")) == version + 1
        job.finish()
        assert [name for name, _ in job.phases()] == ["checkpoint", "continue", "checkpoint", "failure", "checkpoint", "continue"], job.phases()


def asked_by_another_user(new, ranks, user):
    """The job is root's, over a manager that is root's: who may look at it, and who may ask it."""
    def his(job, *words, status=0):
        done = subprocess.run([job.namctl_path, "job", *words], text=True, capture_output=True, timeout=LIMIT_S, user=user, group=user,
                              extra_groups=[], env={**os.environ, **job.site.environment("mapped")})
        assert done.returncode == status, f"namctl job {words} ended with {done.returncode}: {done.stdout}{done.stderr}"
        return done.stdout + done.stderr

    for mode, sees, asks in (("600", False, False), ("644", True, False), ("666", True, True)):
        with new(ranks, mode=mode) as job:
            os.chmod(job.site.folder, 0o711)
            os.chmod(job.site.manager.folder, 0o711)
            listed = json.loads(his(job, "list", "--json"))["jobs"]
            assert [one["name"] for one in listed] == ["work"] * sees, listed
            text = his(job, "checkpoint", "work", status=0 if asks else 1)
            if asks:
                assert "the job goes on" in text, text
            elif sees:
                assert f"has mode 0644: user {user} may not read and write it" in text, text
            else:
                assert f'there is no job "work" that user {user} may see' in text, text
            his(job, "rm", "work", status=1)
            job.namctl("checkpoint", "work")
            job.finish()


def lost_manager(new, ranks):
    """A stopped job is told that nobody can tell it to go on, and goes on."""
    with new(ranks) as job:
        job.namctl("checkpoint", "--stop", "work")
        job.site.manager.kill()
        job.wait_for("error")
        assert any("nobody can tell it to go on" in line for line in job.heard()), job.heard()
        assert [name for name, _ in job.phases()] == ["checkpoint", "failure"], job.phases()
        os.killpg(job.process.pid, signal.SIGKILL)
        job.process.communicate()


def main(program, namctl, namd, preload, *parts):
    def run(site, part, *arguments):
        if not parts or part.__name__ in parts:
            print(part.__name__, "over a manager" if site.manager else "embedded", site.paths, flush=True)
            part(functools.partial(Work, site, program, namctl), *arguments)

    with Site() as site:
        for ranks in (4, 1):
            run(site, checkpoint_goes_on_ends_and_comes_back, ranks)
            site.expect(ranks, [program, "--gtest_filter=Worker.RemovesItsVersions"])
        for part in (a_busy_job_refuses, stopped_jobs, back_in_place, a_save_that_fails, killed):
            run(site, part, 4)
        run(site, one_of_a_name, 4, program)
    with Site() as site:
        site.run([namctl, "capacity", "64M"])
        run(site, a_full_store, 4)
        run(site, fences, 4, preload)
    with Site(None, ("node",), namd, "mapped") as site:
        for part in (checkpoint_goes_on_ends_and_comes_back, stopped_jobs, killed, lost_manager):
            run(site, part, 4)
    if os.geteuid() == 0:
        with Site(None, ("node",), namd, "mapped") as site:
            run(site, asked_by_another_user, 2, pwd.getpwnam("nobody").pw_uid)
    else:
        print("the part with a second user needs root: left out")
    with Site(None, ("A", "B"), namd, "mapped") as site:
        run(site, moved)
    # Requests reach a job that does not map its record; it saves by itself.
    with Site(None, ("node",), namd, "mixed") as site:
        run(site, not_mapped, 4)
        run(site, saved_over_the_fabric, 4)


if __name__ == "__main__":
    main(*sys.argv[1:])
