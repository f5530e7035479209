"""GET /v1/events: what is told, to whom, and how a client that was cut off goes on."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import unittest
from collections.abc import Callable
from typing import Any

from weirtest import DEADLINE_S, Daemon, TestCase, config, eventually, limit, raw_connection

MAX_CLIENTS = 64
MOST_OF_A_KIND = 50  # are told one by one of what comes together
ADMIT = b'POST /v1/admissions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 13\r\n\r\n{"model":"m"}'


class Event:
    """One server-sent event."""

    def __init__(self, lines: list[str]) -> None:
        fields = dict(line.split(": ", 1) for line in lines if not line.startswith(":"))
        self.id = fields.get("id", "")
        self.type = fields.get("event", "")
        self.data: Any = json.loads(fields["data"]) if "data" in fields else None

    def __repr__(self) -> str:
        return f"{self.id} {self.type} {json.dumps(self.data)[:200]}"


class Stream:
    """A client of the stream. Blocks until an event comes, or DEADLINE_S."""

    def __init__(self, daemon: Daemon, query: str = "", last_id: str = "", receive_buffer: int | None = None, headers: str = "") -> None:
        host, port = daemon.tcp.removeprefix("http://").split(":")
        self.socket = socket.socket()
        self.socket.settimeout(DEADLINE_S)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.connect((host, int(port)))
        resume = f"Last-Event-ID: {last_id}\r\n" if last_id else ""
        self.socket.sendall(f"GET /v1/events{query} HTTP/1.1\r\nHost: localhost\r\n{headers}{resume}\r\n".encode())
        self._bytes = self.socket.makefile("rb")
        self.status = int(self._bytes.readline().split()[1])
        self.headers: dict[str, str] = {}
        while (line := self._bytes.readline().decode().strip()) != "":
            name, value = line.split(": ", 1)
            self.headers[name.lower()] = value
        self._text = ""
        self.start: Event | None = None
        if self.status == 200:
            self.start = self.next()

    def _chunk(self) -> str:
        size = int(self._bytes.readline() or b"0", 16)
        text = self._bytes.read(size).decode()
        self._bytes.readline()
        return text if size else ""

    def next(self) -> Event | None:
        """The next event; None at the end of the stream."""
        while True:
            while "\n\n" not in self._text:
                chunk = self._chunk()
                if not chunk:
                    return None
                self._text += chunk
            block, self._text = self._text.split("\n\n", 1)
            if any(not line.startswith(":") for line in block.split("\n")):
                return Event(block.split("\n"))

    def until(self, what: str, condition: Callable[[Event], bool]) -> Event:
        seen = []
        while event := self.next():
            seen.append(event)
            if condition(event):
                return event
        raise AssertionError(f"the stream ended before {what}; it brought {seen}")

    def of_type(self, *types: str) -> Event:
        return self.until(f"an event of {types}", lambda event: event.type in types)

    def close(self) -> None:
        with contextlib.suppress(OSError):  # or a thread that reads keeps the rest of this waiting
            self.socket.shutdown(socket.SHUT_RDWR)
        self._bytes.close()
        self.socket.close()


class Events(TestCase):
    def stream(self, daemon: Daemon, query: str = "", last_id: str = "") -> Stream:
        stream = Stream(daemon, query, last_id)
        self.addCleanup(stream.close)
        self.assertEqual(stream.status, 200)
        return stream

    def test_a_call_is_told_from_its_admission_to_its_settlement_and_what_it_did_to_its_limits(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        stream = self.stream(daemon)
        self.assertEqual(stream.headers["content-type"], "text/event-stream")
        self.assertEqual(stream.headers["cache-control"], "no-store")

        call = self.admitted(client, consumer="chat")
        admission = stream.of_type("admission")
        self.assertEqual(admission.data["call_id"], call)
        self.assertEqual((admission.data["state"], admission.data["consumer"]), ("open", "chat"))
        held = stream.of_type("limit")
        self.assertEqual(held.data, client.limit("*/requests/day"))
        self.assertEqual((held.data["held"], held.data["used"]), (1, 0))

        self.check(client.settle(call, status=200, usage={"input_tokens": 7, "output_tokens": 3}), 200)
        settlement = stream.of_type("settlement")
        self.assertEqual(settlement.data, client.calls()[0])
        self.assertEqual(settlement.data["usage"]["total_tokens"], 10)
        used = stream.of_type("limit")
        self.assertEqual((used.data["held"], used.data["used"]), (0, 1))

    def test_cancelled_expired_and_recorded_calls_are_settlements_too(self) -> None:
        daemon = self.daemon(config(limit(50)))
        client = daemon.client()
        stream = self.stream(daemon, "?types=settlement")
        call = self.admitted(client)
        self.assertEqual(client.delete(f"/v1/admissions/{call}").status, 204)
        self.assertEqual(stream.of_type("settlement").data["state"], "cancelled")
        self.admitted(client, lease_s=0.01)
        self.assertEqual(stream.of_type("settlement").data["state"], "expired")
        self.check(client.post("/v1/calls", {"model": "m", "status": 200}), 201)
        recorded = stream.of_type("settlement").data
        self.assertEqual((recorded["state"], recorded["admission_id"]), ("settled", None))

    def test_a_denial_says_why_in_the_words_of_the_answer(self) -> None:
        daemon = self.daemon(config(limit(1) + limit(100, "input_tokens")))
        client = daemon.client()
        stream = self.stream(daemon, "?types=denial")
        self.admitted(client)
        refusal = self.check_problem(client.admit(consumer="batch"), 429)
        denial = stream.of_type("denial").data
        self.assertEqual(denial["decision"], "denied")
        self.assertEqual(denial["limits"], refusal["violated-policies"])
        self.assertEqual(denial["detail"], refusal["detail"])
        self.assertEqual(denial["retry_at"], refusal["retry_at"])
        self.assertEqual((denial["model"], denial["consumer"]), ("m", "batch"))
        refusal = self.check_problem(client.admit(input_tokens=101), 422)
        denial = stream.of_type("denial").data
        self.assertEqual((denial["decision"], denial["detail"]), ("never_fits", refusal["detail"]))
        self.assertIsNone(denial["retry_at"])

    def test_what_is_learned_and_forgotten_is_told(self) -> None:
        daemon = self.daemon(config(limit(50)))
        client = daemon.client()
        stream = self.stream(daemon, "?types=observation")
        call = self.admitted(client)
        body = {"error": {"code": 429, "message": "slow down", "status": "RESOURCE_EXHAUSTED"}}
        self.check(client.settle(call, {"upstream": {"status": 429, "body": body}}), 200)
        seen = stream.of_type("observation").data
        self.assertEqual([seen], client.get("/v1/observations").json["observations"])
        self.assertEqual(client.delete(f"/v1/observations/{seen['id']}").status, 204)
        self.assertEqual(stream.of_type("observation").data, {"id": seen["id"], "forgotten": True})

    def test_a_client_gets_what_it_chose(self) -> None:
        other = '[[projects]]\nname = "other"\nuse_catalog = false\n' + limit(9)
        daemon = self.daemon(config(limit(5), more=other))
        client = daemon.client()
        stream = self.stream(daemon, "?types=limit,admission&project=other")
        self.admitted(client)
        self.admitted(client, project="other")
        first = stream.next()
        second = stream.next()
        assert first and second
        self.assertEqual([first.type, second.type], ["admission", "limit"])
        self.assertEqual([first.data["project"], second.data["project"]], ["other", "other"])

    def test_wrong_questions_are_answered_with_problems(self) -> None:
        client = self.daemon(config(limit(5))).client()
        self.assertIn("type", self.check_problem(client.get("/v1/events?type=limit"), 400)["detail"])
        self.assertIn("limit", self.check_problem(client.get("/v1/events?types=limits"), 400)["detail"])
        self.check_problem(client.get("/v1/events?project=nobody"), 404)
        self.check_problem(client.post("/v1/events", {}), 405)
        head = client.send("HEAD", "/v1/events")
        self.assertEqual((head.status, head.headers.get_content_type()), (200, "text/event-stream"))

    def test_who_was_cut_off_goes_on_where_it_was(self) -> None:
        daemon = self.daemon(config(limit(50)))
        client = daemon.client()
        stream = self.stream(daemon, "?types=admission")
        calls = [self.admitted(client) for _ in range(3)]
        first = stream.of_type("admission")
        self.assertEqual(first.data["call_id"], calls[0])
        # Another one sees all of it, so it has happened before the first comes back.
        for _ in calls[1:]:
            stream.of_type("admission")
        stream.close()
        calls.append(self.admitted(client))
        again = self.stream(daemon, "?types=admission", first.id)
        self.assertEqual([again.of_type("admission").data["call_id"] for _ in range(3)], calls[1:])

    def test_who_has_seen_nothing_yet_can_go_on_too(self) -> None:
        daemon = self.daemon(config(limit(50)))
        client = daemon.client()
        stream = self.stream(daemon)
        assert stream.start is not None
        self.assertEqual(stream.start.type, "")
        stream.close()
        call = self.admitted(client)
        again = self.stream(daemon, "", stream.start.id)
        self.assertEqual(again.of_type("admission").data["call_id"], call)

    def test_an_id_of_another_run_tells_the_client_to_load_again(self) -> None:
        daemon = self.daemon(config(limit(50)))
        stream = self.stream(daemon)
        call = self.admitted(daemon.client())
        last = stream.of_type("admission")
        stream.close()
        daemon.restart()
        again = self.stream(daemon, "", last.id)
        assert again.start is not None
        self.assertEqual(again.start.type, "reset")
        self.assertNotEqual(again.start.id, last.id)
        # It follows from there on.
        self.assertEqual(daemon.client().delete(f"/v1/admissions/{call}").status, 204)
        self.assertEqual(again.of_type("settlement").data["call_id"], call)
        for nonsense in ("1", "0-0", "zz-12", last.id + "9"):
            reset = self.stream(daemon, "", nonsense).start
            assert reset is not None
            self.assertEqual(reset.type, "reset", nonsense)

    def test_a_stop_ends_the_streams_properly(self) -> None:
        daemon = self.daemon(config(limit(50)))
        streams = [self.stream(daemon) for _ in range(5)]
        self.assertEqual(daemon.stop(), 0)
        for stream in streams:
            while stream.next():
                pass  # None is a last chunk of length 0: a cut connection would raise

    def test_a_client_that_does_not_read_is_dropped_and_the_others_miss_nothing(self) -> None:
        wide = "".join(limit(10**9, models=f'["{"m" * 150}{i:03}"]') for i in range(200))
        daemon = self.daemon(config(wide))
        slow = Stream(daemon, receive_buffer=4096)
        self.addCleanup(slow.close)
        brisk = self.stream(daemon, "?types=admission")
        told: list[str] = []

        def listen() -> None:
            with contextlib.suppress(OSError, ValueError):  # it is closed when the test ends
                while event := brisk.next():
                    if event.type == "admission":
                        told.append(event.data["call_id"])

        listener = threading.Thread(target=listen, daemon=True)
        listener.start()
        client = daemon.client()
        admitted = [self.admitted(client, model="m" * 150 + "000")]
        before = daemon_connections(daemon)

        def dropped() -> bool:
            # One of each model: every limit changes, and a limit's event is long.
            for i in range(40):
                at = (len(admitted) + i) % 200
                admitted.append(self.admitted(client, model="m" * 150 + f"{at:03}"))
            # As many as are told one by one: the rest of a quarter of a second is only counted.
            eventually("the brisk client has heard of it", lambda: told and told[-1] == admitted[-1])
            return daemon_connections(daemon) < before

        eventually("the slow client is dropped", dropped, 4 * DEADLINE_S)
        self.assertEqual(told, admitted)

    def test_many_clients_hear_the_same_and_one_too_many_is_told_so(self) -> None:
        daemon = self.daemon(config(limit(50)))
        streams = [self.stream(daemon, "?types=admission") for _ in range(MAX_CLIENTS)]
        refused = daemon.client().get("/v1/events")
        self.check_problem(refused, 503)
        self.assertEqual(refused.headers["Retry-After"], "10")
        call = self.admitted(daemon.client())
        ids = {(event.id, event.data["call_id"]) for event in (s.of_type("admission") for s in streams)}
        self.assertEqual(len(ids), 1)
        self.assertEqual(ids.pop()[1], call)
        streams.pop().close()

        def serves() -> bool:
            stream = Stream(daemon)
            stream.close()
            return stream.status == 200

        eventually("the place of one that left is free", serves)

    def test_a_flood_is_summed_up_and_no_call_is_lost_in_the_sum(self) -> None:
        daemon = self.daemon(config(limit(10**9)))
        client = daemon.client()
        stream = self.stream(daemon, "?types=admission")
        count = 2 * MOST_OF_A_KIND
        with contextlib.ExitStack() as stack:
            crowd = [stack.enter_context(raw_connection(daemon.tcp)) for _ in range(count)]
            for connection in crowd:
                connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
                self.assertIn(b" 200 ", connection.recv(4096))
            with daemon.standing_still():  # so that all of them come at once, on a slow machine too
                for connection in crowd:
                    connection.sendall(ADMIT)
            for connection in crowd:
                self.assertIn(b" 201 ", connection.recv(4096))
        told, omitted = 0, 0
        while told + omitted < count:
            event = stream.next()
            assert event is not None, "the stream ended"
            if event.type == "admission":
                told += 1
            elif event.type == "omitted":
                omitted += event.data["admission"]
        self.assertEqual(told + omitted, count)
        self.assertGreater(omitted, 0)
        self.assertEqual(client.limit("*/requests/day")["held"], count)

    def test_nothing_is_told_that_the_ledger_refused(self) -> None:
        world = self.world()
        daemon = self.daemon(config(limit(50), ledger='on_failure = "deny"'), world=world)
        client = daemon.client()
        stream = self.stream(daemon, "?types=admission,limit")
        world.fill_disk()
        self.assertEqual(client.admit().status, 503)
        event = stream.next()
        assert event is not None
        self.assertEqual(event.type, "reset")
        self.assertEqual(client.limit("*/requests/day")["held"], 0)
        world.fill_disk(False)

        def admits() -> str | None:
            answer = client.admit()
            return answer.json["admission_id"] if answer.status == 201 else None

        call = eventually("the disk is back", admits)
        self.assertEqual(stream.of_type("admission").data["call_id"], call)


def daemon_connections(daemon: Daemon) -> int:
    """Sockets that the daemon has open, listening ones too."""
    count = 0
    for name in os.listdir(f"/proc/{daemon.pid}/fd"):
        with contextlib.suppress(OSError):
            count += os.readlink(f"/proc/{daemon.pid}/fd/{name}").startswith("socket:")
    return count


if __name__ == "__main__":
    unittest.main()
