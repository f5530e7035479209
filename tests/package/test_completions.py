"""Completions for bash, zsh and fish: what the program's parser knows, and nothing else, when the shells are asked for it."""

from __future__ import annotations

import os
import pathlib
import pty
import re
import select
import shutil
import subprocess
import time
import unittest

from weirtest import DEADLINE_S, TestCase, run_command

# In place of the program: shows its words, so that a completed line can be read back.
SHOW = "weir() { printf '<%s>' \"$@\"; echo .; }\n"


def typed(shell: list[str], setup: str, line: str, directory: pathlib.Path) -> list[str]:
    """The words that an interactive shell makes of a line that is typed with its tabs."""
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(directory)
        environment = {"PATH": "/usr/bin:/bin", "HOME": str(directory), "TERM": "dumb", "PS1": "> "}
        os.execvpe(shell[0], shell, environment)
    seen = b""

    def read_until(pattern: bytes) -> re.Match[bytes]:
        nonlocal seen
        end = time.monotonic() + DEADLINE_S
        while not (found := re.search(pattern, seen)):
            if not select.select([terminal], [], [], max(0.0, end - time.monotonic()))[0]:
                raise AssertionError(f"{shell[0]} did not answer {line!r}: {seen!r}")
            seen += os.read(terminal, 65536)
        return found

    try:
        os.write(terminal, (setup + "echo rea''dy\n").encode())
        read_until(rb"ready\r?\n")
        os.write(terminal, line.encode() + b"\n")
        words = read_until(rb"((?:<[^>]*>)+)\.\r?\n")[1].decode()
        return words[1:-1].split("><")
    finally:
        os.close(terminal)
        os.kill(process, 9)
        os.waitpid(process, 0)


class Completions(TestCase):
    def setUp(self) -> None:
        super().setUp()
        (self.directory / "some.toml").touch()

    def generated(self, kind: str) -> pathlib.Path:
        made = run_command(self.directory, "generate", kind)
        self.assertEqual((made.returncode, made.stderr), (0, ""))
        file = self.directory / f"_weir.{kind}"
        file.write_text(made.stdout)
        return file

    def commands(self, *command: str) -> list[str]:
        """Those that the help lists below a command."""
        text = run_command(self.directory, *command, "--help").stdout
        listed = text.split("\nCommands:\n")[1:]
        return re.findall(r"^  ([a-z-]+)  ", listed[0], re.M) if listed else []

    def all_commands(self) -> list[list[str]]:
        """With those below them."""
        found = []
        for name in self.commands():
            found += [[name], *([name, below] for below in self.commands(name))]
        self.assertIn(["export", "calls"], found)
        self.assertGreater(len(found), 12)
        return found

    def options(self, *command: str) -> list[str]:
        text = run_command(self.directory, *command, "--help").stdout
        return re.findall(r"^ +(?:-[a-z],)?(--[a-z-]+)", text.split("\nUsage: ")[1], re.M)

    def run_shell(self, *command: str) -> str:
        done = subprocess.run(command, cwd=self.directory, capture_output=True, text=True, check=False)
        self.assertEqual((done.returncode, done.stderr), (0, ""), command)
        return done.stdout


