"""The Debian package in a Debian 12 with systemd, from its installation to its purge. Skipped where no such container runs."""

from __future__ import annotations

import json
import pathlib
import re
import shutil
import sys
import tempfile
import unittest

from container import Container, need_containers, run
from debpackage import SKIPPED, exit_if_none_can_be_made, make_package
from weirtest import eventually

DROP_IN = "/etc/systemd/system/weir.service.d"
# What an installation changes without naming the package, as any other would.
COMMON = re.compile(r"/(var/lib/(dpkg|systemd)|var/log|var/cache|etc/.*-|tmp|root)(/|$)")


def dependencies(package: pathlib.Path) -> list[str]:
    """By name; the first of alternatives."""
    field = run("dpkg-deb", "--field", package, "Depends")
    return [re.match(r"\s*([^\s|,(]+)", each)[1] for each in field.split(",")]


class Installation(unittest.TestCase):
    def setUp(self) -> None:
        need_containers()
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-installation-"))
        self.addCleanup(shutil.rmtree, self.directory, ignore_errors=True)
        self.first = make_package(self.directory / "first")
        self.second = make_package(self.directory / "second", release=2)
        # Exactly what it says that it needs, and a first process.
        self.debian = Container(self.directory / "debian", [*dependencies(self.first), "systemd-sysv"])
        self.addCleanup(self.debian.stop)
        self.debian.boot()

    def dpkg(self, *arguments: str | pathlib.Path) -> str:
        words = []
        for each in arguments:
            if isinstance(each, pathlib.Path):
                shutil.copy(each, self.debian.root / "root" / each.name)
                each = f"/root/{each.name}"
            words.append(each)
        return self.debian.run("dpkg", *words)

    def unit(self, name: str) -> str:
        return self.debian.run("systemctl", "show", "--value", "--property", name, "weir.service").strip()

    def edit(self, path: str, old: str, new: str) -> None:
        file = self.debian.root / path.removeprefix("/")
        text = file.read_text()
        self.assertIn(old, text)
        file.write_text(text.replace(old, new))

    def calls(self) -> int:
        usage = json.loads(self.debian.run("weir", "usage", "--since", "24h", "--json"))
        return sum(row["calls"] for row in usage["rows"])

    def admit(self) -> None:
        self.debian.run("weir", "admit", "--model", "gemini-2.5-flash", "--", "true")

    def files(self) -> set[str]:
        found = self.debian.run("find", "/", "-xdev", "-not", "-type", "s").splitlines()
        found += self.debian.run("find", "/run", "-iname", "*weir*").splitlines()
        return {each for each in found if not COMMON.match(each)}

    def test_from_installation_to_purge(self) -> None:
        before = self.files()
        self.installed()
        self.reloaded()
        self.upgraded()
        self.restarted()
        self.given_credentials()
        self.given_sockets()
        self.removed_and_purged(before)

    def installed(self) -> None:
        self.dpkg("--install", self.first)
        self.assertEqual(self.unit("ActiveState"), "active")
        self.assertEqual(self.unit("UnitFileState"), "enabled")
        self.assertEqual(self.debian.run("systemctl", "show", "--value", "-p", "UnitFileState", "weir.socket"), "disabled\n")
        status = self.debian.run("systemctl", "status", "--no-pager", "--full", "weir")
        self.assertIn("127.0.0.1:8411", status)
        user = self.debian.run("getent", "passwd", "weir").strip().split(":")
        self.assertEqual(user[5:], ["/var/lib/weir", "/usr/sbin/nologin"])
        process = self.unit("MainPID")
        self.assertIn(f"Uid:\t{user[2]}\t", self.debian.run("cat", f"/proc/{process}/status"))
        self.admit()
        self.assertEqual(self.calls(), 1)
        self.debian.run("setpriv", "--reuid=daemon", "--regid=weir", "--clear-groups", "weir", "status")
        uid = self.debian.run("id", "-u", "daemon").strip()
        log = self.debian.run("journalctl", "--no-pager", "-u", "weir")
        self.assertIn(f"unix socket: user {uid} connects", log, "confined as it is, the daemon sees who connects")
        self.assertEqual(self.debian.run("stat", "-c", "%U %a", "/var/lib/weir"), "weir 750\n")

    def reloaded(self) -> None:
        config = self.debian.root / "etc/weir/weir.toml"
        good = config.read_text() + '[[projects.limits]]\nmodels = ["*"]\nmetric = "requests"\nwindow = "day"\namount = 12345\n'
        config.write_text(good)
        self.debian.run("systemctl", "reload", "weir")
        eventually("the limit is taken over", lambda: "12345" in self.debian.run("weir", "status", "--all", "--json"))
        config.write_text(good.replace("amount", "amnt"))
        refused = self.debian.try_run("systemctl", "reload", "weir")
        self.assertNotEqual(refused.returncode, 0, "a bad file fails the reload")
        self.assertEqual(self.unit("ActiveState"), "active")
        config.write_text(good)
        self.assertEqual(self.calls(), 1)

    def upgraded(self) -> None:
        process = self.unit("MainPID")
        self.dpkg("--install", self.second)
        self.assertEqual(self.debian.run("dpkg-query", "-W", "-f", "${Version}", "weir").split("-")[-1], "2")
        self.assertEqual(self.unit("ActiveState"), "active")
        self.assertNotEqual(self.unit("MainPID"), process, "the new program runs")
        self.assertEqual(self.calls(), 1, "the ledger is kept")
        self.assertIn("12345", self.debian.run("weir", "status", "--all", "--json"), "so is the configuration")
        self.admit()
        self.assertEqual(self.calls(), 2)

    def restarted(self) -> None:
        """systemd starts it again: after a crash, and when its event loop stands still."""
        self.write(f"{DROP_IN}/watchdog.conf", "[Service]\nWatchdogSec=5\n")
        self.debian.run("systemctl", "daemon-reload")
        self.debian.run("systemctl", "restart", "weir")
        for signal in ("KILL", "STOP"):
            process = self.unit("MainPID")
            self.debian.run("systemctl", "kill", "--kill-whom=main", f"--signal={signal}", "weir")
            eventually(
                f"it runs again after SIG{signal}",
                lambda: self.unit("MainPID") not in (process, "0") and self.unit("ActiveState") == "active",
            )
        self.assertEqual(self.calls(), 2)

    def given_credentials(self) -> None:
        """As the example says; a file that the user weir cannot read."""
        self.edit("/etc/weir/weir.toml", "# api_key_file", "api_key_file")
        self.write("/etc/weir/credentials/gemini.key", "a-key\n")
        (self.debian.root / "etc/weir/credentials/gemini.key").chmod(0o600)
        self.debian.run("cp", "/usr/share/doc/weir/examples/credentials.conf", DROP_IN)
        self.debian.run("systemctl", "daemon-reload")
        self.debian.run("systemctl", "restart", "weir")
        self.assertEqual(self.unit("ActiveState"), "active")
        self.assertEqual(self.calls(), 2)

    def given_sockets(self) -> None:
        """systemd's own: they stay while the daemon does not, and the next caller starts it."""
        self.debian.run("systemctl", "enable", "weir.socket")
        self.debian.run("systemctl", "stop", "weir")
        self.debian.run("systemctl", "start", "weir.socket")
        self.assertEqual(self.unit("ActiveState"), "inactive")
        self.assertEqual(self.calls(), 2)
        self.assertEqual(self.unit("ActiveState"), "active")

    def removed_and_purged(self, before: set[str]) -> None:
        for made in (DROP_IN, "/etc/weir/credentials"):  # by the administrator, who takes it away
            self.debian.run("rm", "-r", made)
        self.dpkg("--remove", "weir")
        self.assertEqual(self.debian.try_run("systemctl", "is-active", "weir").stdout, "inactive\n")
        self.assertEqual(self.debian.try_run("systemctl", "is-active", "weir.socket").stdout, "inactive\n")
        self.assertTrue((self.debian.root / "var/lib/weir/weir.db").exists(), "removing keeps the ledger")
        self.assertTrue((self.debian.root / "etc/weir/weir.toml").exists(), "and the configuration")
        self.dpkg("--install", self.second)
        self.edit("/etc/weir/weir.toml", "api_key_file", "# api_key_file")
        self.debian.run("systemctl", "restart", "weir")
        self.assertEqual(self.calls(), 2)

        self.dpkg("--purge", "weir")
        self.assertEqual(self.files() - before, set())
        self.assertEqual(self.debian.try_run("systemctl", "is-enabled", "weir").returncode, 1)
        self.debian.run("systemctl", "daemon-reload")
        self.assertNotIn("weir", self.debian.run("systemctl", "--failed", "--plain", "--no-legend"))

    def write(self, path: str, text: str) -> None:
        file = self.debian.root / path.removeprefix("/")
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)


if __name__ == "__main__":
    exit_if_none_can_be_made()
    done = unittest.main(exit=False).result
    for _, reason in done.skipped:
        print(reason)
    sys.exit(1 if not done.wasSuccessful() else SKIPPED if done.skipped else 0)
