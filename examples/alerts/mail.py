#!/usr/bin/python3
# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Write a mail of what an operator is told: the event on standard input, to a server that speaks SMTP.

For training_alert_command. A program without rights cannot use sendmail, which takes those of another group; a server
on the same host, such as Postfix on port 25, takes it by SMTP as well. The credential C(password) belongs to --user.
"""

from __future__ import annotations

import argparse
import json
import os
import smtplib
import ssl
import sys
from email.message import EmailMessage
from pathlib import Path

LONGEST_SUBJECT = 150  # characters
PORTS = {"none": 25, "starttls": 587, "tls": 465}


def credential(name: str) -> str:
    """Return what systemd has handed over by a name; empty where it has not."""
    folder = os.environ.get("CREDENTIALS_DIRECTORY")
    path = Path(folder, name) if folder else None
    return path.read_text("utf-8").strip() if path and path.is_file() else ""


def mail(event: dict, sender: str, to: list[str]) -> EmailMessage:
    """Return an event as a mail."""
    message = EmailMessage()
    mark = "OVER" if event["state"] == "over" else event["severity"].upper()
    subject = f"[{mark}] {event['host']}: {event['message']}"
    message["Subject"] = subject if len(subject) <= LONGEST_SUBJECT else f"{subject[: LONGEST_SUBJECT - 3]}..."
    message["From"], message["To"] = sender, ", ".join(to)
    # The same for each attempt, so that a mail program shows it once.
    message["Message-ID"] = f"<{event['id']}@alerts.fedops.flower>"
    message["Auto-Submitted"] = "auto-generated"
    facts = {
        key: event[key] for key in ("alert", "training", "site", "path", "reason", "run_id", "round") if event[key]
    }
    lines = [event["message"], "", *([event["action"], ""] if event["state"] == "standing" else [])]
    lines += [f"{key}: {value}" for key, value in {"since": event["since"], "seen": event["time"], **facts}.items()]
    message.set_content("\n".join(lines) + "\n")
    return message


def main() -> int:
    """Send the event on standard input."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", default="localhost", help="the server of outgoing mail")
    parser.add_argument("--port", type=int, help="its port; by default 25, 587 or 465, as --security asks for")
    parser.add_argument("--security", choices=[*PORTS], default="none", help="none is for a server on this host alone")
    parser.add_argument("--from", dest="sender", required=True, help="who writes")
    parser.add_argument("--to", action="append", required=True, help="who is told; give it more than once for several")
    parser.add_argument("--user", default="", help="the name at the server; the credential password belongs to it")
    parser.add_argument("--timeout", type=float, default=20, help="seconds that the server has for each answer")
    options = parser.parse_args()
    message = mail(json.load(sys.stdin), options.sender, options.to)
    port, context = options.port or PORTS[options.security], ssl.create_default_context()
    try:
        if options.security == "tls":
            server = smtplib.SMTP_SSL(options.server, port, timeout=options.timeout, context=context)
        else:
            server = smtplib.SMTP(options.server, port, timeout=options.timeout)
        with server:
            if options.security == "starttls":
                server.starttls(context=context)
            if options.user:
                server.login(options.user, credential("password"))
            server.send_message(message)
    except (OSError, smtplib.SMTPException) as error:
        print(f"The mail is not sent: {error}.", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
