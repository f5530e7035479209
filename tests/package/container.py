"""A Debian 12 of its own, with systemd as its first process: made by mmdebstrap, started by systemd-nspawn.

It has its own files, processes and network (loopback only). What it starts with comes from a mirror of Debian.
"""

from __future__ import annotations

import contextlib
import os
import pathlib
import shutil
import subprocess
import unittest
import urllib.request

from weirtest import eventually

HOST_SYSTEMD = pathlib.Path("/run/systemd/system")
CONTROL_GROUPS = pathlib.Path("/sys/fs/cgroup")
MIRROR, RELEASE = "http://deb.debian.org/debian", "bookworm"
PROGRAMS = {"mmdebstrap": "mmdebstrap", "systemd-nspawn": "systemd-container", "nsenter": "util-linux"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "HOME": "/root"}


def run(*command: str | pathlib.Path, **options) -> str:
    """What it prints to either output; an AssertionError with that if it fails."""
    done = subprocess.run(
        [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, **options
    )
    if done.returncode != 0:
        raise AssertionError(f"{' '.join(map(str, command))} ended with {done.returncode}:\n{done.stdout}")
    return done.stdout


def need_containers() -> None:
    """Skips where none can be made."""
    if os.geteuid() != 0:
        raise unittest.SkipTest("a container takes root")
    for program, package in PROGRAMS.items():
        if not shutil.which(program):
            raise unittest.SkipTest(f"{program} (package {package}) is not installed")
    try:
        urllib.request.urlopen(f"{MIRROR}/dists/{RELEASE}/Release", timeout=20).close()
    except OSError as error:
        raise unittest.SkipTest(f"{MIRROR} cannot be reached: {error}") from error


class Container:
    """Files are below `root`; stopped until boot()."""

    def __init__(self, root: pathlib.Path, packages: list[str]) -> None:
        self.root = root
        self._nspawn: subprocess.Popen | None = None
        self._leader = 0
        run("mmdebstrap", "--variant=essential", f"--include={','.join(packages)}", RELEASE, root, MIRROR)

    def boot(self) -> None:
        """Returns when all of its services have started. Skips where systemd does not start."""
        # It does not outlive the test.
        own = ("setpriv", "--pdeathsig=KILL", "systemd-nspawn", "--directory", self.root, "--private-network", "--link-journal=no")
        # Without systemd on this machine, nobody could register it or give it a unit.
        alone = () if HOST_SYSTEMD.is_dir() else ("--register=no", "--keep-unit")
        self._log = self.root.with_suffix(".log").open("w+")
        self._nspawn = subprocess.Popen(
            [*own, *alone, "--quiet", "--console=pipe", "--boot", "systemd.unit=multi-user.target"],
            stdin=subprocess.DEVNULL,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        children = pathlib.Path(f"/proc/{self._nspawn.pid}/task/{self._nspawn.pid}/children")

        def started() -> bool:
            if self._nspawn.poll() is not None:
                self._log.seek(0)
                raise unittest.SkipTest(f"systemd does not start in a container here:\n{self._log.read()[-2000:]}")
            self._leader = int((children.read_text().split() or ["0"])[0])
            return self._leader != 0 and self.state() in ("running", "degraded")

        eventually("systemd has started in its container", started)

    def state(self) -> str:
        return self.try_run("systemctl", "is-system-running").stdout.strip()

    def try_run(self, *command: str, **options) -> subprocess.CompletedProcess:
        return subprocess.run(
            ["nsenter", "--target", str(self._leader), "--all", *command],
            env=ENVIRONMENT,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            **options,
        )

    def run(self, *command: str) -> str:
        done = self.try_run(*command)
        if done.returncode != 0:
            journal = self.try_run("journalctl", "--no-pager", "--lines=20", "--output=cat").stdout
            raise AssertionError(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}\nThe journal:\n{journal}")
        return done.stdout

    def stop(self) -> None:
        if self._nspawn is None:
            return
        if self._nspawn.poll() is None and self._leader:
            self.try_run("systemctl", "poweroff", "--force")
        try:
            self._nspawn.wait(30)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()
        self._log.close()
        self._nspawn = None
        if not HOST_SYSTEMD.is_dir():  # which would have put its control groups away
            for name in ("payload", "supervisor"):
                for group in sorted(CONTROL_GROUPS.glob(f"**/{name}/**/"), reverse=True):
                    with contextlib.suppress(OSError):
                        group.rmdir()
