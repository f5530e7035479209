"""The configuration is read again while the daemon runs: all of it or nothing, and nothing else changes."""

from __future__ import annotations

import json
import pathlib
import re
import signal
import threading
import unittest

from proxytest import BODY, GENERATE, KEY, LIMITS, REPLY, STREAM, USAGE, ProxyCase, event
from test_events import Stream
from test_waiting import Asking
from upstreamtest import Peer, Request, Upstream
from weirtest import (
    SANITIZER_RUNTIME,
    Answer,
    Client,
    Daemon,
    TestCase,
    config,
    eventually,
    limit,
    raw_connection,
    run_command,
    scaled,
    threads,
)


def rewrite(daemon: Daemon, text: str) -> None:
    daemon.config.write_text(text.replace("DIR", str(daemon.directory)))


def reload(daemon: Daemon, text: str, client: Client | None = None) -> Answer:
    rewrite(daemon, text)
    return (client or daemon.client()).post("/v1/reload", b"")


class Reload(TestCase):
    def test_a_changed_limit_keeps_its_usage_and_a_new_one_counts_what_was_before_it(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        for _ in range(2):
            admission = self.admitted(client, input_tokens=100)
            self.check(client.settle(admission, status=200, usage={"input_tokens": 90}), 200)
        self.admitted(client, input_tokens=100)

        answer = self.check(
            reload(daemon, config(limit(3) + limit(1000, "input_tokens", "10m")), client), 200
        )
        self.assertEqual(
            answer["changes"],
            [
                "limit */requests/day of project default: 5 -> 3",
                "limit */input_tokens/10m of project default: added, 1000",
            ],
        )
        day = client.limit("*/requests/day")
        self.assertEqual((day["amount"], day["used"], day["held"]), (3, 2, 1))
        tokens = client.limit("*/input_tokens/10m")
        self.assertEqual((tokens["used"], tokens["held"]), (180, 100))
        self.check_problem(client.admit(), 429)
        # And so does the ledger see it.
        before = client.get("/v1/quota").json["limits"]
        daemon.restart()
        after = daemon.client().get("/v1/quota").json["limits"]
        self.assertEqual(
            [(each["limit"], each["used"], each["held"]) for each in before],
            [(each["limit"], each["used"], each["held"]) for each in after],
        )

    def test_a_bad_file_changes_nothing_and_says_why(self) -> None:
        good = config(limit(5), server='allowed_hosts = ["a.example"]')
        daemon = self.daemon(good)
        client = daemon.client()
        bad = good.replace("amount = 5", "amount = 7\nwindov = 1").replace("a.example", "b.example")
        problem = self.check_problem(reload(daemon, bad + "\n[bogus]\n", client), 422)
        self.assertEqual(problem["type"], "urn:weir:problem:bad-configuration")
        texts = [error["detail"] for error in problem["errors"]]
        self.assertEqual(len(texts), 2, texts)
        for text in texts:
            self.assertRegex(text, r"weir\.toml:\d+:\d+: ")
        self.assertIn("windov", "".join(texts))
        self.assertEqual(client.limit("*/requests/day")["amount"], 5)
        self.assertEqual(client.get("/livez", {"Host": "a.example"}).status, 200)
        self.assertEqual(client.get("/livez", {"Host": "b.example"}).status, 403)
        metrics = client.metrics()
        self.assertEqual(metrics.sum("weir_config_last_reload_successful"), 0)
        since = metrics.sum("weir_config_last_reload_success_timestamp_seconds")
        daemon.config.unlink()
        self.check_problem(client.post("/v1/reload", b""), 422)
        self.check(reload(daemon, good.replace("a.example", "b.example"), client), 200)
        metrics = client.metrics()
        self.assertEqual(metrics.sum("weir_config_last_reload_successful"), 1)
        self.assertGreater(
            metrics.sum("weir_config_last_reload_success_timestamp_seconds"), since
        )
        self.assertEqual(client.get("/livez", {"Host": "b.example"}).status, 200)
        self.assertEqual(client.get("/livez", {"Host": "a.example"}).status, 403)

    def test_the_command_shows_what_changed_and_fails_for_a_bad_file(self) -> None:
        daemon = self.daemon(config(limit(5)))
        rewrite(daemon, config(limit(6), queue="max_waiting = 3"))
        done = run_command(daemon.directory, "reload", url=daemon.tcp)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(
            done.stdout.splitlines(),
            ["limit */requests/day of project default: 5 -> 6", "[queue]: changed"],
        )
        done = run_command(daemon.directory, "reload", "--json", url=daemon.unix)
        self.assertEqual(json.loads(done.stdout)["changes"], [])
        rewrite(daemon, config(limit(-6)))
        done = run_command(daemon.directory, "reload", url=daemon.tcp)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertRegex(done.stderr, r"weir\.toml:\d+:\d+: ")
        rewrite(daemon, config(limit(-6)) + "\nbogus = 1\n")
        done = run_command(daemon.directory, "reload", url=daemon.tcp)
        self.assertEqual(done.returncode, 2)
        self.assertRegex(
            done.stderr, r"has 2 errors\n  /.*weir\.toml:\d+:\d+: .*\n  /.*weir\.toml:\d+:\d+: "
        )
        daemon.stop()
        self.assertEqual(
            run_command(daemon.directory, "reload", url=daemon.tcp).returncode, 3
        )

    def test_what_cannot_change_is_told_and_stays(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        text = config(limit(5), listen='["127.0.0.1:0"]', ledger="retention_days = 5").replace(
            "weir.db", "other.db"
        )
        warnings = self.check(reload(daemon, text, client), 200)["warnings"]
        self.assertEqual(len(warnings), 3, warnings)
        for each in warnings:
            self.assertIn("next start", each)
        self.check(Client(daemon.unix).get("/v1/quota"), 200)
        self.assertFalse((daemon.directory / "other.db").exists())
        # Still so: it is not forgotten with the next one.
        self.assertEqual(len(self.check(reload(daemon, text, client), 200)["warnings"]), 3)

    def test_waiting_calls_are_decided_anew(self) -> None:
        daemon = self.daemon(config(limit(1, "in_flight", "")))
        client = daemon.client()
        self.admitted(client)
        waiting = [Asking(daemon, wait_s=60) for _ in range(3)]
        eventually("they wait", lambda: client.metrics().sum("weir_queue_waiting") == 3)
        self.check(reload(daemon, config(limit(3, "in_flight", "")), client), 200)
        eventually(
            "two are let in", lambda: sum(each.answer is not None for each in waiting) == 2
        )
        self.assertEqual(client.metrics().sum("weir_queue_waiting"), 1)
        text = config(limit(3, "in_flight", "")).replace('name = "default"', 'name = "other"')
        self.check(reload(daemon, text, client), 200)
        self.assertEqual(
            sorted(each.result().status for each in waiting),
            [201, 201, 404],
            "the project of the last one has gone",
        )

    def test_open_admissions_of_a_removed_project_are_settled_and_its_history_stays(self) -> None:
        gone = f'[[projects]]\nname = "gone"\nuse_catalog = false\n{limit(5)}'
        daemon = self.daemon(config(limit(5), more=gone))
        client = daemon.client()
        first = self.admitted(client, project="gone")
        second = self.admitted(client, project="gone")
        answer = self.check(reload(daemon, config(limit(5)), client), 200)
        self.assertEqual(answer["changes"], ["project gone: removed"])
        self.check_problem(client.admit(project="gone"), 404)
        self.assertFalse(client.metrics().has("weir_quota_limit", project="gone"))
        settled = self.check(client.settle(first, status=200, usage={"input_tokens": 3}), 200)
        self.assertEqual((settled["project"], settled["usage"]["input_tokens"]), ("gone", 3))
        self.check(client.delete(f"/v1/admissions/{second}"), 204)
        rows = client.get("/v1/usage?by=project").json["rows"]
        self.assertEqual([(row["project"], row["calls"]) for row in rows], [("gone", 1)])
        self.check(reload(daemon, config(limit(5), more=gone), client), 200)
        state = client.limit("*/requests/day", "gone")
        self.assertEqual((state["used"], state["held"]), (1, 0))

    def test_token_files_are_read_again(self) -> None:
        daemon = self.make(config(limit(5), server='token_file = "token"'))
        token = daemon.directory / "token"
        token.write_text("first-secret\n")
        token.chmod(0o600)
        daemon.start()
        client = Client(daemon.tcp)
        first = {"Authorization": "Bearer first-secret"}
        second = {"Authorization": "Bearer second-secret"}
        self.assertEqual(client.get("/v1/quota", first).status, 200)
        self.assertEqual(client.post("/v1/reload", b"").status, 401, "not for everybody")
        token.write_text("second-secret\n")
        answer = client.post("/v1/reload", b"", first)
        self.assertEqual(self.check(answer, 200)["changes"], ["[server]: token changed"])
        self.assertEqual(client.get("/v1/quota", first).status, 401)
        self.assertEqual(client.get("/v1/quota", second).status, 200)
        self.assertEqual(client.get("/").status, 200, "the page itself is for everybody, as before")
        self.assertNotIn("secret", daemon.stderr())

    def test_no_window_is_longer_than_what_is_kept_now(self) -> None:
        daemon = self.daemon(config(limit(5), ledger="retention_days = 1"))
        rewrite(daemon, config(limit(5, window="30d"), ledger="retention_days = 31"))
        problem = self.check_problem(daemon.client().post("/v1/reload", b""), 422)
        self.assertIn("retention_days = 1 keeps", str(problem))
        self.assertIn("restart", str(problem))

    def test_no_file_opens_to_others_what_listens_already(self) -> None:
        text = config(limit(5), listen='["0.0.0.0:0"]', server='token_file = "token"')
        daemon = self.make(text)
        token = daemon.directory / "token"
        token.write_text("first-secret\n")
        token.chmod(0o600)
        daemon.launch()
        port = eventually(
            "it listens", lambda: re.search(r"http://0\.0\.0\.0:(\d+)", daemon.stderr())
        )
        client = Client(f"http://127.0.0.1:{port[1]}")
        first = {"Authorization": "Bearer first-secret"}
        # Right by itself, but the addresses stay until the next start.
        rewrite(daemon, config(limit(9), listen='["127.0.0.1:0"]'))
        problem = self.check_problem(client.post("/v1/reload", b"", first), 422)
        self.assertRegex(problem["detail"], r"0\.0\.0\.0.*token_file")
        self.assertEqual(client.get("/v1/quota").status, 401)
        quota = self.check(client.get("/v1/quota", first), 200)
        self.assertEqual([each["amount"] for each in quota["limits"]], [5])

    def test_who_listens_to_events_is_told_to_load_the_state_again(self) -> None:
        daemon = self.daemon(config(limit(5)))
        stream = Stream(daemon)
        self.addCleanup(stream.close)
        self.check(reload(daemon, config(limit(6))), 200)
        self.assertIn("configuration", stream.of_type("reset").data["reason"])
        self.admitted(daemon.client())
        self.assertEqual(stream.of_type("limit").data["amount"], 6)

    def test_under_load_nothing_is_lost_or_counted_twice(self) -> None:
        texts = [
            config(limit(10**6) + limit(10**6, window="60s", models='["m"]')),
            config(limit(10**7) + limit(10**7, "input_tokens", "1h")),
        ]
        daemon = self.daemon(texts[0])
        stop = threading.Event()
        settled: list[str] = []
        open_calls: list[str] = []

        def work(index: int) -> None:
            client = daemon.client()
            while not stop.is_set():
                admission = self.admitted(client, input_tokens=10, lease_s=3600)
                if index == 0 and len(open_calls) < 20:
                    open_calls.append(admission)
                    continue
                self.check(client.settle(admission, status=200, usage={"input_tokens": 7}), 200)
                settled.append(admission)

        with threads(4, work):
            client = daemon.client()
            try:
                for turn in range(scaled(30, 4)):
                    self.check(reload(daemon, texts[(turn + 1) % 2], client), 200)
                self.check(reload(daemon, texts[1], client), 200)
                eventually("some calls are open", lambda: len(open_calls) >= 20)
            finally:
                stop.set()
        client = daemon.client()
        day, tokens = client.limit("*/requests/day"), client.limit("*/input_tokens/1h")
        self.assertEqual((day["used"], day["held"]), (len(settled), len(open_calls)))
        self.assertEqual(
            (tokens["used"], tokens["held"]), (7 * len(settled), 10 * len(open_calls))
        )
        calls = client.calls()
        self.assertEqual(
            sorted(call["admission_id"] for call in calls), sorted(settled + open_calls)
        )

    @unittest.skipIf(SANITIZER_RUNTIME, "a sanitizer keeps what is freed")
    def test_a_hundred_reloads_leave_no_memory_behind(self) -> None:
        consumers = "".join(
            f'[[consumers]]\nname = "c{i}"\nmax_share = 0.5\n' for i in range(50)
        )
        catalog = '[[projects]]\nname = "catalog"\n'
        text = config(limit(10**6), more=catalog + consumers)
        daemon = self.daemon(text)
        client = daemon.client()
        for i in range(50):
            self.admitted(client, consumer=f"c{i}", lease_s=3600)

        def resident_kb() -> int:
            status = pathlib.Path(f"/proc/{daemon.pid}/status").read_text()
            return int(status.split("VmRSS:")[1].split()[0])

        def some(count: int) -> None:
            for turn in range(count):
                changed = text.replace("amount = 1000000", f"amount = {10**6 + turn + 1}")
                self.check(reload(daemon, changed, client), 200)

        some(20)
        before = resident_kb()
        some(100)
        self.assertLess(resident_kb() - before, 2_000, "kB more after a hundred reloads")
        self.assertEqual(client.limit("*/requests/day")["held"], 50)

    def test_a_failing_disk_is_no_reason_to_forget(self) -> None:
        world = self.world()
        daemon = self.daemon(config(limit(5)), world=world)
        client = daemon.client()
        self.admitted(client)
        world.fill_disk()
        self.admitted(client)  # kept in memory
        problem = self.check_problem(reload(daemon, config(limit(9)), client), 503)
        self.assertIn("ledger", problem["detail"])
        state = client.limit("*/requests/day")
        self.assertEqual((state["amount"], state["held"]), (5, 2))
        world.fill_disk(False)
        eventually(
            "the disk is back",
            lambda: reload(daemon, config(limit(9)), client).status == 200,
        )
        state = client.limit("*/requests/day")
        self.assertEqual((state["amount"], state["held"]), (9, 2))

    def test_many_who_ask_at_once_are_all_answered(self) -> None:
        daemon = self.daemon(config(limit(5)))

        def ask(_: int) -> None:
            for _ in range(5):
                assert daemon.process is not None
                daemon.process.send_signal(signal.SIGHUP)
                self.check(daemon.client().post("/v1/reload", b""), 200)

        with threads(8, ask):
            pass


class ReloadOfTheProxy(ProxyCase):
    def test_two_that_come_together_are_read_one_after_the_other(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        self.admitted(client)
        request = "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode()
        for _ in range(5):
            with raw_connection(daemon.tcp) as sock:
                sock.sendall(request * 2)
                answers = b""
                while answers.count(b'"changes"') < 2:
                    got = sock.recv(65536)
                    self.assertTrue(got, answers)
                    answers += got
        self.assertEqual(answers.count(b" 200 OK"), 2, answers)
        # What is in force is the file still.
        again = self.check(client.post("/v1/reload", b""), 200)
        self.assertEqual((again["changes"], again["file"]), ([], str(daemon.config)))
        self.assertEqual(client.limit("*/requests/day")["held"], 1)

    def test_keys_are_read_again_and_calls_under_way_end_as_they_began(self) -> None:
        asked, go_on = threading.Event(), threading.Event()

        def answer(peer: Peer, request: Request) -> None:
            if request.header("x-goog-api-key") == KEY and not asked.is_set():
                asked.set()
                go_on.wait(60)
            peer.answer(REPLY)

        upstream = self.upstream(answer)
        daemon = self.proxied(upstream)
        answers: list[Answer] = []

        def call(_: int) -> None:
            answers.append(daemon.client().post(GENERATE, BODY))

        with threads(1, call):
            eventually("the first call is upstream", asked.is_set)
            (daemon.directory / "key").write_text("another-key-0123456789\n")
            result = self.check(daemon.client().post("/v1/reload", b""), 200)
            self.assertEqual(result["changes"], ["project default: key changed"])
            self.check(daemon.client().post(GENERATE, BODY), 200)
            go_on.set()
        self.assertEqual(answers[0].status, 200)
        keys = [request.header("x-goog-api-key") for request in upstream.requests]
        self.assertEqual(keys, [KEY, "another-key-0123456789"])
        self.assertEqual(len(self.closed(daemon.client(), 2)), 2)

    def text(self, upstream: Upstream, proxy: str, name: str = "default") -> str:
        text = config(LIMITS, project=upstream.project(), more=f"\n[proxy]\n{proxy}\n")
        return text.replace('name = "default"', f'name = "{name}"')

    def test_a_smaller_bound_on_held_bodies_holds_while_more_is_held(self) -> None:
        asked, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def script(peer: Peer, request: Request) -> None:
            asked.set()
            go_on.wait(60)
            peer.answer(REPLY)

        upstream = self.upstream(script)
        daemon = self.proxied(upstream)
        large = BODY | {"labels": "x" * 60_000}
        with threads(1, lambda _: self.check(daemon.client().post(GENERATE, large), 200)):
            eventually("the first is at upstream", asked.is_set)
            smaller = self.text(upstream, "max_held_bytes = 50000\nmax_metered_body_bytes = 50000")
            self.check(reload(daemon, smaller), 200)
            self.assertIn("max_held_bytes", self.refused(daemon.client(), 503))
            go_on.set()
        self.check(daemon.client().post(GENERATE, BODY), 200)

    def test_a_call_under_way_ends_as_it_began_when_its_project_goes(self) -> None:
        asked, go_on = threading.Event(), threading.Event()
        self.addCleanup(go_on.set)

        def script(peer: Peer, _: Request) -> None:
            peer.events()
            peer.chunk(event("first"))
            asked.set()
            go_on.wait(60)
            peer.chunk(event("last", USAGE))
            peer.chunk(b"")

        upstream = self.upstream(script)
        daemon = self.proxied(upstream)
        answers: list[Answer] = []
        with threads(1, lambda _: answers.append(daemon.client().post(STREAM, BODY))):
            eventually("it streams", asked.is_set)
            self.check(reload(daemon, self.text(upstream, "", name="other")), 200)
            go_on.set()
        self.assertEqual(answers[0].status, 200)
        self.assertIn("last", answers[0].text)
        call = self.only_call(daemon.client())
        self.assertEqual((call["project"], call["state"]), ("default", "settled"))
        self.assertEqual(call["usage"]["total_tokens"], 12)

    def test_a_call_between_two_attempts_gets_upstreams_answer_when_its_project_goes(self) -> None:
        refusal = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
        upstream = self.upstream(lambda peer, _: peer.answer(refusal, "429 Too Many Requests"))
        daemon = self.proxied(upstream, proxy="retry = 5\nwait_s = 60")
        answers: list[Answer] = []
        with threads(1, lambda _: answers.append(daemon.client().post(GENERATE, BODY))):
            eventually("upstream has refused once", lambda: upstream.requests)
            gone = self.text(upstream, "", name="other")
            self.check(reload(daemon, gone), 200)
        self.assertEqual((answers[0].status, answers[0].json), (429, refusal))

    def test_a_call_that_waits_hears_that_its_project_is_gone(self) -> None:
        upstream = self.upstream(lambda peer, _: peer.answer(REPLY))
        daemon = self.proxied(upstream, limits=limit(1))
        client = daemon.client()
        self.check(client.post(GENERATE, BODY), 200)
        # A day's quota is used up; with room soon, it waits.
        answers: list[Answer] = []
        self.check(
            reload(daemon, self.text(upstream, "wait_s = 60").replace(LIMITS, limit(1, "in_flight", ""))),
            200,
        )
        self.admitted(client, model="m")
        with threads(1, lambda _: answers.append(daemon.client().post(GENERATE, BODY))):
            eventually("it waits", lambda: client.metrics().sum("weir_queue_waiting") == 1)
            self.check(reload(daemon, self.text(upstream, "", name="other"), client), 200)
        self.assertEqual(answers[0].status, 404, answers[0].text)
        self.assertIn("not configured any more", answers[0].text)


if __name__ == "__main__":
    unittest.main()
