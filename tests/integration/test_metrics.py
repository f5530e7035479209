"""/metrics: clean for promtool, moving as calls do, bounded."""

from __future__ import annotations

import pathlib
import re
import shutil
import subprocess
import unittest

from weirtest import TestCase, config, eventually, limit, scaled

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
COUNTERS = (
    "weir_calls_total",
    "weir_tokens_total",
    "weir_cost_usd_total",
    "weir_admissions_total",
    "weir_upstream_responses_total",
    "weir_over_admissions_total",
    "weir_observations_total",
    "weir_ledger_failures_total",
)
GAUGES = (
    "weir_quota_limit",
    "weir_quota_used",
    "weir_quota_held",
    "weir_quota_reset_timestamp_seconds",
    "weir_queue_waiting",
    "weir_ledger_backlog",
    "weir_config_last_reload_successful",
    "weir_config_last_reload_success_timestamp_seconds",
    "weir_build_info",
)
HISTOGRAMS = (
    "weir_admission_wait_seconds",
    "weir_estimate_error_ratio",
    "weir_ledger_commit_seconds",
)
PROCESS = (
    "process_cpu_seconds_total",
    "process_resident_memory_bytes",
    "process_virtual_memory_bytes",
    "process_open_fds",
    "process_max_fds",
    "process_start_time_seconds",
)


