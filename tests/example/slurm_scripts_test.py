"""The scripts of examples/slurm, run by hand as Slurm runs them: slurm_scripts_test.py BUILD_DIR SOURCE_DIR."""

import os
import signal
import subprocess
import sys
import unittest

from slurm_site import Node

BUILD, SOURCE = (os.path.abspath(path) for path in sys.argv[1:3])
JOB = 4711


class OnANode(unittest.TestCase):
    def setUp(self):
        self.node = Node(SOURCE, BUILD)
        self.addCleanup(self.node.__exit__)

    def environment(self, comment, **more):
        uid = str(self.node.user.pw_uid)
        variables = {"SLURM_JOB_ID": str(JOB), "SLURM_JOB_UID": uid, "SLURM_JOB_USER": self.node.user.pw_name,
                     "SLURMD_NODENAME": "node7", **more}
        if comment is not None:
            variables["SLURM_JOB_COMMENT"] = comment
        return {name: value for name, value in {**os.environ, **variables}.items()
                if not name.startswith("PSNAM_") or name == "PSNAM_CHECK_MARK"}

    def run_script(self, name, comment=None, as_user=False, **more):
        who = self.node.as_user() if as_user else {}
        return subprocess.run([os.path.join(self.node.scripts, name)], env=self.environment(comment, **more),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False, **who)

    def prolog(self, comment, **more):
        """It never drains the node."""
        result = self.run_script("prolog", comment, **more)
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "")

    def epilog(self):
        result = self.run_script("epilog")
        self.assertEqual(result.returncode, 0, result.stderr)
        self.assertEqual(result.stdout, "")
        self.assertEqual(os.listdir(self.node.records) if os.path.exists(self.node.records) else [], [])
        return result.stderr

    def granted(self):
        """The variables that the task prolog sets."""
        result = self.run_script("task_prolog", as_user=True)
        self.assertEqual(result.returncode, 0, result.stdout + result.stderr)
        lines = [line.split(" ", 1) for line in result.stdout.splitlines()]
        self.assertEqual({word for word, _ in lines}, {"export"}, result.stdout)
        return dict(rest.split("=", 1) for _, rest in lines)

    def refused(self):
        """Why, as the task prolog tells the job."""
        result = self.run_script("task_prolog", as_user=True, SLURM_LOCALID="0")
        self.assertNotEqual(result.returncode, 0)
        self.assertRegex(result.stdout, rf"\Aprint job {JOB} gets no NAM memory: .+\n\Z")
        quiet = self.run_script("task_prolog", as_user=True, SLURM_LOCALID="3")
        self.assertEqual((quiet.returncode, quiet.stdout), (result.returncode, ""), "one task of a node says it")
        return result.stdout


class Granted(OnANode):
    def test_a_job_has_its_memory_from_prolog_to_epilog(self):
        self.prolog("nam:1M")
        (allocation,) = self.node.allocations().values()
        self.assertEqual((allocation["name"], allocation["bytes"]), (f"job-{JOB}", 1 << 20))
        self.assertEqual(allocation["uid"], self.node.user.pw_uid)
        self.assertIsNotNone(allocation["expires_unix_seconds"])
        self.assertEqual(self.granted(), {"SLURM_NAM_ALLOC_ID": str(allocation["id"]), "PSNAM_STORE": self.node.store})
        self.epilog()
        self.assertEqual(self.node.allocations(), {})

    def test_everything_in_the_store_is_the_users(self):
        self.prolog("nam:64K")
        for folder, folders, files in os.walk(self.node.store):
            for name in [".", *folders, *files]:
                path = os.path.join(folder, name)
                self.assertEqual(os.lstat(path).st_uid, self.node.user.pw_uid, path)
        self.epilog()

    def test_the_wish_may_stand_among_other_words(self):
        for comment in ["project 17 nam:64K urgent", "nam:64K\tx", " nam:64K ", "* nam:64K nam:1T"]:
            with self.subTest(comment=comment):
                self.prolog(comment)
                self.assertEqual(self.node.allocations()[f"job-{JOB}"]["bytes"], 1 << 16)
                self.epilog()

    def test_a_job_without_a_wish_is_left_alone(self):
        for comment in [None, "", "name: x", "xnam:1M", "program:name"]:
            with self.subTest(comment=comment):
                self.prolog(comment)
                result = self.run_script("task_prolog", as_user=True)
                self.assertEqual((result.returncode, result.stdout, result.stderr), (0, "", ""))
                self.epilog()
                self.assertEqual(os.listdir(self.node.stores), [])

    def test_the_end_of_the_job_is_the_end_of_the_memory_where_slurm_tells_it(self):
        self.prolog("nam:64K", SLURM_JOB_END_TIME="4102444800")
        self.assertEqual(self.node.allocations()[f"job-{JOB}"]["expires_unix_seconds"], 4102444800 + 3600)
        self.epilog()

    def test_jobs_of_a_user_do_not_disturb_each_other(self):
        self.prolog("nam:64K")
        self.prolog("nam:128K", SLURM_JOB_ID="4712")
        self.assertEqual(set(self.node.allocations()), {f"job-{JOB}", "job-4712"})
        self.run_script("epilog", SLURM_JOB_ID="4712")
        self.assertEqual(set(self.node.allocations()), {f"job-{JOB}"})
        self.epilog()

    def test_a_second_prolog_of_the_same_run_changes_nothing(self):
        self.prolog("nam:64K")
        before = self.granted()
        self.prolog("nam:64K")
        self.assertEqual(self.granted(), before)
        self.epilog()

    def test_a_requeued_job_whose_epilog_never_ran_gets_new_memory(self):
        self.prolog("nam:64K")
        before = self.granted()
        self.prolog("nam:128K", SLURM_JOB_RESTART_COUNT="1")
        self.assertNotEqual(self.granted(), before)
        self.assertEqual([allocation["bytes"] for allocation in self.node.allocations().values()], [1 << 17])
        self.epilog()
        self.assertEqual(self.node.allocations(), {})


