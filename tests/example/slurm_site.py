"""A node as the tests of examples/slurm need it: the scripts installed with settings of their own, and the user whose jobs they serve.

Run by root, the user is another one; else it is who runs the tests.
"""

import json
import os
import pwd
import shutil
import subprocess
import tempfile

SCRIPTS = ("prolog", "task_prolog", "epilog", "common.sh")
OTHER_USER = "nobody"


class Node:
    def __init__(self, source, build, prefix="psnam-test-", patience_s=60):
        self.folder = tempfile.mkdtemp(prefix=prefix, dir="/dev/shm")
        os.chmod(self.folder, 0o755)
        self.user = pwd.getpwnam(OTHER_USER) if os.geteuid() == 0 else pwd.getpwuid(os.geteuid())
        self.scripts = self._sub("scripts")
        self.records = os.path.join(self.folder, "records")
        self.stores = self._sub("stores", 0o1777)
        self.store = os.path.join(self.stores, f"psnam-{self.user.pw_uid}")
        # Copies: the build folder may be closed to the user.
        self.namctl = shutil.copy(os.path.join(build, "src", "namctl"), self.folder)
        for name in SCRIPTS:
            shutil.copy(os.path.join(source, "examples", "slurm", name), self.scripts)
        self.patience_s = patience_s
        self.set(namctl=self.namctl)

    def _sub(self, name, mode=0o755):
        path = os.path.join(self.folder, name)
        os.mkdir(path)
        os.chmod(path, mode)
        return path

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder)

    def set(self, namctl, patience_s=None):
        settings = {"namctl": namctl, "store": os.path.join(self.stores, "psnam-%u"), "records": self.records,
                    "patience": patience_s or self.patience_s}
        with open(os.path.join(self.scripts, "settings"), "w", encoding="utf-8") as file:
            file.writelines(f"{name}={value}\n" for name, value in settings.items())

    def script(self, name, body):
        """A program of the test; its path."""
        path = os.path.join(self.folder, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!{shutil.which('bash')}\n{body}\n")
        os.chmod(path, 0o755)
        return path

    def as_user(self):
        """Arguments of subprocess that make it the user's."""
        if os.geteuid() != 0:
            return {}
        return {"user": self.user.pw_uid, "group": self.user.pw_gid, "extra_groups": []}

    def listed(self):
        """What namctl tells the user of the store."""
        output = subprocess.run([self.namctl, "--store", self.store, "list", "--json"], stdin=subprocess.DEVNULL,
                                capture_output=True, text=True, timeout=60, check=True, **self.as_user()).stdout
        return json.loads(output)

    def allocations(self):
        return {allocation["name"]: allocation for allocation in self.listed()["allocations"]}
