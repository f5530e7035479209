"""The commands: exit codes, JSON, data on standard output and messages on standard error."""

from __future__ import annotations

import csv
import io
import json
import pathlib
import shutil
import sys
import unittest

from weirtest import TestCase, config, limit, run_command

COMMANDS = ("serve", "check-config", "check-key", "status", "usage", "admit", "catalog", "export", "simulate", "version")


class Offline(TestCase):
    """What needs no daemon."""

    def run_weir(self, *arguments: str, **options):
        return run_command(self.directory, *arguments, **options)

    def test_help_leads_with_examples_and_lists_every_command(self) -> None:
        result = self.run_weir("--help")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for command in COMMANDS:
            self.assertIn(command, result.stdout)
            help_of_it = self.run_weir(command, "--help")
            self.assertEqual((help_of_it.returncode, help_of_it.stderr), (0, ""), command)
            self.assertIn(
                "xample", help_of_it.stdout[:400], f"{command} --help leads with examples"
            )

    def test_wrong_usage_is_2_and_goes_to_standard_error(self) -> None:
        for arguments in (
            (),
            ("nonsense",),
            ("status", "--nonsense"),
            ("admit",),
            ("usage", "--bucket", "year"),
            ("serve", "--config"),
            ("export",),
            ("catalog", "--as-of", "someday"),
            ("usage", "--since", "x"),
        ):
            with self.subTest(arguments=arguments):
                result = self.run_weir(*arguments)
                self.assertEqual((result.returncode, result.stdout), (2, ""), result)
                self.assertTrue(result.stderr)

    def test_version_tells_version_and_libraries(self) -> None:
        result = self.run_weir("version")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        for word in ("0.1.0", "SQLite", "Boost"):
            self.assertIn(word.lower(), result.stdout.lower())

    def test_an_unreachable_daemon_is_3(self) -> None:
        for command in (("status",), ("usage",), ("admit", "--model", "m"), ("export", "calls")):
            for url in ("http://127.0.0.1:9", "unix:/nonexistent/weir.sock"):
                with self.subTest(command=command, url=url):
                    result = self.run_weir(*command, url=url)
                    self.assertEqual((result.returncode, result.stdout), (3, ""), result)
                    self.assertIn(url.split("//")[-1].removeprefix("unix:"), result.stderr)

    def test_a_good_configuration_is_0_and_a_bad_one_is_2_with_every_error_in_its_place(
        self,
    ) -> None:
        path = self.directory / "weir.toml"
        path.write_text(config(limit(5)).replace("DIR", str(self.directory)))
        self.assertEqual(self.run_weir("check-config", str(path)).returncode, 0)
        path.write_text(
            '[server]\nlisten = "127.0.0.1:0"\nlistne = []\n\n[ledger]\ndurability = "maybe"\n\n'
            '[[projects]]\nname = "p"\n'
            '  [[projects.limits]]\n  models = ["m"]\n  metric = "requets"\n'
            '  window = "5 parsecs"\n  amount = 5\n'
            '  [[projects.limits]]\n  models = ["m"]\n  metric = "requests"\n'
            '  window = "day"\n  amount = -1\n'
        )
        result = self.run_weir("check-config", str(path))
        self.assertEqual((result.returncode, result.stdout), (2, ""), result)
        for line in (2, 3, 6, 12, 13, 19):
            self.assertRegex(result.stderr, rf"(?m)^{path}:{line}:\d+: ")
        self.assertIn("listen", result.stderr.split(":3:")[1].split("\n")[0])
        self.assertIn('"requests"', result.stderr)
        serve = self.run_weir("serve", "--config", str(path))
        self.assertEqual(serve.returncode, 2)
        self.assertIn(f"{path}:3:", serve.stderr)

    def test_a_configuration_that_is_not_there_is_2(self) -> None:
        for command in (
            ("check-config", "nowhere.toml"),
            ("serve", "--config", "nowhere.toml"),
            ("check-config", "/"),
        ):
            result = self.run_weir(*command)
            self.assertEqual(result.returncode, 2, result)
            self.assertIn(command[-1], result.stderr)

    def test_the_catalog_is_printed_with_source_and_date(self) -> None:
        result = self.run_weir("catalog", "--provider", "gemini")
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn("gemini-2.5-flash", result.stdout)
        self.assertRegex(result.stdout, r"20\d\d-\d\d-\d\d")
        older = self.run_weir("catalog", "--provider", "gemini", "--as-of", "2025-11-01")
        self.assertEqual(older.returncode, 0)
        self.assertNotEqual(older.stdout, result.stdout)
        self.assertEqual(self.run_weir("catalog", "--provider", "nobody").returncode, 2)
        self.assertIsInstance(json.loads(self.run_weir("catalog", "--json").stdout), (dict, list))


