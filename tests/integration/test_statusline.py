"""`weir statusline`: one line, whatever the daemon does."""

from __future__ import annotations

import socket
import subprocess
import unittest

from weirtest import TestCase, config, eventually, limit, run_command


class Statusline(TestCase):
    def test_the_nearest_limits_are_one_line(self) -> None:
        limits = limit(20, models='["m"]') + limit(5, models='["m"]', window="60s") + limit(1000)
        daemon = self.daemon(config(limits))
        client = daemon.client()

        def ask(*more: str) -> subprocess.CompletedProcess[str]:
            """What it says if the daemon answers within its 0.4 s."""

            def answered() -> subprocess.CompletedProcess[str] | None:
                line = run_command(self.directory, "statusline", *more, url=daemon.tcp)
                return None if line.stdout == "weir: no answer\n" else line

            return eventually("an answer in time", answered)

        self.assertEqual(ask().stdout, "weir: nothing used\n")
        for _ in range(2):
            self.admitted(client)
        line = ask()
        self.assertEqual((line.returncode, line.stderr), (0, ""))
        self.assertRegex(line.stdout, r"^m 2/5 a minute, 2/20 today(, resets \S.*)?\n$")
        self.assertEqual(ask("--max-width", "14").stdout, "m 2/5 a minute\n")
        self.assertEqual(ask("--max-width", "20", "--model", "other").stdout, "* 2/1000 today\n")
        wrong = ask("--project", "nowhere")
        self.assertEqual((wrong.returncode, wrong.stdout), (2, ""))
        self.assertIn("nowhere", wrong.stderr)

    def test_without_a_daemon_it_says_so_in_the_line(self) -> None:
        down = run_command(self.directory, "statusline", url="http://127.0.0.1:1")
        self.assertEqual((down.returncode, down.stdout, down.stderr), (3, "weir: down\n", ""))

    def test_one_that_does_not_answer_is_not_waited_for(self) -> None:
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"http://127.0.0.1:{silent.getsockname()[1]}"
            line = run_command(self.directory, "statusline", url=url)
        self.assertEqual((line.returncode, line.stderr), (3, ""))
        self.assertIn(line.stdout, ("weir: no answer\n", "weir: down\n"))


if __name__ == "__main__":
    unittest.main()
