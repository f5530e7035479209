"""`weir top` of the real daemon in a real terminal (Debian's tmux), and off it."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import unittest

import weirtest
from weirtest import TestCase, config, environment, eventually, limit, run_command

AGE = r"data ([2-9]s|\d\ds|\d+m \d\ds) old$"
LIMITS = limit(10, models='["m"]') + limit(1000)


class Terminal:
    """A shell in a tmux of its own."""

    def __init__(self, test: TestCase, columns: int, lines: int) -> None:
        self._socket = str(test.directory / "tmux")
        self._env = environment(test.directory) | {"LC_ALL": "C.UTF-8", "TERM": "screen"}
        test.addCleanup(self.tmux, "kill-server", check=False)
        size = ("-x", str(columns), "-y", str(lines))
        self.tmux("-f", "/dev/null", "new-session", "-d", *size, "sh")
        self.type("echo here was I")
        eventually("the shell answers", lambda: self.screen().count("here was I") == 2)

    def tmux(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            ["tmux", "-u", "-S", self._socket, *arguments],
            env=self._env,
            text=True,
            capture_output=True,
            timeout=weirtest.DEADLINE_S,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"tmux {arguments}: {done.stderr}")
        return done.stdout

    def type(self, line: str) -> None:
        self.tmux("send-keys", line, "Enter")

    def press(self, *keys: str) -> None:
        self.tmux("send-keys", *keys)

    def resize(self, columns: int, lines: int) -> None:
        self.tmux("resize-window", "-x", str(columns), "-y", str(lines))

    def screen(self) -> str:
        return self.tmux("capture-pane", "-p")

    def shows(self, what: str, pattern: str) -> str:
        """The screen, once it matches."""

        def matches() -> str:
            screen = self.screen()
            return screen if re.search(pattern, screen, re.M) else ""

        try:
            return eventually(what, matches)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.screen()}") from None


@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed (Debian: tmux)")
class Top(TestCase):
    def start(self, columns: int = 120, lines: int = 16, limits: str = LIMITS, more: str = ""):
        self.served = self.daemon(config(limits))
        self.client = self.served.client()
        terminal = Terminal(self, columns, lines)
        terminal.type(f"{weirtest.BINARY} top --url {self.served.unix} {more}; echo ended with $?")
        terminal.shows("the first frame", r"^LIMIT ")
        return terminal

    def call(self, count: int = 1) -> None:
        for _ in range(count):
            answer = self.client.settle(self.admitted(self.client), status=200, usage={})
            self.check(answer, 200)

    def check_restored(self, terminal: Terminal, code: int) -> None:
        screen = terminal.shows("the shell is back", rf"^ended with {code}$")
        self.assertIn("here was I", screen, "what was on the screen before")
        self.assertNotIn("RUNS OUT", screen)
        terminal.type("echo echo works")
        terminal.shows("keys are echoed again", r"echo echo works\n([$#] )?echo works$")

    def test_the_bar_moves_as_calls_happen_and_q_restores_the_screen(self) -> None:
        terminal = self.start()
        terminal.shows("nothing is used", r"^m/requests/day +░{10} +0 ")
        self.call(5)
        terminal.shows("half is used", r"^m/requests/day +█{5}░{5} +5 ")
        self.admitted(self.client)
        terminal.shows("one is held", r"^m/requests/day +█{5}▒░{4} +5 +1 ")
        self.call(4)
        screen = terminal.shows("all is used", r"^m/requests/day +█{9}▒ +9 +1 +10 .* now ")
        self.assertRegex(screen, r"(?m)^2 limits, 2 in use, 1 used up")
        self.assertRegex(screen.splitlines()[-1], r"^q quits")
        terminal.press("q")
        self.check_restored(terminal, 0)

    def test_it_follows_the_size_of_its_terminal(self) -> None:
        many = "".join(limit(10 + i, models=f'["model-{i:02}"]') for i in range(30))
        terminal = self.start(120, 20, many)
        terminal.shows("a wide frame", "SOURCE")
        terminal.resize(60, 10)
        screen = terminal.shows("a narrow frame", r"1 to 5 of 30$")
        self.assertNotIn("SOURCE", screen)
        self.assertTrue(all(len(line) <= 60 for line in screen.splitlines()), screen)
        terminal.resize(100, 15)
        terminal.shows("a wide frame again", r"1 to 10 of 30$")

        for keys, range_ in (
            (["Down", "Down", "Up"], "2 to 11"),
            (["NPage"], "12 to 21"),
            (["End"], "21 to 30"),
            (["Down"], "21 to 30"),
            (["PPage"], "11 to 20"),
            (["Home"], "1 to 10"),
        ):
            terminal.press(*keys)
            terminal.shows(f"after {keys}", rf" {range_} of 30$")
        terminal.press("C-c")
        self.check_restored(terminal, 0)

    def test_it_outlives_the_daemon_and_leaves_at_once_without_it(self) -> None:
        terminal = self.start()
        self.call(3)
        terminal.shows("three are used", r"^m/requests/day .* 3 ")
        self.assertEqual(self.served.stop(), 0)
        screen = terminal.shows("it says so", r"^trying again: no daemon at ")
        self.assertRegex(screen, r"(?m)^m/requests/day .* 3 ", "what was known stays")
        terminal.shows("and how old that is", AGE)
        self.served.start()
        self.client = self.served.client()
        terminal.shows("it is back", r"^2 limits, 2 in use")

        # One that hangs: the key must not wait for it.
        self.served.process.send_signal(signal.SIGSTOP)
        self.addCleanup(self.served.process.send_signal, signal.SIGCONT)
        terminal.shows("data ages", AGE)
        terminal.press("q")
        self.check_restored(terminal, 0)

    def test_signals_restore_the_screen_too(self) -> None:
        terminal = self.start()
        pid = subprocess.run(
            ["pgrep", "-f", f"top --url {self.served.unix}"],
            text=True,
            capture_output=True,
            check=False,
        ).stdout.split()
        self.assertTrue(pid)
        subprocess.run(["kill", "-TERM", pid[-1]], check=True)
        self.check_restored(terminal, 128 + signal.SIGTERM)

        terminal.type(f"{weirtest.BINARY} top --url {self.served.unix}; echo ended with $?")
        terminal.shows("a frame", r"^LIMIT ")
        terminal.press("C-\\")
        terminal.shows("that end is told", rf"^ended with {128 + signal.SIGQUIT}$")

        terminal.type(f"{weirtest.BINARY} top --url {self.served.unix}")
        terminal.shows("a frame", r"^LIMIT ")
        terminal.press("C-z")
        terminal.shows("the shell has the terminal", r"Stopped")
        terminal.type("fg")
        terminal.shows("the view is back", r"^LIMIT ")
        terminal.press("q")
        terminal.shows("the shell is back", r"here was I")

    def test_status_watches_in_the_same_way(self) -> None:
        self.served = self.daemon(config(LIMITS))
        self.client = self.served.client()
        terminal = Terminal(self, 100, 12)
        command = f"{weirtest.BINARY} status --watch --url {self.served.unix}"
        terminal.type(f"{command}; echo ended with $?")
        terminal.shows("nothing is used", r"^2 limits, nothing used")
        self.call(2)
        terminal.shows("two are used", r"^m/requests/day +██░{8} +2 ")
        terminal.press("q")
        self.check_restored(terminal, 0)


class OffTheTerminal(TestCase):
    def test_top_prints_one_frame(self) -> None:
        daemon = self.daemon(config(LIMITS))
        self.admitted(daemon.client())
        plain = run_command(self.directory, "top", url=daemon.tcp)
        self.assertEqual(plain.returncode, 0, plain.stderr)
        self.assertIn("one frame", plain.stderr)
        self.assertNotIn("\x1b", plain.stdout)
        self.assertRegex(plain.stdout, r"(?m)^m/requests/day +\S+ +0 +1 +10 ")
        once = run_command(self.directory, "top", "--once", "--model", "m", url=daemon.tcp)
        self.assertEqual((once.returncode, once.stderr), (0, ""))
        gone = run_command(self.directory, "top", url="http://127.0.0.1:1")
        self.assertEqual(gone.returncode, 3, gone.stderr)
        self.assertEqual(run_command(self.directory, "top", "--interval", "0.1").returncode, 2)


if __name__ == "__main__":
    unittest.main()
