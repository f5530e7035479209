"""Days and minutes, with clocks that the test holds: every instant is exact."""

from __future__ import annotations

import datetime
import unittest

from weirtest import TestCase, config, eventually, limit, rfc3339, utc

GUARD = datetime.timedelta(seconds=0.25)
TICK = datetime.timedelta(milliseconds=50)
SECOND = datetime.timedelta(seconds=1)
HOUR = datetime.timedelta(hours=1)
# Local days in Los Angeles that are 23 and 25 hours long, and a plain one.
DAYS = {
    "spring": (utc("2026-03-08T08:00:00Z"), utc("2026-03-09T07:00:00Z")),
    "autumn": (utc("2026-11-01T07:00:00Z"), utc("2026-11-02T08:00:00Z")),
    "plain": (utc("2026-11-22T08:00:00Z"), utc("2026-11-23T08:00:00Z")),
}
DAY = "*/requests/day"


class Days(TestCase):
    def walk_through(self, begin: datetime.datetime, end: datetime.datetime, zone: str) -> None:
        """Uses up the day before `begin`, then the day itself; looks at each border closely."""
        world = self.world()
        world.freeze(begin - HOUR)
        daemon = self.daemon(config(limit(5)), env={"TZ": zone}, world=world)
        client = daemon.client()

        def use_up(resets_at: datetime.datetime) -> None:
            for _ in range(5):
                admission_id = self.admitted(client)
                self.check(client.settle(admission_id, status=200, usage={"input_tokens": 1}), 200)
            self.full(client, resets_at)

        def first_room(around: datetime.datetime) -> datetime.datetime:
            """When the first call is let through; the call is taken back."""
            world.move_to(around - SECOND)
            while world.now() < around + SECOND:
                answer = client.admit()
                if answer.status == 201:
                    self.check(client.delete(f"/v1/admissions/{answer.json['admission_id']}"), 204)
                    return world.now()
                self.check_problem(answer, 429)
                world.pass_time(TICK.total_seconds())
            raise AssertionError(f"no room a second after {around}")

        use_up(begin)
        self.assert_just_after(first_room(begin), begin)
        world.move_to(begin + SECOND)
        self.assertEqual(client.limit(DAY)["used"], 0)
        use_up(end)
        while (
            world.now() + HOUR < end
        ):  # not at any hour in between, be it midnight somewhere else
            world.pass_time(HOUR.total_seconds())
            self.full(client, end)
        self.assert_just_after(first_room(end), end)
        world.move_to(end + SECOND)
        self.assertEqual(client.limit(DAY)["used"], 0)
        # A restart finds the same days.
        use_up(end + datetime.timedelta(days=1))
        daemon.restart()
        client = daemon.client()
        self.full(client, end + datetime.timedelta(days=1))

    def full(self, client, resets_at: datetime.datetime) -> None:
        problem = self.check_problem(client.admit(), 429)
        self.assert_just_after(utc(problem["retry_at"]), resets_at)
        state = client.limit(DAY)
        self.assertEqual((state["used"], state["held"], state["remaining"]), (5, 0, 0))
        self.assertEqual(utc(state["resets_at"]), resets_at)

    def assert_just_after(self, at: datetime.datetime, border: datetime.datetime) -> None:
        """The call must not be counted by an upstream whose clock is behind by the guard."""
        self.assertGreaterEqual(at, border)
        self.assertLessEqual(at, border + 2 * GUARD)

    def test_days_end_at_pacific_midnight_in_spring_whatever_tz_says(self) -> None:
        for zone in ("Asia/Tokyo", "UTC", "America/New_York"):
            with self.subTest(TZ=zone):
                self.walk_through(*DAYS["spring"], zone)

    def test_days_end_at_pacific_midnight_in_autumn_whatever_tz_says(self) -> None:
        for zone in ("Asia/Tokyo", "UTC", "America/New_York"):
            with self.subTest(TZ=zone):
                self.walk_through(*DAYS["autumn"], zone)

    def test_days_end_at_pacific_midnight_on_a_plain_day(self) -> None:
        self.walk_through(*DAYS["plain"], "Australia/Lord_Howe")

    def test_a_call_around_midnight_counts_in_both_days(self) -> None:
        begin = DAYS["plain"][0]
        world = self.world()
        world.freeze(begin - GUARD / 2)
        client = self.daemon(config(limit(5)), world=world).client()
        across = self.admitted(client)
        world.move_to(begin + SECOND)
        self.assertEqual(client.limit(DAY)["held"], 1)  # in flight over midnight
        self.check(client.settle(across, status=200, usage={}), 200)
        self.assertEqual(client.limit(DAY)["used"], 1)  # upstream may have counted it today

    def test_a_lease_that_ends_after_midnight_counts_in_both_days_until_it_is_settled(
        self,
    ) -> None:
        begin = DAYS["plain"][0]
        world = self.world()
        world.freeze(begin - 10 * SECOND)
        daemon = self.daemon(config(limit(5)), world=world)
        client = daemon.client()
        admission_id = self.admitted(client, lease_s=60)
        world.pass_time(100)
        eventually("the lease ends", lambda: client.calls()[0]["state"] == "expired")
        for _ in range(2):
            self.assertEqual(client.limit(DAY)["used"], 1)
            daemon.restart()
            client = daemon.client()
        sent_at = rfc3339(begin - 9 * SECOND)
        settled = client.settle(admission_id, status=200, usage={}, sent_at=sent_at)
        self.check(settled, 200)
        for _ in range(2):  # it was yesterday's call, and never today's
            self.assertEqual(client.limit(DAY)["used"], 0)
            daemon.restart()
            client = daemon.client()

    def test_usage_reports_cut_their_days_at_pacific_midnight_too(self) -> None:
        begin, end = DAYS["autumn"]
        world = self.world()
        world.freeze(begin - SECOND * 10)
        client = self.daemon(config(limit(100)), env={"TZ": "Asia/Tokyo"}, world=world).client()
        for at, calls in (
            (begin - 10 * SECOND, 1),
            (begin + 10 * SECOND, 2),
            (end - 10 * SECOND, 3),
            (end + 10 * SECOND, 4),
        ):
            world.move_to(at)
            for _ in range(calls):
                self.check(
                    client.settle(self.admitted(client), status=200, usage={"input_tokens": 10}),
                    200,
                )
        rows = self.check(client.get("/v1/usage?by=project&bucket=day"), 200)["rows"]
        by_day = {row["bucket_start"]: row["calls"] for row in rows}
        self.assertEqual(
            by_day, {rfc3339(begin - 24 * HOUR): 1, rfc3339(begin): 5, rfc3339(end): 4}
        )
        rows = self.check(client.get("/v1/usage?by=project&bucket=day&tz=UTC"), 200)["rows"]
        self.assertEqual(
            {row["bucket_start"]: row["calls"] for row in rows},
            {"2026-11-01T00:00:00.000Z": 3, "2026-11-02T00:00:00.000Z": 7},
        )

    def test_weeks_and_months_end_in_their_zone(self) -> None:
        world = self.world()
        world.freeze("2026-11-01T12:00:00Z")  # a Sunday
        client = self.daemon(
            config(
                limit(5, window="week", more='time_zone = "Asia/Tokyo"') + limit(9, window="month")
            ),
            world=world,
        ).client()
        self.assertEqual(client.limit("*/requests/week")["resets_at"], "2026-11-01T15:00:00.000Z")
        self.assertEqual(client.limit("*/requests/month")["resets_at"], "2026-12-01T08:00:00.000Z")


