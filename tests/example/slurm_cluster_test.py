"""The scripts of examples/slurm under Slurm itself, a cluster of this one machine: slurm_cluster_test.py BUILD_DIR SOURCE_DIR.

Controller, node and munge are started by the test on ports and in a folder of its own, and ended by it. Needs root, for a node starts
the jobs of others, and the Debian packages slurmctld, slurmd, slurm-client and munge; without them the test is skipped.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import unittest

from slurm_site import Node

BUILD, SOURCE = (os.path.abspath(path) for path in sys.argv[1:3])
PROGRAMS = ("munged", "slurmctld", "slurmd", "sbatch", "scancel", "scontrol", "sinfo")
SKIPPED = 77
LIMIT_S = 60
PAUSE = threading.Event()
MARK = f"PSNAM_SLURM_TEST={secrets.token_hex(8)}"
SEARCH = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"

CONFIGURATION = """ClusterName=psnam
SlurmctldHost={host}(127.0.0.1)
SlurmUser=root
SlurmdUser=root
SlurmctldPort={controller_port}
SlurmdPort={node_port}
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
MpiDefault=none
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/linear
SchedulerType=sched/backfill
SchedulerParameters=sched_interval=1,sched_min_interval=1,batch_sched_delay=0
SwitchType=switch/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
JobCompType=jobcomp/none
MailProg=/bin/true
ReturnToService=2
KillWait=1
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.log
SlurmdParameters=config_overrides
PrologFlags=Alloc
Prolog={scripts}/prolog
TaskProlog={scripts}/task_prolog
Epilog={scripts}/epilog
NodeName={host} NodeAddr=127.0.0.1 CPUs={cpus} State=UNKNOWN
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""


def poll(what, condition):
    """Asks again and again until `condition` holds; gives back what it gave."""
    end = time.monotonic() + LIMIT_S
    while time.monotonic() < end:
        value = condition()
        if value:
            return value
        # So that asking does not keep the machine busy; nothing depends on how long.
        PAUSE.wait(0.02)
    raise AssertionError(f"{what}: not within {LIMIT_S} s")