class Bash(Completions):
    def offered(self, *words: str) -> list[str]:
        """For the last of the words, as bash splits them."""
        script = self.generated("bash")
        line = " ".join(f"'{word}'" for word in ("weir", *words))
        call = f'COMP_WORDS=({line}); COMP_CWORD={len(words)}; _weir; printf "%s\\n" "${{COMPREPLY[@]}}"'
        return sorted(self.run_shell("bash", "-uc", f". {script}; {call}").split())

    def test_every_command_and_every_option_is_offered(self) -> None:
        self.assertEqual(self.offered(""), sorted([*self.commands(), "-h", "--help", "--version"]))
        for command in self.all_commands():
            with self.subTest(command=command):
                self.assertEqual(self.offered(*command, "--"), sorted(self.options(*command)))

    def test_values_files_and_commands_are_offered(self) -> None:
        self.assertEqual(self.offered("st"), ["status", "statusline"])
        self.assertEqual(self.offered("export", ""), ["--help", "-h", "calls"])
        self.assertEqual(self.offered("admit", "--priority", ""), ["high", "low", "normal"])
        self.assertEqual(self.offered("admit", "--priority", "=", "h"), ["high"])
        self.assertEqual(self.offered("admit", "--priority", "="), ["high", "low", "normal"])
        self.assertEqual(self.offered("serve", "--config", "so"), ["some.toml"])
        self.assertEqual(self.offered("check-config", "so"), ["some.toml"])
        self.assertIn("bash", self.offered("admit", "--model", "m", "--", "bas"))
        self.assertNotIn("some.toml", self.offered("status", ""))
        # What takes no value is followed by the next option, what takes one by nothing that is known.
        self.assertIn("--all", self.offered("status", "--json", "--a"))
        self.assertEqual(self.offered("status", "--model", ""), [])

    def test_a_tab_completes_what_is_typed(self) -> None:
        setup = f". {self.generated('bash')}\n{SHOW}"
        shell = ["bash", "--noprofile", "--norc", "-i"]
        for line, words in [
            ("weir chec\tk\t", ["check-key"]),
            ("weir exp\tca\t--fo\tc\t", ["export", "calls", "--format", "csv"]),
            ("weir admit --priority=n\t", ["admit", "--priority=normal"]),
            ("weir admit -- dpkg-que\t", ["admit", "--", "dpkg-query"]),
            ("weir check-config so\t", ["check-config", "some.toml"]),
        ]:
            with self.subTest(line=line):
                self.assertEqual(typed(shell, setup, line, self.directory), words)


@unittest.skipUnless(shutil.which("zsh"), "zsh is not installed")
class Zsh(Completions):
    def test_a_tab_completes_what_is_typed(self) -> None:
        functions = self.directory / "functions"
        functions.mkdir()
        self.generated("zsh").rename(functions / "_weir")
        setup = f"fpath=({functions} $fpath); autoload -U compinit; compinit -u -D; unsetopt beep\n{SHOW}"
        shell = ["zsh", "-f", "-i"]
        for line, words in [
            ("weir che\tk\t", ["check-key"]),
            ("weir exp\tca\t--fo\tcs\t", ["export", "calls", "--format=csv"]),
            ("weir admit --priority n\t", ["admit", "--priority", "normal"]),
            ("weir admit -- dpkg-deb\t--conte\t", ["admit", "--", "dpkg-deb", "--contents"]),
            ("weir check-config so\t", ["check-config", "some.toml"]),
        ]:
            with self.subTest(line=line):
                self.assertEqual(typed(shell, setup, line, self.directory), words)

    def test_every_option_is_in_its_file(self) -> None:
        script = self.generated("zsh")
        self.run_shell("zsh", "-n", str(script))
        functions = dict(re.findall(r"^_(weir\S*)\(\) \{\n(.*?)^\}", script.read_text(), re.M | re.S))
        for command in self.all_commands():
            for option in self.options(*command):
                self.assertRegex(functions["_".join(["weir", *command])], f"'{option}=?\\[")


@unittest.skipUnless(shutil.which("fish"), "fish is not installed")
class Fish(Completions):
    def offered(self, line: str) -> list[str]:
        script = self.generated("fish")
        text = self.run_shell("fish", "--private", "--no-config", "-c", f"source {script}; complete -C '{line}'")
        return sorted(each.split("\t")[0] for each in text.splitlines())

    def test_it_offers_what_the_parser_knows(self) -> None:
        self.assertEqual(self.offered("weir "), sorted(self.commands()))
        self.assertEqual(self.offered("weir export "), ["calls"])
        self.assertEqual(self.offered("weir admit --priority "), ["high", "low", "normal"])
        self.assertEqual(self.offered("weir check-config so"), ["some.toml"])
        self.assertEqual(self.offered("weir status so"), [])
        self.assertEqual(self.offered("weir admit --model m -- dpkg-que"), ["dpkg-query"])
        for command in self.all_commands():
            with self.subTest(command=command):
                self.assertEqual(self.offered(f"weir {' '.join(command)} --"), sorted(self.options(*command)))


if __name__ == "__main__":
    unittest.main()
