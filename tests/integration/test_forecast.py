"""The forecast of the real daemon: from its calls, from past days, and unknown where it must be."""

from __future__ import annotations

import datetime
import unittest

from weirtest import TestCase, config, eventually, limit, run_command, utc

METRIC = "weir_quota_exhaustion_timestamp_seconds"
DAY = "m/requests/day"


class Forecast(TestCase):
    def setUp(self) -> None:
        super().setUp()
        self.clock = self.world()
        self.clock.freeze("2026-11-23T08:00:00Z")  # midnight in Los Angeles

    def calls(self, client, count: int, every_s: float) -> None:
        for _ in range(count):
            self.check(client.settle(self.admitted(client), status=200, usage={}), 200)
            self.clock.pass_time(every_s)

    def test_a_limit_that_runs_out_says_when_and_others_do_not(self) -> None:
        limits = limit(100, models='["m"]') + limit(9000) + limit(5, "in_flight", "")
        daemon = self.daemon(config(limits), world=self.clock)
        client = daemon.client()
        fresh = client.limit(DAY)
        self.assertEqual(
            (fresh["forecast"], fresh["pace_per_hour"], fresh["exhausts_at"]),
            ("unknown", None, None),
        )
        status = run_command(self.directory, "status", "--all", url=daemon.tcp)
        self.assertIn("unknown", status.stdout)

        self.calls(client, 30, every_s=60)
        state = client.limit(DAY)
        self.assertEqual(state["forecast"], "runs_out")
        self.assertAlmostEqual(state["pace_per_hour"], 60, delta=1)
        # 70 are left at one a minute.
        left = utc(state["exhausts_at"]) - self.clock.now()
        self.assertAlmostEqual(left.total_seconds() / 60, 70, delta=3)
        metrics = client.metrics()
        at = metrics.sum(METRIC, project="default", limit=DAY, metric="requests", window="day")
        self.assertAlmostEqual(at, utc(state["exhausts_at"]).timestamp(), delta=1)
        self.assertIn("in 1h ", run_command(self.directory, "status", url=daemon.tcp).stdout)

        all_models = client.limit("*/requests/day")
        self.assertEqual((all_models["forecast"], all_models["exhausts_at"]), ("lasts", None))
        self.assertFalse(metrics.has(METRIC, limit="*/requests/day"))
        open_calls = client.limit("*/in_flight")
        self.assertEqual((open_calls["forecast"], open_calls["pace_per_hour"]), ("none", None))

        self.clock.pass_time(10 * 3600)
        self.assertEqual(client.limit(DAY)["forecast"], "lasts", "the pause is long")
        self.assertFalse(client.metrics().has(METRIC), "nothing runs out")

    def test_a_used_up_limit_is_exhausted_now(self) -> None:
        client = self.daemon(config(limit(2, models='["m"]')), world=self.clock).client()
        self.calls(client, 2, every_s=0)
        state = client.limit(DAY)
        self.assertEqual(state["forecast"], "exhausted")
        self.assertEqual(utc(state["exhausts_at"]), self.clock.now())

    def test_past_days_are_remembered_over_a_restart(self) -> None:
        daemon = self.daemon(config(limit(100, models='["m"]')), world=self.clock)
        self.calls(daemon.client(), 72, every_s=3600)  # three days, one call an hour
        self.assertEqual(daemon.stop(), 0)
        self.clock.pass_time(3600)
        daemon.start()
        state = daemon.client().limit(DAY)
        self.assertEqual(state["pace_per_hour"], None, "it has only just begun to look")

        # A little later it has read of past days; for ten minutes there is still no pace.
        self.clock.pass_time(5)
        known = eventually(
            "past days are read",
            lambda: (now := daemon.client().limit(DAY))["forecast"] != "unknown" and now,
        )
        self.assertEqual((known["forecast"], known["pace_per_hour"]), ("lasts", None))

    def test_the_same_past_days_exhaust_a_smaller_limit(self) -> None:
        daemon = self.daemon(config(limit(1000, models='["m"]')), world=self.clock)
        client = daemon.client()
        for _ in range(2):  # two days: nothing until noon, then ten calls an hour
            self.clock.pass_time(12 * 3600)
            self.calls(client, 120, every_s=360)
        self.assertEqual(daemon.stop(), 0)
        daemon.config.write_text(daemon.config.read_text().replace("amount = 1000", "amount = 30"))
        daemon.start()
        self.clock.pass_time(5)
        state = eventually(
            "past days are read",
            lambda: (now := daemon.client().limit(DAY))["exhausts_at"] and now,
        )
        # Thirty calls after noon: at three o'clock in Los Angeles.
        three = datetime.datetime(2026, 11, 25, 23, 0, tzinfo=datetime.timezone.utc)
        off = utc(state["exhausts_at"]) - three
        self.assertAlmostEqual(off.total_seconds() / 60, 0, delta=15)


if __name__ == "__main__":
    unittest.main()