class Online(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.running = self.daemon(
            config(limit(5, models='["m"]') + limit(1000, "input_tokens", "60s", models='["m"]'))
        )
        self.client = self.running.client()

    def run_weir(self, *arguments: str, **options):
        return run_command(self.directory, *arguments, **{"url": self.running.tcp} | options)

    def ok(self, *arguments: str, **options) -> str:
        result = self.run_weir(*arguments, **options)
        self.assertEqual(result.returncode, 0, result)
        return result.stdout

    def test_status_shows_every_limit_for_people_and_for_programs(self) -> None:
        self.admitted(self.client)
        text = self.ok("status")
        self.assertIn("m/requests/day", text.replace(" ", "/") + text)
        self.assertNotIn("\x1b", text, "no colour off a terminal")
        data = json.loads(self.ok("status", "--json"))
        self.assertEqual(
            {state["limit"] for state in data["limits"]}, {"m/requests/day", "m/input_tokens/60s"}
        )
        self.assertEqual(json.loads(self.ok("status", "--json", "--model", "other"))["limits"], [])
        self.assertEqual(
            json.loads(self.ok("status", "--json", url=self.running.unix)).keys(), data.keys()
        )
        self.ok("status", "--url", self.running.tcp, url="http://127.0.0.1:9")

    def test_what_the_daemon_calls_wrong_is_wrong_usage_said_once(self) -> None:
        unknown = 'no project is named "nowhere"'
        for command, said in (
            (("status", "--project", "nowhere"), unknown),
            (("status", "--json", "--project", "nowhere"), unknown),
            (("statusline", "--project", "nowhere"), unknown),
            (("top", "--once", "--project", "nowhere"), unknown),
            (("usage", "--tz", "Nowhere/Else"), "tz"),
            (("usage", "--csv", "--tz", "Nowhere/Else"), "tz"),
            (("admit", "--model", "m", "--project", "nowhere"), 'no project or pool is named "nowhere"'),
            (("admit", "--model", "m", "--wait", "61"), "/wait_s"),
        ):
            result = self.run_weir(*command)
            self.assertEqual((result.returncode, result.stdout), (2, ""), result)
            self.assertEqual(result.stderr.count(said), 1, result)

    def test_usage_shows_what_was_used(self) -> None:
        self.check(
            self.client.settle(
                self.admitted(self.client, consumer="chat"), status=200, usage={"input_tokens": 77}
            ),
            200,
        )
        self.assertIn("77", self.ok("usage"))
        (row,) = json.loads(self.ok("usage", "--by", "consumer", "--json"))["rows"]
        self.assertEqual((row["consumer"], row["input_tokens"]), ("chat", 77))
        (line,) = csv.DictReader(
            io.StringIO(self.ok("usage", "--csv", "--bucket", "day", "--since", "2020-01-01"))
        )
        self.assertEqual(line["input_tokens"], "77")

    def test_export_streams_calls(self) -> None:
        ids = [self.admitted(self.client) for _ in range(3)]
        lines = [json.loads(line) for line in self.ok("export", "calls").splitlines()]
        self.assertEqual([line["admission_id"] for line in lines], ids[::-1])
        rows = list(csv.DictReader(io.StringIO(self.ok("export", "calls", "--format", "csv"))))
        self.assertEqual([row["admission_id"] for row in rows], ids[::-1])
        self.assertEqual(self.ok("export", "calls", "--since", "2099-01-01"), "")

    def test_admit_prints_the_admission_and_a_denial_is_4(self) -> None:
        for _ in range(5):
            result = self.run_weir("admit", "--model", "m")
            self.assertEqual(result.returncode, 0, result)
            self.assertIn(self.client.calls()[0]["admission_id"], result.stdout)
        result = self.run_weir("admit", "--model", "m")
        self.assertEqual((result.returncode, result.stdout), (4, ""), result)
        self.assertIn("5 of 5", result.stderr)

    def test_admit_that_waits_in_vain_is_5(self) -> None:
        running = self.daemon(config(limit(1, "in_flight", "")))
        self.admitted(running.client())
        result = self.run_weir("admit", "--model", "m", "--wait", "1.5", url=running.tcp)
        self.assertEqual(result.returncode, 5, result)

    def test_admit_runs_a_command_and_settles_by_its_exit_code(self) -> None:
        self.assertEqual(self.ok("admit", "--model", "m", "--", "echo", "hello"), "hello\n")
        (call,) = self.client.calls()
        self.assertEqual((call["state"], call["status"]), ("settled", 200))
        result = self.run_weir(
            "admit", "--model", "m", "--", sys.executable, "-c", "import sys; sys.exit(7)"
        )
        self.assertEqual(result.returncode, 7)
        call = self.client.calls()[0]
        self.assertEqual(call["state"], "settled")
        self.assertGreaterEqual(call["status"], 500)

    def test_admit_does_not_run_a_denied_command(self) -> None:
        for _ in range(5):
            self.admitted(self.client)
        marker = self.directory / "ran"
        result = self.run_weir("admit", "--model", "m", "--", "touch", str(marker))
        self.assertEqual(result.returncode, 4)
        self.assertFalse(marker.exists())

    def test_admit_gives_the_charge_back_if_the_command_cannot_be_started(self) -> None:
        result = self.run_weir("admit", "--model", "m", "--", "/nonexistent/program")
        self.assertEqual(result.returncode, 127)
        self.assertEqual(
            self.client.limit("m/requests/day")["held"]
            + self.client.limit("m/requests/day")["used"],
            0,
        )
        self.assertEqual(self.client.calls()[0]["state"], "cancelled")


class Defaults(TestCase):
    def test_serve_without_a_configuration_finds_its_state_directory(self) -> None:
        # Port 8411 may be in use on this machine, so the address alone is configured.
        daemon = self.make('[server]\nlisten = ["127.0.0.1:0"]\n')
        daemon.config.write_text('[server]\nlisten = ["127.0.0.1:0"]\n')
        daemon.start()
        self.assertTrue((pathlib.Path(daemon.env["XDG_STATE_HOME"]) / "weir" / "weir.db").exists())
        self.admitted(daemon.client(), "gemini-2.5-flash")
        self.assertEqual(daemon.stop(), 0)
        del daemon.env["XDG_STATE_HOME"]
        daemon.start()
        self.assertTrue((daemon.directory / ".local/state/weir/weir.db").exists())
        self.assertEqual(daemon.stop(), 0)
        shutil.rmtree(daemon.directory / ".local")
        state = daemon.directory / "given"
        state.mkdir()
        daemon.env["STATE_DIRECTORY"] = str(state)
        daemon.start()
        self.assertTrue((state / "weir.db").exists())


if __name__ == "__main__":
    unittest.main()
