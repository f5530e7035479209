"""The proxy's way upstream: HTTP proxies, IPv6, and every timeout that the configuration has."""

from __future__ import annotations

import base64
import http.client
import json
import select
import socket
import threading
import unittest
from typing import Any

from connectproxy import ConnectProxy
from proxytest import BODY, GENERATE, KEY, REPLY, STREAM, TIMEOUT_S, USAGE, ProxyCase, event
from upstreamtest import Peer, Request, Upstream, nobody
from weirtest import DEADLINE_S, SANITIZER_RUNTIME, SHIM, Daemon, eventually, raw_connection, run_command

PASSWORD = "s3cret/pass"
IPV6 = socket.has_ipv6


class NetworkCase(ProxyCase):
    def setUp(self) -> None:
        super().setUp()
        self.up = self.upstream(lambda peer, request: peer.answer(REPLY))

    def tunnels(self, upstream: Upstream, *arguments: Any, **options: Any) -> ConnectProxy:
        made = ConnectProxy(upstream.port, *arguments, **options)
        self.addCleanup(made.close)
        return made

    def far(self, upstream: Upstream, name: str = "upstream.example") -> Upstream:
        """The same upstream by a name that only the HTTP proxy knows."""
        upstream.url = upstream.url.replace("localhost", name)
        return upstream

    def nothing_was_sent(self, running: Daemon, upstream: Upstream) -> None:
        self.assertEqual(self.only_call(running.client())["state"], "cancelled")
        self.assertEqual(running.client().limit("*/requests/day")["used"], 0)
        self.assertEqual(upstream.requests, [])
        self.assertNotIn(PASSWORD, running.stderr())


class Names(NetworkCase):
    def test_a_lookup_that_hangs_keeps_neither_other_projects_nor_the_end_of_the_daemon(self) -> None:
        hung = self.up.project().replace(self.up.url, "https://hangs.invalid")
        running = self.proxied(
            self.up,
            more=f'[[projects]]\nname = "hung"\n{hung}',
            proxy=f"connect_timeout_s = {TIMEOUT_S}",
            env={"LD_PRELOAD": " ".join(filter(None, [SANITIZER_RUNTIME, SHIM]))},
        )
        client = running.client()
        late = self.check(client.post(GENERATE.replace("default", "hung"), BODY), 504)
        self.assertIn("looking up hangs.invalid took too long", late["error"]["message"])
        self.check(client.post(GENERATE, BODY), 200)
        self.assertEqual(running.stop(), 0)


