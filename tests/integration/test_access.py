"""Who may talk to the daemon: hosts, origins, tokens, sockets."""

from __future__ import annotations

import os
import re
import stat
import unittest

from weirtest import Client, TestCase, config, eventually, limit, raw_exchange

ROUTES = ("/v1/quota", "/metrics", "/livez", "/readyz", "/openapi.json", "/", "/nowhere")


class Access(TestCase):
    def test_a_foreign_host_is_refused_on_every_route(self) -> None:
        client = self.daemon(config(limit(5))).client()
        for route in ROUTES:
            for host in (
                "evil.example",
                "evil.example:8411",
                "127.0.0.1.evil.example",
                "localhost.evil.example",
                "192.168.1.7:8411",
            ):
                with self.subTest(route=route, host=host):
                    self.assertEqual(client.get(route, {"Host": host}).status, 403)
            self.assertIn(client.get(route, {"Host": ""}).status, (400, 403))
        self.assertEqual(
            client.post("/v1/admissions", {"model": "m"}, {"Host": "evil.example"}).status, 403
        )
        self.assertEqual(client.limit("*/requests/day")["held"], 0)

    def test_loopback_names_are_taken_with_any_port(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        port = daemon.tcp.rsplit(":", 1)[1]
        for host in (
            "localhost",
            "127.0.0.1",
            "[::1]",
            f"localhost:{port}",
            f"127.0.0.1:{port}",
            f"[::1]:{port}",
            "LOCALHOST",
            "localhost:1",
        ):
            with self.subTest(host=host):
                self.assertEqual(client.get("/livez", {"Host": host}).status, 200)

    def test_a_request_without_a_host_is_refused(self) -> None:
        daemon = self.daemon(config(limit(5)))
        answer = raw_exchange(daemon.tcp, b"GET /livez HTTP/1.1\r\n\r\n")
        self.assertRegex(answer, rb"^HTTP/1\.1 40[03] ")

    def test_two_hosts_are_refused(self) -> None:
        daemon = self.daemon(config(limit(5)))
        answer = raw_exchange(
            daemon.tcp, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n"
        )
        self.assertRegex(answer, rb"^HTTP/1\.1 40[03] ")

    def test_a_foreign_origin_is_refused_and_the_own_page_is_not(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = daemon.client()
        for route in ROUTES:
            for origin in (
                "https://evil.example",
                "null",
                "http://localhost.evil.example",
                "file://",
            ):
                with self.subTest(route=route, origin=origin):
                    self.assertEqual(client.get(route, {"Origin": origin}).status, 403)
        port = daemon.tcp.rsplit(":", 1)[1]
        for origin in (f"http://127.0.0.1:{port}", f"http://localhost:{port}"):
            with self.subTest(origin=origin):
                self.assertEqual(client.get("/v1/quota", {"Origin": origin}).status, 200)

    def test_allowed_hosts_are_taken_beside_loopback_names(self) -> None:
        client = self.daemon(config(limit(5), server='allowed_hosts = ["weir.internal"]')).client()
        self.assertEqual(client.get("/livez", {"Host": "weir.internal"}).status, 200)
        self.assertEqual(client.get("/livez", {"Host": "weir.internal:8411"}).status, 200)
        self.assertEqual(client.get("/livez", {"Host": "localhost"}).status, 200)
        self.assertEqual(client.get("/livez", {"Host": "other.internal"}).status, 403)

    def test_the_unix_socket_needs_no_host_of_ours(self) -> None:
        daemon = self.daemon(config(limit(5)))
        client = Client(daemon.unix)
        self.admitted(client)
        self.assertEqual(client.get("/v1/quota", {"Host": "anything.example"}).status, 200)
        self.assertEqual(client.limit("*/requests/day")["held"], 1)
        path = daemon.unix.removeprefix("unix:")
        self.assertTrue(stat.S_ISSOCK(os.stat(path).st_mode))
        self.assertEqual(os.stat(path).st_mode & 0o007, 0, "others may not use the socket")
        daemon.stop()
        self.assertFalse(os.path.exists(path), "a stopped daemon leaves no socket behind")

    def test_a_socket_left_by_a_crash_is_replaced(self) -> None:
        daemon = self.daemon(config(limit(5)))
        daemon.kill()
        daemon.start()
        self.admitted(Client(daemon.unix))

    def test_the_unix_socket_alone_is_enough(self) -> None:
        daemon = self.daemon(config(limit(5), listen='["unix:DIR/weir.sock"]'))
        self.admitted(daemon.client())

    def test_an_address_that_others_reach_needs_a_token(self) -> None:
        daemon = self.make(config(limit(5), listen='["0.0.0.0:0"]'))
        daemon.launch()
        self.assertEqual(daemon.wait(), 2)
        self.assertRegex(daemon.stderr(), r"weir\.toml:\d+:\d+: .*token_file")

    def test_a_token_is_asked_for_and_compared_whole(self) -> None:
        daemon = self.make(
            config(limit(5), listen='["0.0.0.0:0"]', server='token_file = "admin.token"')
        )
        (daemon.directory / "admin.token").write_text("s3cret-token\n")
        os.chmod(daemon.directory / "admin.token", 0o600)
        daemon.launch()
        match = eventually(
            "it listens",
            lambda: re.search(r"listening on http://0\.0\.0\.0:(\d+)", daemon.stderr()),
        )
        client = Client(f"http://127.0.0.1:{match[1]}")
        for fields in (
            {},
            {"Authorization": "Bearer wrong"},
            {"Authorization": "Bearer s3cret-toke"},
            {"Authorization": "Bearer s3cret-token1"},
            {"Authorization": "Basic s3cret-token"},
            {"Authorization": "Bearer "},
        ):
            for route in ("/v1/quota", "/metrics", "/v1/calls"):
                with self.subTest(route=route, fields=fields):
                    answer = client.get(route, fields)
                    self.assertEqual(answer.status, 401)
                    self.assertIn("Bearer", answer.headers["WWW-Authenticate"])
        self.assertEqual(client.admit().status, 401)
        self.assertEqual(client.get("/livez").status, 200)
        self.assertEqual(client.get("/readyz").status, 200)
        # The page holds no data: it asks for the token itself.
        self.assertEqual(client.get("/").status, 200)
        self.assertEqual(client.get("/page/weir.js").headers.get_content_type(), "text/javascript")
        for near in ("//", "/page/", "/page/../v1/quota", "/v1/events"):
            self.assertEqual(client.get(near).status, 401, near)
        answer = client.get("/v1/quota", {"Authorization": "Bearer s3cret-token"})
        self.assertEqual(answer.status, 200)
        self.assertEqual(answer.json["limits"][0]["held"], 0)
        self.assertNotIn("s3cret", daemon.stderr())

    def test_a_token_file_that_others_can_read_is_warned_about(self) -> None:
        daemon = self.make(config(limit(5), server='token_file = "admin.token"'))
        (daemon.directory / "admin.token").write_text("s3cret-token\n")
        os.chmod(daemon.directory / "admin.token", 0o644)
        daemon.start()
        self.assertIn("admin.token", daemon.stderr())

    def test_no_page_elsewhere_is_told_that_it_may_read_answers(self) -> None:
        client = self.daemon(config(limit(5))).client()
        for name in client.get("/v1/quota").headers:
            self.assertFalse(name.lower().startswith("access-control-"), name)


if __name__ == "__main__":
    unittest.main()
