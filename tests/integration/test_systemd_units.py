"""The unit files: systemd finds nothing to say of them, and rates the service as confined."""

from __future__ import annotations

import pathlib
import shutil
import subprocess
import sys
import unittest

from weirtest import BINARY, TestCase, environment

UNITS = pathlib.Path(__file__).resolve().parent.parent.parent / "systemd"
SKIPPED = 77  # ctest's SKIP_RETURN_CODE


class Units(TestCase):
    def analyze(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["systemd-analyze", *arguments],
            env=environment(self.directory),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )

    def units(self) -> pathlib.Path:
        """As installed, with the program where it is here."""
        directory = self.directory / "units"
        directory.mkdir()
        for name in ("weir.service", "weir.socket"):
            text = (UNITS / name).read_text().replace("/usr/bin/weir", BINARY)
            # Manual pages are looked for where they are installed.
            text = "".join(
                line for line in text.splitlines(True) if not line.startswith("Documentation=")
            )
            (directory / name).write_text(text)
        return directory

    def test_the_units_are_right(self) -> None:
        directory = self.units()
        checked = self.analyze("verify", str(directory / "weir.service"), str(directory / "weir.socket"))
        self.assertEqual((checked.returncode, checked.stdout), (0, ""))

    def test_the_service_is_confined(self) -> None:
        unit = self.units() / "weir.service"
        rated = self.analyze("security", "--offline=true", "--threshold=15", "--no-pager", str(unit))
        self.assertEqual(rated.returncode, 0, rated.stdout)


if __name__ == "__main__":
    if not shutil.which("systemd-analyze"):
        print("systemd-analyze is not installed: scripts/dependencies --with-tests --install")
        sys.exit(SKIPPED)
    unittest.main()