class HttpProxies(NetworkCase):
    def test_a_call_goes_through_a_tunnel_with_the_upstreams_certificate_and_name_verified(self) -> None:
        proxy = self.tunnels(self.far(self.up))
        url = proxy.url.replace("http://", "http://user:s3cret%2Fpass@")
        running = self.proxied(self.up, env={"HTTPS_PROXY": url, "NO_PROXY": "other.example,10.0.0.0/8"})
        client = running.client()
        for _ in range(3):
            self.assertEqual(self.check(client.post(GENERATE, BODY), 200), REPLY)
        [asked] = proxy.asked  # and the connection was kept
        self.assertEqual((asked.method, asked.target), ("CONNECT", f"upstream.example:{self.up.port}"))
        credentials = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
        self.assertEqual(asked.header("proxy-authorization"), f"Basic {credentials}")
        self.assertEqual(self.up.server_names, ["upstream.example"])
        self.assertEqual(self.up.requests[0].header("host"), f"upstream.example:{self.up.port}")
        self.assertIsNone(self.up.requests[0].header("proxy-authorization"))
        self.assertNotIn(KEY.encode(), proxy.passed)
        self.assertNotIn(b"/v1beta/models", proxy.passed)
        self.assertIn(f"by way of the HTTP proxy {proxy.authority}", running.stderr())
        for secret in (PASSWORD, "s3cret%2Fpass", credentials):
            self.assertNotIn(secret, running.stderr())
            self.assertNotIn(secret, client.get("/metrics").text)
        self.assertEqual(client.limit("*/requests/day")["used"], 3)

    def test_a_certificate_for_another_name_is_not_believed_inside_a_tunnel_either(self) -> None:
        proxy = self.tunnels(self.far(self.up, "other.example"))
        running = self.proxied(self.up, project=f'via = "{proxy.url}"\n')
        self.assertIn("certificate of other.example", self.refused(running.client(), 502))
        self.nothing_was_sent(running, self.up)

    def test_no_proxy_goes_straight(self) -> None:
        proxy = self.tunnels(self.far(self.up))
        for name in ("NO_PROXY", "no_proxy"):
            running = self.proxied(self.up, env={"https_proxy": proxy.url, name: f".example:{self.up.port}"})
            self.assertIn("cannot find upstream.example", self.refused(running.client(), 502))
        running = self.proxied(self.up, env={"https_proxy": proxy.url}, project='via = "none"\n')
        self.assertIn("cannot find upstream.example", self.refused(running.client(), 502))
        self.assertEqual(proxy.asked, [])

    def test_loopback_goes_straight_unless_via_says_otherwise(self) -> None:
        proxy = self.tunnels(self.up)
        env = {"HTTPS_PROXY": "http://127.0.0.1:1", "HTTP_PROXY": "http://127.0.0.1:1"}
        self.check(self.proxied(self.up, env=env).client().post(GENERATE, BODY), 200)
        self.assertEqual(proxy.asked, [])
        running = self.proxied(self.up, env=env, project=f'via = "{proxy.url}"\n')
        self.check(running.client().post(GENERATE, BODY), 200)
        self.assertEqual([asked.target for asked in proxy.asked], [f"localhost:{self.up.port}"])

    def test_a_plain_upstream_gets_a_tunnel_too(self) -> None:
        plain = self.far(self.upstream(lambda peer, request: peer.answer(REPLY), tls=False))
        proxy = self.tunnels(plain)
        running = self.proxied(plain, env={"HTTP_PROXY": proxy.url, "HTTPS_PROXY": "http://127.0.0.1:1"})
        self.check(running.client().post(GENERATE, BODY), 200)
        self.assertEqual(proxy.asked[0].method, "CONNECT")
        self.assertEqual(plain.requests[0].target, "/v1beta/models/m:generateContent")

    def test_credentials_from_a_file(self) -> None:
        proxy = self.tunnels(self.far(self.up))
        lines = f'via = "{proxy.url}"\nvia_auth_file = "auth"\n'
        running = self.proxied(self.up, project=lines, files={"auth": f"user:{PASSWORD}"})
        self.check(running.client().post(GENERATE, BODY), 200)
        credentials = base64.b64encode(f"user:{PASSWORD}".encode()).decode()
        self.assertEqual(proxy.asked[0].header("proxy-authorization"), f"Basic {credentials}")
        self.assertNotIn(PASSWORD, running.stderr())

    def test_a_proxy_that_refuses_is_told_of_in_words_and_charges_nothing(self) -> None:
        self.far(self.up)
        for answer, words in (
            ("407 Proxy Authentication Required", "via_auth_file"),
            ("403 Forbidden", f"does not allow connections to upstream.example:{self.up.port}"),
            ("502 Bad Gateway", f"cannot reach upstream.example:{self.up.port}"),
        ):
            with self.subTest(answer):
                proxy = self.tunnels(self.up, answer)
                running = self.proxied(self.up, project=f'via = "{proxy.url}"\n')
                message = self.refused(running.client(), 502)
                self.assertIn(words, message)
                self.assertIn(proxy.authority, message)
                self.nothing_was_sent(running, self.up)

    def test_a_proxy_that_hangs_or_is_gone(self) -> None:
        proxy = self.tunnels(self.far(self.up), "")
        lines = f'via = "{proxy.url}"\n'
        running = self.proxied(self.up, project=lines, proxy=f"connect_timeout_s = {TIMEOUT_S}")
        self.assertIn("opening a tunnel to upstream.example", self.refused(running.client(), 504))
        self.nothing_was_sent(running, self.up)
        with nobody() as port:
            running = self.proxied(self.up, project=f'via = "http://127.0.0.1:{port}"\n')
            self.assertIn("cannot connect to the HTTP proxy", self.refused(running.client(), 502))

    def test_streams_and_large_bodies_pass_a_tunnel(self) -> None:
        seen: list[bytes] = []

        def script(peer: Peer, request: Request) -> None:
            if "upload" in request.target:
                seen.append(request.body)
                return peer.answer(request.body)
            peer.events()
            for text in "abc":
                peer.chunk(event(text, USAGE))
                eventually("the event has come", lambda: text in arrived)
            peer.send(b"0\r\n\r\n")

        arrived: list[str] = []
        upstream = self.far(self.upstream(script))
        proxy = self.tunnels(upstream)
        running = self.proxied(upstream, project=f'via = "{proxy.url}"\n')
        data = json.dumps(BODY).encode()
        with raw_connection(running.tcp) as connection:
            connection.sendall(
                f"POST {STREAM} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(data)}\r\n\r\n".encode() + data
            )
            got = b""
            while b"\r\n0\r\n\r\n" not in got:
                got += connection.recv(65536)
                arrived += [text for text in "abc" if f'"{text}"'.encode() in got and text not in arrived]
        self.assertEqual(arrived, ["a", "b", "c"])
        large = bytes(range(256)) * 12_000
        answer = running.client().send("POST", "/proxy/default/upload/v1beta/files", large)
        self.assertEqual((answer.status, answer.body == large, seen == [large]), (200, True, True))

    def test_check_key_goes_the_same_way(self) -> None:
        models = self.far(self.upstream(lambda peer, request: peer.answer({"models": [{"name": "models/a"}]})))
        (self.directory / "key").write_text(KEY)
        (self.directory / "auth").write_text(f"user:{PASSWORD}")
        for name in ("key", "auth"):
            (self.directory / name).chmod(0o600)

        def ask(lines: str, **env: str) -> tuple[int, str]:
            (self.directory / "weir.toml").write_text('[[projects]]\nname = "p"\n' + models.project() + lines)
            result = run_command(self.directory, "check-key", "--config", "weir.toml", env=env)
            self.assertNotIn(PASSWORD, result.stdout + result.stderr)
            return result.returncode, result.stdout + result.stderr

        proxy = self.tunnels(models)
        self.assertEqual(ask("", HTTPS_PROXY=proxy.url), (0, "p: good: gemini takes it and lists 1 model\n"))
        self.assertEqual(ask(f'via = "{proxy.url}"\nvia_auth_file = "auth"\n')[0], 0)
        self.assertIn("Basic ", proxy.asked[1].header("proxy-authorization") or "")
        refusing = self.tunnels(models, "407 Who")
        code, text = ask(f'via = "{refusing.url}"\n')
        self.assertEqual((code, text.count("\n")), (1, 1), text)
        self.assertIn("wants credentials (407)", text)
        code, text = ask(f'via = "{refusing.url}"\nvia_auth_file = "auth"\n')
        self.assertIn("does not take the credentials", text)
        code, text = ask("", HTTPS_PROXY=f"socks5://user:{PASSWORD}@127.0.0.1:1")
        self.assertEqual(code, 2)
        self.assertIn("HTTPS_PROXY in the environment is not an http:// proxy", text)
        self.assertEqual(ask("", HTTPS_PROXY="socks5://127.0.0.1:1", NO_PROXY="*")[0], 1)

    @unittest.skipUnless(IPV6, "no IPv6 here")
    def test_ipv6_all_the_way(self) -> None:
        try:
            six = self.upstream(lambda peer, request: peer.answer(REPLY), ipv6=True)
        except OSError as error:
            self.skipTest(f"no IPv6 loopback here: {error}")
        self.check(self.proxied(six).client().post(GENERATE, BODY), 200)
        proxy = self.tunnels(six, ipv6=True)
        running = self.proxied(six, project=f'via = "{proxy.url}"\n')
        self.check(running.client().post(GENERATE, BODY), 200)
        self.assertEqual(proxy.asked[0].target, f"[::1]:{six.port}")
        self.assertEqual(six.requests[0].header("host"), f"[::1]:{six.port}")


