# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The examples of programs that tell an operator, against servers on the loopback."""

from __future__ import annotations

import email
import email.policy
import http.server
import json
import os
import socketserver
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from ..alert_events import FAILED_EVENT

EXAMPLES = Path(__file__).resolve().parents[3] / "examples" / "alerts"
EVENT = {**FAILED_EVENT, "message": "The training default has failed. Größe ändern.", "action": "Train again."}


class Webhook(http.server.BaseHTTPRequestHandler):
    """A server that writes down what it is posted."""

    def do_GET(self) -> None:
        self.server.asked.append(f"GET {self.path}")
        self.send_response(200)
        self.end_headers()

    def do_POST(self) -> None:
        self.server.asked.append(f"POST {self.path}")
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.posted.append((self.path, self.headers["Authorization"], body))
        self.send_response(self.server.status)
        if self.server.status == 302:
            self.send_header("Location", f"http://localhost:{self.server.server_address[1]}/elsewhere")
        self.end_headers()

    def log_message(self, *_anything: object) -> None:
        """Say nothing."""


class Mail(socketserver.StreamRequestHandler):
    """As much of a server of mail as it takes to be told."""

    def handle(self) -> None:
        self._say("220 loopback")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 go on")
                lines = []
                while (text := self.rfile.readline()) != b".\r\n":
                    lines.append(text)
                self.server.mails.append(b"".join(lines))
            if word == "RCPT" and "nobody@" in line:
                self._say("550 no such user")
            elif word == "QUIT":
                return self._say("221 bye")
            else:
                self._say("250 loopback" if word != "EHLO" else "250 8BITMIME")
        return None

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def serving(server: socketserver.TCPServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def webhook() -> Iterator[tuple[Any, int]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Webhook)
    server.posted, server.asked, server.status = [], [], 200
    with serving(server) as port:
        yield server, port


@pytest.fixture
def mail() -> Iterator[tuple[Any, int]]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Mail)
    server.mails = []
    with serving(server) as port:
        yield server, port


def tell(
    name: str, *arguments: str, credentials: Path | None = None, **changes: Any
) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "no_proxy": "*"}
    if credentials:
        environment["CREDENTIALS_DIRECTORY"] = str(credentials)
    return subprocess.run(
        [sys.executable, "-I", str(EXAMPLES / name), *arguments],
        input=json.dumps({**EVENT, **changes}),
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_event_is_posted_as_it_is(webhook) -> None:
    server, port = webhook
    done = tell("webhook.py", "--url", f"http://127.0.0.1:{port}/hook")
    assert (done.returncode, done.stderr) == (0, "")
    assert server.posted == [("/hook", None, EVENT)]


def test_address_and_token_are_credentials_and_a_chat_gets_a_line(webhook, tmp_path) -> None:
    server, port = webhook
    (tmp_path / "url").write_text(f"http://127.0.0.1:{port}/secret\n")
    (tmp_path / "token").write_text("t0ken\n")
    assert tell("webhook.py", "--text", credentials=tmp_path).returncode == 0
    assert tell("webhook.py", "--text", credentials=tmp_path, state="over", message="It goes on.").returncode == 0
    line = "[ERROR] aggregator: The training default has failed. Größe ändern. Train again."
    assert server.posted == [
        ("/secret", "Bearer t0ken", {"text": line}),
        ("/secret", "Bearer t0ken", {"text": "[OVER] aggregator: It goes on."}),
    ]


def test_a_redirect_takes_the_token_nowhere_else(webhook, tmp_path) -> None:
    server, port = webhook
    server.status = 302
    (tmp_path / "token").write_text("t0ken\n")
    done = tell("webhook.py", "--url", f"http://127.0.0.1:{port}/hook", credentials=tmp_path)
    assert (done.returncode, done.stderr) == (1, "The webhook answers 302 Found.\n")
    assert server.asked == ["POST /hook"]


def test_what_sites_have_said_calls_nobody_in_a_chat(webhook) -> None:
    server, port = webhook
    told = "<!channel> [x](<https://evil.example.org>) @here &lt;"
    tell("webhook.py", "--text", "--url", f"http://127.0.0.1:{port}/hook", message=told, state="over")
    ((dummy_path, dummy_token, body),) = server.posted
    assert not set(body["text"].replace("@\u200b", "")) & set("<>@")


def test_a_webhook_that_refuses_or_is_away_is_told_without_its_address(webhook, tmp_path) -> None:
    server, port = webhook
    server.status = 503
    (tmp_path / "url").write_text(f"http://127.0.0.1:{port}/secret")
    done = tell("webhook.py", credentials=tmp_path)
    assert (done.returncode, done.stderr) == (1, "The webhook answers 503 Service Unavailable.\n")
    (tmp_path / "url").write_text("http://127.0.0.1:9/secret")
    done = tell("webhook.py", credentials=tmp_path)
    assert (done.returncode, "secret" in done.stderr) == (1, False)


def test_nothing_is_posted_in_the_clear_to_another_host() -> None:
    done = tell("webhook.py", "--url", "http://hooks.example.org/x")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("The address must begin with https://.")


def test_a_mail_is_written(mail) -> None:
    server, port = mail
    given = ("--server", "127.0.0.1", "--port", str(port), "--from", "flower@example.org", "--to", "ops@example.org")
    done = tell("mail.py", *given, "--to", "night@example.org")
    assert (done.returncode, done.stderr) == (0, "")
    (content,) = server.mails
    message = email.message_from_bytes(content, policy=email.policy.default)
    assert message["Subject"] == "[ERROR] aggregator: The training default has failed. Größe ändern."
    assert (message["To"], message["Message-ID"]) == (
        "ops@example.org, night@example.org",
        "<0290a27d-1@alerts.fedops.flower>",
    )
    assert message.get_content().splitlines() == [
        "The training default has failed. Größe ändern.",
        "",
        "Train again.",
        "",
        "since: 2027-01-15T08:00:00+00:00",
        "seen: 2027-01-15T08:01:00+00:00",
        "alert: training_failed",
        "training: default",
        "reason: app",
        "run_id: 7",
    ]


def test_a_mail_that_is_not_taken_is_told(mail) -> None:
    _server, port = mail
    given = ("--server", "127.0.0.1", "--port", str(port), "--from", "flower@example.org")
    done = tell("mail.py", *given, "--to", "nobody@example.org")
    assert (done.returncode, done.stderr.startswith("The mail is not sent: ")) == (1, True)


def test_a_long_message_has_a_short_subject(mail) -> None:
    server, port = mail
    given = ("--server", "127.0.0.1", "--port", str(port), "--from", "flower@example.org", "--to", "ops@example.org")
    assert tell("mail.py", *given, message="x" * 2000, state="over").returncode == 0
    message = email.message_from_bytes(server.mails[0], policy=email.policy.default)
    assert len(message["Subject"]) == 150
    assert message["Subject"].startswith("[OVER] aggregator: xxx")