class Steps(TestCase):
    MINUTE = "*/requests/60s"

    def used_up(self, hours: float):
        world = self.world()
        world.freeze("2026-11-22T20:00:00Z")
        daemon = self.daemon(
            config(limit(3, window="60s") + limit(100, window="day")), world=world
        )
        client = daemon.client()
        for _ in range(3):
            self.check(client.settle(self.admitted(client), status=200, usage={}), 200)
        self.check_problem(client.admit(), 429)
        world.step_wall(hours * 3600)
        return world, daemon, client

    def test_a_wall_clock_set_forward_frees_no_minute(self) -> None:
        for hours in (1, -1):
            for restart in (False, True):
                with self.subTest(hours=hours, restart=restart):
                    world, daemon, client = self.used_up(hours)
                    if restart:
                        daemon.restart()
                        client = daemon.client()
                    self.check_problem(client.admit(), 429)
                    self.assertEqual(client.limit(self.MINUTE)["used"], 3)
                    world.pass_time(59)
                    self.check_problem(client.admit(), 429)
                    world.pass_time(2)  # one window, the guard and a bucket
                    self.admitted(client)
                    self.assertEqual(client.limit(self.MINUTE)["used"], 0)

    def test_a_lease_ends_by_the_boot_clock(self) -> None:
        world = self.world()
        world.freeze("2026-11-22T20:00:00Z")
        client = self.daemon(config(limit(3, window="60s")), world=world).client()
        admission_id = self.admitted(client, lease_s=120)
        world.step_wall(3600)
        world.pass_time(60)
        self.check(client.settle(admission_id, status=200, usage={}), 200)
        self.assertEqual(client.calls()[0]["state"], "settled")

    def test_a_minute_is_used_to_its_end_and_not_longer(self) -> None:
        world = self.world()
        world.freeze("2026-11-22T20:00:00Z")
        client = self.daemon(config(limit(3, window="60s")), world=world).client()
        for _ in range(3):
            self.check(client.settle(self.admitted(client), status=200, usage={}), 200)
            world.pass_time(1)
        retry_at = utc(self.check_problem(client.admit(), 429)["retry_at"])
        self.assertGreaterEqual(retry_at, utc("2026-11-22T20:01:00.250Z"))
        self.assertLess(retry_at, utc("2026-11-22T20:01:00.600Z"))  # the guard and one bucket
        world.move_to(retry_at - datetime.timedelta(milliseconds=1))
        self.check_problem(client.admit(), 429)
        world.move_to(retry_at + datetime.timedelta(milliseconds=1))  # answers have milliseconds
        self.admitted(client)
        self.check_problem(client.admit(), 429)

    def test_clocks_that_stand_still_or_go_back_give_every_call_an_id_of_its_own(self) -> None:
        world = self.world()
        world.freeze("2026-11-22T20:00:00Z")
        daemon = self.daemon(config(limit(1000)), world=world)
        client = daemon.client()
        ids = [self.admitted(client, lease_s=3600) for _ in range(50)]
        world.step_wall(-7200)
        ids += [self.admitted(client, lease_s=3600) for _ in range(50)]
        daemon.restart()
        client = daemon.client()
        ids += [self.admitted(client, lease_s=3600) for _ in range(50)]
        self.assertEqual(len(set(ids)), 150)
        self.assertEqual([call["admission_id"] for call in client.calls()], ids[::-1])
        self.assertEqual(client.limit(DAY)["held"], 150)


if __name__ == "__main__":
    unittest.main()