class Timeouts(NetworkCase):
    def test_connect(self) -> None:
        with socket.create_server(("127.0.0.1", 0), backlog=0) as full:
            name = full.getsockname()
            fillers = [socket.socket() for _ in range(4)]
            for filler in fillers:  # past a full backlog, a handshake is not answered
                filler.setblocking(False)
                filler.connect_ex(name)
            self.up.url = f"https://127.0.0.1:{name[1]}"
            running = self.proxied(self.up, proxy="connect_timeout_s = 0.3")
            self.assertIn("connecting to 127.0.0.1", self.refused(running.client(), 504))
            self.nothing_was_sent(running, self.up)
            for filler in fillers:
                filler.close()

    def test_first_byte(self) -> None:
        silent = self.upstream(lambda peer, request: peer.gone() and None)
        running = self.proxied(silent, proxy="first_byte_timeout_s = 0.3")
        self.assertIn("did not answer in time", self.refused(running.client(), 504))
        self.assertEqual(self.only_call(running.client())["status"], 504)

    def test_idle_in_the_answer(self) -> None:
        def script(peer: Peer, request: Request) -> None:
            peer.events(event("a", USAGE))
            peer.gone()

        running = self.proxied(self.upstream(script), proxy="idle_timeout_s = 0.3")
        with self.assertRaises(http.client.IncompleteRead):
            running.client().post(STREAM, BODY)
        call = self.only_call(running.client())
        self.assertEqual((call["estimated"], call["usage"]["input_tokens"]), (True, 7))

    def test_idle_in_the_request(self) -> None:
        done = threading.Event()
        self.addCleanup(done.set)

        def on_peer(peer: Peer) -> None:
            peer.head()  # and nothing of the body
            done.wait()

        running = self.proxied(self.upstream(on_peer=on_peer), proxy="idle_timeout_s = 0.3")
        with raw_connection(running.tcp) as connection:
            connection.sendall(
                b"POST /proxy/default/upload/v1beta/files HTTP/1.1\r\nHost: localhost\r\n"
                b"Content-Length: 1000000000\r\n\r\n"
            )
            answer = b""
            while not answer:  # sends as long as it is taken
                readable, writable, _ = select.select([connection], [connection], [], DEADLINE_S)
                self.assertTrue(readable or writable, "neither taken nor answered")
                if readable:
                    answer = connection.recv(65536)
                else:
                    connection.send(b"x" * 65536)
        self.assertTrue(answer.startswith(b"HTTP/1.1 504 "), answer)
        self.assertIn(b"does not take the request", answer)


if __name__ == "__main__":
    unittest.main()
