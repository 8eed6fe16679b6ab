#!/usr/bin/python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Post what an operator is told to a webhook: the event on standard input, as it is or as a line of text.

For training_alert_command. The address may be a secret, and comes from the credential C(url) unless --url gives it;
the credential C(token), where there is one, is sent as a bearer token.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def credential(name: str) -> str:
    """Return what systemd has handed over by a name; empty where it has not."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, name) if folder else None
    return path.read_text("utf-8").strip() if path and path.is_file() else ""


def line(event: dict) -> str:
    """Return an event as a line for a chat."""
    mark = "OVER" if event["state"] == "over" else event["severity"].upper()
    what_to_do = "" if event["state"] == "over" else f" {event['action']}"
    text = f"[{mark}] {event['host']}: {event['message']}{what_to_do}"
    # What sites and apps have said makes no link and calls nobody: as Slack wants it, and no name after an @.
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("@", "@\u200b")


class Here(urllib.request.HTTPRedirectHandler):
    """Follows to no other address: the token is for this one."""

    def redirect_request(self, *_anything: object) -> None:
        """Leave the redirect as the answer, which is none that is wanted."""


def main() -> int:
    """Post the event on standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="", help="where to post; by default what the credential url says")
    parser.add_argument("--text", action="store_true", help='post {"text": …}, as Slack, Mattermost and others take it')
    parser.add_argument("--timeout", type=float, default=20, help="seconds that the server has")
    options = parser.parse_args()
    url = options.url or credential("url")
    address = urllib.parse.urlsplit(url)
    if address.scheme != "https" and not (address.scheme == "http" and address.hostname in LOOPBACK):
        print("The address must begin with https://. Give it with --url or as the credential url.", file=sys.stderr)
        return 2
    event = json.load(sys.stdin)
    body = json.dumps({"text": line(event)} if options.text else event).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json", "User-Agent": "fedops-alert"})
    if token := credential("token"):
        request.add_header("Authorization", f"Bearer {token}")
    try:
        with urllib.request.build_opener(Here).open(request, timeout=options.timeout):
            return 0
    except urllib.error.HTTPError as error:
        print(f"The webhook answers {error.code} {error.reason}.", file=sys.stderr)
    except OSError as error:  # with its address left out, which may be a secret
        print(f"The webhook does not answer: {getattr(error, 'reason', error)}.", file=sys.stderr)
    return 1


if __name__ == "__main__":
    raise SystemExit(main())