class Refused(OnANode):
    def test_too_much_fails_the_job_and_not_the_node(self):
        self.prolog("nam:900000T")
        self.assertIn(str(900000 << 40), self.refused())
        self.epilog()
        self.assertEqual(self.node.allocations(), {})

    def test_a_wish_that_cannot_be_read_is_told_and_not_executed(self):
        trap = os.path.join(self.node.folder, "trap")
        for wish in ["", "much", "10Q", "-1", "1M;id", f"$(touch${{IFS}}{trap})", f"`touch${{IFS}}{trap}`", "1M,2M", "0x10"]:
            with self.subTest(wish=wish):
                self.prolog("nam:" + wish)
                self.assertIn(f"--comment=nam:{wish} is not a size", self.refused())
                self.epilog()
                self.assertEqual(os.listdir(self.node.stores), [])
        self.assertFalse(os.path.exists(trap))

    def test_a_store_that_its_user_has_spoiled_is_the_users_misfortune(self):
        os.mkdir(self.node.store)
        os.chmod(self.node.store, 0o755)
        os.chown(self.node.store, self.node.user.pw_uid, self.node.user.pw_gid)
        self.prolog("nam:64K")
        self.assertIn(self.node.store, self.refused())
        self.epilog()

    def test_an_unknown_user_is_refused(self):
        if os.geteuid() != 0:
            self.skipTest("only root acts for others")
        self.prolog("nam:64K", SLURM_JOB_UID="4000000001")
        self.assertIn("knows no user", self.refused())

    def test_a_call_that_hangs_is_given_up(self):
        self.node.set(namctl=self.node.script("hangs", "exec tail -f /dev/null"), patience_s=1)
        self.prolog("nam:64K")
        self.assertIn("no answer within 1 s", self.refused())
        self.node.set(namctl=self.node.namctl)
        self.epilog()


class Interrupted(OnANode):
    def killed_prolog(self, moment):
        """A prolog that is killed just before or after the memory was taken."""
        real = f'"{self.node.namctl}" "$@"'
        # The prolog leads the session, so that its number is field 6 of any of its processes.
        kill = "read -r _ _ _ _ _ session _ </proc/self/stat; kill -KILL \"$session\""
        steps = [real, kill] if moment == "after" else [kill]
        self.node.set(namctl=self.node.script("kills", "\n".join(['[[ $* == *alloc* ]] || exit 0', *steps])))
        prolog = subprocess.Popen([os.path.join(self.node.scripts, "prolog")], env=self.environment("nam:64K"),
                                  stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                  start_new_session=True)
        prolog.communicate(timeout=60)
        self.assertEqual(prolog.returncode, -signal.SIGKILL)
        self.node.set(namctl=self.node.namctl)

    def test_what_a_killed_prolog_took_goes_with_the_epilog(self):
        self.killed_prolog("after")
        self.assertEqual(set(self.node.allocations()), {f"job-{JOB}"})
        self.assertIn("the prolog on node7 did not come to its end", self.refused())
        self.epilog()
        self.assertEqual(self.node.allocations(), {})

    def test_a_prolog_that_was_killed_before_it_took_anything_leaves_nothing_to_do(self):
        self.killed_prolog("before")
        self.epilog()
        self.assertEqual(os.listdir(self.node.stores), [])

    def test_the_epilog_may_come_again_and_for_jobs_that_had_no_prolog(self):
        self.assertEqual(self.epilog(), "")
        self.prolog("nam:64K")
        self.epilog()
        self.assertEqual(self.epilog(), "")
        self.assertEqual(self.node.allocations(), {})

    def test_the_epilog_bears_what_the_user_has_freed(self):
        self.prolog("nam:64K")
        subprocess.run([self.node.namctl, "--store", self.node.store, "free", f"job-{JOB}"], check=True, timeout=60,
                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, **self.node.as_user())
        self.assertEqual(self.epilog(), "")

    def test_the_epilog_does_not_drain_the_node_for_a_spoiled_store(self):
        self.prolog("nam:64K")
        os.chmod(self.node.store, 0o755)
        self.epilog()
        os.chmod(self.node.store, 0o700)
        self.assertEqual(set(self.node.allocations()), {f"job-{JOB}"}, "it stays until it expires")


if __name__ == "__main__":
    unittest.main(argv=[sys.argv[0], "-v", *sys.argv[3:]])