class Scrape(TestCase):
    def test_promtool_has_nothing_to_say(self) -> None:
        client = self.daemon(config(limit(3) + limit(10**6, "input_tokens"))).client()
        ids = [
            self.admitted(client, 'odd "model"\\', consumer="é", input_tokens=5) for _ in range(3)
        ]
        self.check_problem(client.admit(), 429)
        self.check(client.settle(ids[0], status=200, usage={"input_tokens": 5}), 200)
        answer = client.get("/metrics")
        self.assertEqual(
            answer.headers["Content-Type"], "text/plain; version=0.0.4; charset=utf-8"
        )
        if not shutil.which("promtool"):
            self.skipTest("promtool is not installed (Debian: prometheus)")
        result = subprocess.run(
            ["promtool", "check", "metrics"], input=answer.body, capture_output=True, check=False
        )
        self.assertEqual((result.returncode, result.stdout + result.stderr), (0, b""))

    def test_the_page_of_metrics_lists_what_is_served(self) -> None:
        served = self.daemon(config(limit(3))).client().get("/metrics").text
        page = (REPOSITORY / "docs/metrics.md").read_text(encoding="utf-8")
        self.assertEqual(
            sorted(re.findall(r"^\| `(\w+)` \|", page, re.M)),
            sorted(re.findall(r"^# HELP (\S+) ", served, re.M)),
        )

    def test_every_metric_is_there_before_the_first_call(self) -> None:
        answer = self.daemon(config(limit(3, models='["m"]'))).client().get("/metrics")
        types = dict(re.findall(r"^# TYPE (\S+) (\S+)$", answer.text, re.M))
        for names, kind in ((COUNTERS, "counter"), (GAUGES, "gauge"), (HISTOGRAMS, "histogram")):
            for name in names:
                self.assertEqual(types.get(name), kind, name)
        for name in PROCESS:
            self.assertIn(name, types)
        for name in types:
            self.assertIn(f"# HELP {name} ", answer.text)

    def test_refusals_are_counted_from_zero_so_that_the_first_one_shows_as_an_increase(self) -> None:
        client = self.daemon(config(limit(4, models='["m"]'))).client()
        metrics = client.metrics()
        self.assertEqual(metrics.sum("weir_over_admissions_total", limit="m/requests/day"), 0)
        page = (REPOSITORY / "docs/learning.md").read_text(encoding="utf-8")
        told = set(re.findall(r"^\|.*\| `(\w+)` \|$", page, re.M))
        counted = metrics.samples.get("weir_observations_total", [])
        self.assertEqual({have["kind"]: value for have, value in counted}, dict.fromkeys(told, 0))
        self.admitted(client)
        self.assertEqual(client.metrics().sum("weir_upstream_responses_total", model="m", code="429"), 0)

    def test_counters_move_as_calls_do(self) -> None:
        client = self.daemon(
            config(limit(4, models='["m"]') + limit(10**6, "input_tokens"))
        ).client()
        ids = [self.admitted(client, consumer="chat", input_tokens=50) for _ in range(4)]
        for _ in range(3):
            self.check_problem(client.admit(consumer="chat"), 429)
        usage = {
            "input_tokens": 100,
            "cached_input_tokens": 30,
            "output_tokens": 40,
            "thoughts_tokens": 7,
            "tool_use_tokens": 3,
        }
        self.check(client.settle(ids[0], status=200, usage=usage), 200)
        self.check(client.settle(ids[1], status=500, usage={}), 200)
        self.check(client.delete(f"/v1/admissions/{ids[2]}"), 204)
        metrics = client.metrics()
        who = {"project": "default", "model": "m", "consumer": "chat"}
        self.assertEqual(metrics.sum("weir_calls_total", **who, status="200"), 1)
        self.assertEqual(metrics.sum("weir_calls_total", **who, status="500"), 1)
        parts = {
            kind: metrics.sum("weir_tokens_total", **who, type=kind)
            for kind in ("input", "cached_input", "output", "thoughts", "tool_use")
        }
        self.assertEqual(
            parts, {"input": 70, "cached_input": 30, "output": 40, "thoughts": 7, "tool_use": 3}
        )
        self.assertEqual(
            metrics.label_values("weir_tokens_total", "type"),
            set(parts),
            "no total beside its parts",
        )
        decisions = {
            decision: metrics.sum("weir_admissions_total", decision=decision)
            for decision in ("admitted", "denied", "cancelled", "timed_out", "expired")
        }
        self.assertEqual(
            decisions, {"admitted": 4, "denied": 3, "cancelled": 1, "timed_out": 0, "expired": 0}
        )
        self.assertEqual(
            metrics.sum("weir_admissions_total", decision="denied", limit="m/requests/day"), 3
        )
        labels = {
            "project": "default",
            "limit": "m/requests/day",
            "metric": "requests",
            "window": "day",
        }
        self.assertEqual(metrics.sum("weir_quota_limit", **labels), 4)
        self.assertEqual(metrics.sum("weir_quota_used", **labels), 2)
        self.assertEqual(metrics.sum("weir_quota_held", **labels), 1)
        self.assertGreater(metrics.sum("weir_quota_reset_timestamp_seconds", **labels), 1.7e9)
        self.assertEqual(
            metrics.sum("weir_admission_wait_seconds_count"), 0, "of those that waited"
        )
        self.assertGreaterEqual(metrics.sum("weir_ledger_commit_seconds_count"), 1)
        eventually("denials are written too", lambda: client.metrics().sum("weir_ledger_backlog") == 0)
        self.assertEqual(client.metrics().sum("weir_ledger_failures_total"), 0)
        self.assertEqual(metrics.sum("weir_build_info"), 1)
        self.assertEqual(metrics.label_values("weir_build_info", "version"), {"0.1.0"})

    def test_an_expired_call_shows(self) -> None:
        client = self.daemon(config(limit(4))).client()
        self.admitted(client, lease_s=1)
        eventually(
            "the lease ends",
            lambda: client.metrics().sum("weir_admissions_total", decision="expired") == 1,
        )
        self.assertEqual(client.limit("*/requests/day")["used"], 1)

    def test_counters_only_ever_grow_and_buckets_add_up(self) -> None:
        client = self.daemon(config(limit(10**6))).client()
        before = client.metrics()
        for _ in range(20):
            self.check(
                client.settle(self.admitted(client), status=200, usage={"input_tokens": 3}), 200
            )
            after = client.metrics()
            for name, samples in before.samples.items():
                if not name.endswith(("_total", "_count", "_bucket")):
                    continue
                for labels, value in samples:
                    self.assertGreaterEqual(after.sum(name, **labels), value, name)
            before = after
        for name in HISTOGRAMS:
            if before.has(f"{name}_count"):
                self.assertEqual(
                    before.sum(f"{name}_bucket", le="+Inf"), before.sum(f"{name}_count")
                )

    def test_names_that_callers_choose_are_bounded(self) -> None:
        client = self.daemon(config(limit(10**9))).client()
        count = scaled(3000, 1500)
        for number in range(count):
            answer = client.admit(f"model-{number}", consumer=f"consumer-{number}", lease_s=3600)
            self.check(answer, 201)
        metrics = client.metrics()
        self.assertIn("other", metrics.label_values("weir_admissions_total", "model"))
        self.assertIn("other", metrics.label_values("weir_calls_total", "consumer"))
        self.assertLess(len(client.get("/metrics").body), 3_000_000)
        self.assertEqual(
            metrics.sum("weir_admissions_total", decision="admitted"), count, "nothing is lost"
        )
        self.assertEqual(client.limit("*/requests/day")["held"], count)

    def test_a_scrape_goes_over_the_unix_socket_too_and_does_not_count_itself_as_a_call(
        self,
    ) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        for _ in range(10):
            client.metrics()
        self.assertFalse(
            client.metrics().has("weir_calls_total", status="200")
            and client.metrics().sum("weir_calls_total") > 0
        )


if __name__ == "__main__":
    unittest.main()
