"""The Debian package itself: its files, what Debian's own checker says of it, and that it is made twice with the same bytes."""

from __future__ import annotations

import hashlib
import os
import pathlib
import shutil
import stat
import tempfile
import unittest

from container import run
from debpackage import exit_if_none_can_be_made, make_package

EXAMPLES = "/usr/share/doc/weir/examples"
FILES = {
    "/etc/weir/weir.toml",
    "/usr/bin/weir",
    "/usr/lib/systemd/system/weir.service",
    "/usr/lib/systemd/system/weir.socket",
    "/usr/lib/sysusers.d/weir.conf",
    "/usr/share/bash-completion/completions/weir",
    "/usr/share/doc/weir/changelog.Debian.gz",
    "/usr/share/doc/weir/changelog.gz",
    "/usr/share/doc/weir/copyright",
    f"{EXAMPLES}/credentials.conf",
    f"{EXAMPLES}/dashboards/prometheus/prometheus.yaml",
    f"{EXAMPLES}/dashboards/prometheus/weir.rules.yaml",
    f"{EXAMPLES}/dashboards/provisioning/dashboards.yaml",
    f"{EXAMPLES}/dashboards/provisioning/datasources.yaml",
    f"{EXAMPLES}/dashboards/weir-daemon.json",
    f"{EXAMPLES}/dashboards/weir-quotas.json",
    f"{EXAMPLES}/weir.toml",
    "/usr/share/fish/vendor_completions.d/weir.fish",
    "/usr/share/lintian/overrides/weir",
    "/usr/share/man/man1/weir.1.gz",
    "/usr/share/man/man5/weir.toml.5.gz",
    "/usr/share/man/man8/weir.8.gz",
    "/usr/share/zsh/vendor-completions/_weir",
}


class Package(unittest.TestCase):
    package: pathlib.Path
    directory: pathlib.Path

    @classmethod
    def setUpClass(cls) -> None:
        cls.directory = pathlib.Path(tempfile.mkdtemp(prefix="weir-package-"))
        cls.addClassCleanup(shutil.rmtree, cls.directory, ignore_errors=True)
        cls.package = make_package(cls.directory / "first")

    def test_made_twice_it_has_the_same_bytes(self) -> None:
        again = make_package(self.directory / "second", TZ="Asia/Tokyo", LC_ALL="C", HOME="/nonexistent")
        self.assertEqual(
            hashlib.sha256(self.package.read_bytes()).hexdigest(),
            hashlib.sha256(again.read_bytes()).hexdigest(),
        )

    def test_the_umask_does_not_show_in_its_files(self) -> None:
        again = make_package(self.directory / "third", umask=0o077)
        self.assertEqual(run("dpkg-deb", "--contents", self.package), run("dpkg-deb", "--contents", again))

    def test_it_has_what_it_should_and_nothing_else(self) -> None:
        found = set()
        for line in run("dpkg-deb", "--contents", self.package).splitlines():
            mode, owner, *_, name = line.split()
            self.assertEqual(owner, "root/root", line)
            program = mode.startswith("d") or name == "./usr/bin/weir"
            self.assertEqual(mode[1:], "rwxr-xr-x" if program else "rw-r--r--", line)
            if not mode.startswith("d"):
                found.add(name.removeprefix("."))
        self.assertEqual(found, FILES)
        self.assertEqual(run("dpkg-deb", "--info", self.package, "conffiles"), "/etc/weir/weir.toml\n")

    def test_its_configurations_are_good_and_its_program_knows_no_build(self) -> None:
        files = self.directory / "files"
        run("dpkg-deb", "--extract", self.package, files)
        program = files / "usr/bin/weir"
        self.assertTrue(program.stat().st_mode & stat.S_IXOTH)
        for config in (files / "etc/weir/weir.toml", pathlib.Path(f"{files}{EXAMPLES}/weir.toml")):
            self.assertIn(": good: ", run(program, "check-config", config, env={"HOME": "/nonexistent"}))
        project = str(pathlib.Path(__file__).resolve().parent.parent.parent)
        self.assertNotIn(project.encode(), program.read_bytes(), "another path would make another program")

    @unittest.skipUnless(shutil.which("lintian"), "lintian is not installed")
    def test_lintian_finds_no_error_and_no_warning(self) -> None:
        root = ["--allow-root"] if os.geteuid() == 0 else []
        run("lintian", *root, "--fail-on", "error,warning", self.package)


if __name__ == "__main__":
    exit_if_none_can_be_made()
    unittest.main()
