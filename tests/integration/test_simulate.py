"""weir simulate: a trace in, decisions out, without a daemon."""

from __future__ import annotations

import json
import unittest
from typing import Any

from weirtest import TestCase, config, limit, run_command

TWO_A_MINUTE = limit(2, "requests", "60s") + limit(100, "input_tokens", "60s")


class Simulate(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.trace = self.directory / "trace.ndjson"
        self.configuration = self.directory / "weir.toml"
        self.configure(TWO_A_MINUTE)

    def configure(self, limits: str, **more: str) -> None:
        self.configuration.write_text(
            config(limits, **more).replace("DIR", str(self.directory))
        )

    def write(self, *arrivals: dict[str, Any]) -> None:
        self.trace.write_text("".join(json.dumps({"model": "m"} | a) + "\n" for a in arrivals))

    def simulate(self, *arguments: str, stdin: str | None = None):
        return run_command(
            self.directory,
            "simulate",
            "--trace",
            "-" if stdin is not None else str(self.trace),
            "--config",
            str(self.configuration),
            *arguments,
            stdin=stdin,
        )

    def decisions(self, *arguments: str) -> list[dict[str, Any]]:
        result = self.simulate(*arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return [json.loads(line) for line in result.stdout.splitlines()]

    def totals(self, *arguments: str) -> dict[str, Any]:
        result = self.simulate("--summary", "--json", *arguments)
        self.assertEqual((result.returncode, result.stderr), (0, ""), result)
        return json.loads(result.stdout)

    def test_decisions_come_in_the_order_in_which_they_fall(self) -> None:
        self.write(
            {"at": 0, "id": "a"},
            {"at": 1.5, "id": "b"},
            {"at": 2, "id": "waits", "wait_s": 60},
            {"at": 3, "id": "too much", "input_tokens": 101},
        )
        decisions = self.decisions()
        self.assertEqual([d["id"] for d in decisions], ["a", "b", "too much", "waits"])
        self.assertEqual(
            decisions[0],
            {"id": "a", "decision": "admitted", "at": 0.0, "decided_at": 0.0, "limit": None},
        )
        self.assertEqual(
            (decisions[2]["decision"], decisions[2]["limit"]), ("denied", "*/input_tokens/60s")
        )
        waited = decisions[3]
        self.assertEqual((waited["decision"], waited["at"]), ("admitted", 2.0))
        # Sent at 0, counted within the guard of 0.25 s, in steps of 60/256 s.
        self.assertGreaterEqual(waited["decided_at"], 60.25)
        self.assertLessEqual(waited["decided_at"], 60.25 + 60 / 256 + 0.001)

    def test_the_same_trace_gives_the_same_bytes_from_a_file_and_from_standard_input(self) -> None:
        self.write(
            *(
                {"at": i * 0.7, "latency_s": i % 5, "wait_s": i * 7 % 60, "input_tokens": i % 90}
                for i in range(500)
            )
        )
        first = self.simulate("--upstream", "bucket", "--jitter", "1")
        self.assertEqual(first.returncode, 0, first)
        self.assertEqual(len(first.stdout.splitlines()), 500)
        again = self.simulate("--upstream", "bucket", "--jitter", "1")
        self.assertEqual(first.stdout, again.stdout)
        piped = self.simulate(
            "--upstream", "bucket", "--jitter", "1", stdin=self.trace.read_text()
        )
        self.assertEqual(first.stdout, piped.stdout)

    def test_the_summary_adds_up(self) -> None:
        self.write(*({"at": i, "id": str(i), "wait_s": 20 * (i % 2)} for i in range(90)))
        totals = self.totals()
        self.assertEqual(totals["arrivals"], 90)
        self.assertEqual(totals["admitted"] + totals["denied"] + totals["timed_out"], 90)
        decided = [d["decision"] for d in self.decisions()]
        for decision in ("admitted", "denied", "timed_out"):
            self.assertEqual(totals[decision], decided.count(decision))
        (requests,) = totals["limits"]  # no tokens were used
        self.assertEqual(requests["used"], totals["admitted"])
        self.assertEqual((requests["fullest"], requests["amount"]), (2, 2))
        self.assertLessEqual(requests["share"], 1)
        text = self.simulate("--summary").stdout
        self.assertIn("90  calls arrived", text)
        self.assertIn("*/requests/60s", text)

    def test_a_modelled_provider_refuses_nothing_within_the_guard_and_is_learned_from_beyond(
        self,
    ) -> None:
        self.write(*({"at": i, "wait_s": 60} for i in range(1800)))
        for kind in ("sliding", "minute:0", "minute:17.5", "bucket"):
            with self.subTest(kind=kind):
                totals = self.totals("--upstream", kind, "--jitter", "0.25")
                self.assertEqual(totals["upstream"]["refused"], 0)
                self.assertEqual(totals["upstream"]["calls"], totals["admitted"])
        late = self.totals("--upstream", "sliding", "--jitter", "20")
        self.assertGreater(late["upstream"]["refused"], 0)
        refused = sum(one["refused_upstream"] for one in late["limits"])
        self.assertEqual(refused, late["upstream"]["refused"])
        self.assertNotEqual(
            late, self.totals("--upstream", "sliding", "--jitter", "20", "--seed", "2")
        )

    def test_start_sets_the_wall_clock(self) -> None:
        self.configure(limit(1, "requests", "day", more='time_zone = "UTC"'))
        self.write({"at": 0}, {"at": 3700})
        for start, second in (
            ("2026-11-22T23:00:00Z", "admitted"),
            ("2026-11-22T22:00:00Z", "denied"),
            ("2026-11-22", "denied"),
        ):
            with self.subTest(start=start):
                decisions = self.decisions("--start", start)
                self.assertEqual([d["decision"] for d in decisions], ["admitted", second])

    def test_a_wrong_line_is_told_with_its_place_and_ends_the_run(self) -> None:
        good = '{"at":1,"model":"m"}\n'
        for line, message in (
            ('{"at":2,"modle":"m"}', 'unknown field "modle" (did you mean "model"?)'),
            ('{"at":0,"model":"m"}', "at is 0, but the line before has 1"),
            ('{"at":2,"model":"m","wait_s":3600}', "queue.max_wait_s"),
            ('{"at":2,"model":"m","project":"defualt"}', '(did you mean "default"?)'),
            ("nonsense", "is not JSON"),
        ):
            with self.subTest(line=line):
                self.trace.write_text(good + line + "\n" + good)
                result = self.simulate()
                self.assertEqual(result.returncode, 2, result)
                self.assertTrue(result.stderr.startswith(f"{self.trace}:2: "), result.stderr)
                self.assertIn(message, result.stderr)
                self.assertEqual(len(result.stderr.splitlines()), 1)
                self.assertEqual(len(result.stdout.splitlines()), 1)
                piped = self.simulate("--summary", stdin=good + line + "\n")
                self.assertEqual((piped.returncode, piped.stdout), (2, ""))
                self.assertTrue(piped.stderr.startswith("stdin:2: "), piped.stderr)

    def test_wrong_usage_is_2(self) -> None:
        self.write({"at": 0})
        for arguments in (
            ("--upstream", "slidng"),
            ("--upstream", "minute:x"),
            ("--upstream", "bucket:5"),
            ("--jitter", "1"),
            ("--upstream", "sliding", "--jitter", "-1"),
            ("--json",),
            ("--start", "someday"),
        ):
            with self.subTest(arguments=arguments):
                result = self.simulate(*arguments)
                self.assertEqual((result.returncode, result.stdout), (2, ""), result)
                self.assertTrue(result.stderr)
        self.trace.unlink()
        result = self.simulate()
        self.assertEqual(result.returncode, 2)
        self.assertIn(str(self.trace), result.stderr)

    def test_an_empty_trace_is_no_error(self) -> None:
        self.trace.write_text("\n")
        self.assertEqual(self.decisions(), [])
        self.assertEqual(self.totals()["arrivals"], 0)


if __name__ == "__main__":
    unittest.main()
