"""weir(1), which the program writes from its own parser, weir.toml(5), which it writes from the configuration, and weir(8)."""

from __future__ import annotations

import os
import pathlib
import re
import shutil
import subprocess
import unittest

from weirtest import BINARY, TestCase, run_command

PROJECT = pathlib.Path(__file__).resolve().parent.parent.parent
CONFIG = PROJECT / "daemon/weir.toml"


class Manuals(TestCase):
    def page(self, kind: str) -> str:
        with CONFIG.open() as config:
            return subprocess.run(
                [BINARY, "generate", kind], stdin=config, capture_output=True, text=True, check=True
            ).stdout

    def read(self, page: str) -> str:
        """As man(1) shows it; fails at what groff warns of."""
        file = self.directory / "page"
        file.write_text(page)
        done = subprocess.run(
            ["man", "--warnings", "-E", "UTF-8", "-l", str(file)],
            capture_output=True,
            text=True,
            check=False,
            env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "MANWIDTH": "1000", "MAN_KEEP_FORMATTING": ""},
        )
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_weir_1_has_every_command_and_option(self) -> None:
        page = self.page("man").replace("\\-", "-")
        sections = dict(re.findall(r"^\.SS (weir [a-z -]+?)(?: \[[^\n]*)?\n(.*?)(?=^\.S)", page, re.M | re.S))
        self.assertIn("weir export calls", sections)
        self.assertGreater(len(sections), 11)
        for command, section in sections.items():
            text = run_command(self.directory, *command.split()[1:], "--help").stdout.split("\nUsage: ")[1]
            for option in re.findall(r"^ +(--[a-z-]+)", text, re.M):
                self.assertIn(f"\\fB{option}\\fR", section, command)
        listed = run_command(self.directory, "--help").stdout.split("\nCommands:\n")[1]
        for command in re.findall(r"^  ([a-z-]+)  ", listed, re.M):
            self.assertTrue(any(each.split()[1] == command for each in sections), command)

    def test_weir_toml_5_has_every_key_and_table(self) -> None:
        page = self.page("config-man").replace("\\-", "-")
        found = re.findall(r"^[# ]*([a-z_]+) = |^[# ]*(\[+[a-z.]+\]+)", CONFIG.read_text(), re.M)
        self.assertGreater(len(found), 50)
        for key, table in found:
            if table:
                self.assertIn(f"\n.SS {table}\n", page)
            else:
                self.assertIn(f"\n\\fB{key}\\fR = ", page)

    @unittest.skipUnless(shutil.which("man"), "man is not installed")
    def test_they_are_read_without_a_warning(self) -> None:
        pages = {
            "WEIR(1)": self.page("man"),
            "WEIR.TOML(5)": self.page("config-man"),
            "WEIR(8)": (pathlib.Path(os.environ["WEIR_BUILD"]) / "packaging/weir.8").read_text(),
        }
        for title, page in pages.items():
            with self.subTest(page=title):
                text = self.read(page)
                self.assertTrue(text.lstrip().startswith(title), text[:100])
                self.assertIn("SEE ALSO", text)


if __name__ == "__main__":
    unittest.main()