def free_ports(number):
    sockets = [socket.socket() for _ in range(number)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


def marked_processes():
    """Those that were started by this test, or by what it started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/environ", "rb") as file:
                if MARK.encode() in file.read().split(b"\0"):
                    found.append(int(pid))
        except OSError:
            continue
    return found


class Cluster:
    def __init__(self):
        self.node = Node(SOURCE, BUILD, prefix="psnam-slurm-")
        self.folder = os.path.join(self.node.folder, "slurm")
        self.jobs = os.path.join(self.node.folder, "jobs")
        self.daemons = []
        for path in (self.folder, os.path.join(self.folder, "state"), os.path.join(self.folder, "spool"), self.jobs):
            os.mkdir(path)
            os.chmod(path, 0o755)
        os.chown(self.jobs, self.node.user.pw_uid, self.node.user.pw_gid)
        name, value = MARK.split("=")
        self.environment = {**os.environ, "PATH": SEARCH, name: value, "SLURM_CONF": os.path.join(self.folder, "slurm.conf")}
        # Else a job of the cluster that runs this test would be asked about.
        for variable in [variable for variable in self.environment if variable.startswith("SLURM_")]:
            if variable != "SLURM_CONF":
                del self.environment[variable]

    def configure(self):
        controller_port, node_port = free_ports(2)
        host = socket.gethostname().split(".")[0]
        with open(self.environment["SLURM_CONF"], "w", encoding="utf-8") as file:
            file.write(CONFIGURATION.format(host=host, folder=self.folder, scripts=self.node.scripts, cpus=os.cpu_count(),
                                            controller_port=controller_port, node_port=node_port))
        with open(os.path.join(self.folder, "cgroup.conf"), "w", encoding="utf-8") as file:
            file.write("CgroupPlugin=cgroup/v1\n")
        key = os.path.join(self.folder, "munge.key")
        with open(key, "wb") as file:
            file.write(secrets.token_bytes(128))
        os.chmod(key, 0o400)

    def start(self):
        self.configure()
        def at(name):
            return os.path.join(self.folder, name)
        self._daemon("munged", "--foreground", "--force", "--key-file=" + at("munge.key"), "--socket=" + at("munge.socket"),
                     "--pid-file=" + at("munged.pid"), "--seed-file=" + at("munge.seed"))
        self._until("munged answers", lambda: os.path.exists(at("munge.socket")))
        self._daemon("slurmctld", "-D")
        self._daemon("slurmd", "-D")
        self._until("the node is up", lambda: self.node_state() == "idle")

    def _daemon(self, name, *arguments):
        with open(os.path.join(self.folder, name + ".out"), "wb") as output:
            self.daemons.append(subprocess.Popen([shutil.which(name, path=SEARCH), *arguments], env=self.environment,
                                                 stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT))

    def _until(self, what, condition):
        def holds():
            for daemon in self.daemons:
                if daemon.poll() is not None:
                    raise AssertionError(f"{daemon.args[0]} ended with status {daemon.returncode} before {what}")
            return condition()
        poll(what, holds)

    def stop(self):
        """Ends what was started, by process number; jobs first."""
        self.ask("scancel", "--full", "--user=" + self.node.user.pw_name, must=False)
        for daemon in reversed(self.daemons):
            daemon.terminate()
            try:
                daemon.wait(20)
            except subprocess.TimeoutExpired:
                daemon.kill()
                daemon.wait()
        for pid in marked_processes():
            if pid != os.getpid():
                os.kill(pid, signal.SIGKILL)
        poll("what was started has ended", lambda: not marked_processes())
        shutil.rmtree(self.node.folder)

    def ask(self, program, *arguments, must=True, **who):
        result = subprocess.run([program, *arguments], env=self.environment, stdin=subprocess.DEVNULL, timeout=LIMIT_S,
                                capture_output=True, text=True, check=False, **who)
        if must and result.returncode != 0:
            raise AssertionError(f"{program} {' '.join(arguments)}: {result.stderr}")
        return result.stdout

    def node_state(self):
        return self.ask("sinfo", "--noheader", "--format=%t", must=False).strip()

    def job_state(self, job):
        return re.search(r"JobState=(\w+)", self.ask("scontrol", "--oneliner", "show", "job", job)).group(1)

    def submit(self, script, *options):
        """The number of a job of the user."""
        path = os.path.join(self.jobs, "script")
        with open(path, "w", encoding="utf-8") as file:
            file.write("#!/bin/bash\n" + script)
        return self.ask("sbatch", "--parsable", "--chdir=" + self.jobs, "--output=%j.out", *options, path,
                        **self.node.as_user()).strip()

    def end_of(self, job):
        """Waits until the job has ended and its epilog, too: state, output."""
        poll(f"job {job} ends", lambda: self.job_state(job) in ("COMPLETED", "FAILED", "CANCELLED", "TIMEOUT"))
        poll("the node is free again", lambda: self.node_state() != "comp" and not os.path.exists(self.record_of(job)))
        with open(os.path.join(self.jobs, job + ".out"), encoding="utf-8") as file:
            return self.job_state(job), file.read()

    def record_of(self, job):
        return os.path.join(self.node.records, "job-" + job)

    def logs(self):
        text = ""
        for name in ("munged.out", "slurmctld.out", "slurmd.out", "slurmctld.log", "slurmd.log"):
            path = os.path.join(self.folder, name)
            if os.path.exists(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    text += f"== {name}\n" + "".join(file.readlines()[-30:])
        return text


class UnderSlurm(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.cluster = Cluster()
        cls.addClassCleanup(cls.cluster.stop)
        try:
            cls.cluster.start()
        except AssertionError:
            print(cls.cluster.logs())
            raise

    def job(self, script, *options):
        job = self.cluster.submit(script, *options)
        state, output = self.cluster.end_of(job)
        self.assertEqual(self.cluster.node_state(), "idle", "no job drains the node")
        return job, state, output

    def test_a_job_has_its_memory_while_it_runs_and_no_longer(self):
        look = f'"{self.cluster.node.namctl}" list --json >listed; echo "batch $SLURM_NAM_ALLOC_ID"\n'
        job, state, output = self.job(look + "srun --ntasks=2 bash -c 'echo \"task $SLURM_NAM_ALLOC_ID\"'\n",
                                      "--comment=test nam:1M", "--ntasks=2")
        self.assertEqual(state, "COMPLETED", output)
        with open(os.path.join(self.cluster.jobs, "listed"), encoding="utf-8") as file:
            listed = file.read()
        self.assertIn(f'"name": "job-{job}"', listed)
        (number,) = set(re.findall(r"(?:batch|task) (\d+)", output))
        self.assertEqual(sorted(output.splitlines()), [f"batch {number}"] + [f"task {number}"] * 2)
        self.assertIn(f'"id": {number}', listed)
        self.assertEqual(self.cluster.node.allocations(), {})

    def test_memory_that_is_refused_fails_the_job_with_the_reason(self):
        for wish, reason in [("nam:900000T", str(900000 << 40)), ("nam:much", "nam:much is not a size")]:
            with self.subTest(wish=wish):
                job, state, output = self.job("echo begun\n", "--comment=" + wish)
                self.assertEqual(state, "FAILED", output)
                self.assertIn(f"job {job} gets no NAM memory: ", output)
                self.assertIn(reason, output)
                self.assertNotIn("begun", output)

    def test_the_memory_of_a_cancelled_job_goes(self):
        job = self.cluster.submit("echo $SLURM_NAM_ALLOC_ID\ntouch running\nexec tail -f /dev/null\n", "--comment=nam:1M")
        running = os.path.join(self.cluster.jobs, "running")
        poll("the job runs", lambda: os.path.exists(running) or self.cluster.job_state(job) == "FAILED")
        self.assertEqual(set(self.cluster.node.allocations()), {f"job-{job}"})
        self.cluster.ask("scancel", job)
        self.assertEqual(self.cluster.end_of(job)[0], "CANCELLED")
        self.assertEqual(self.cluster.node.allocations(), {})
        self.assertEqual(self.cluster.node_state(), "idle")

    def test_a_job_that_asks_for_nothing_runs_as_ever(self):
        _, state, output = self.job("echo \"none: ${SLURM_NAM_ALLOC_ID-unset}\"\n")
        self.assertEqual((state, output), ("COMPLETED", "none: unset\n"))


if __name__ == "__main__":
    missing = [program for program in PROGRAMS if shutil.which(program, path=SEARCH) is None]
    if os.geteuid() != 0 or missing:
        print("skipped: " + ("missing " + ", ".join(missing) if missing else "only root starts the jobs of others"))
        sys.exit(SKIPPED)
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
