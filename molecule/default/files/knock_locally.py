# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Knock at ports of this host as several users; print whether each connection was refused, as JSON. Needs root.
#   knock_locally.py PORT,PORT USER...
import json
import os
import pwd
import socket
import sys


def knock(user: str, port: int) -> str:
    """Try to connect as a user, in a process of its own."""
    receive, send = os.pipe()
    if os.fork() == 0:
        account = pwd.getpwnam(user)
        os.setgroups([])
        os.setgid(account.pw_gid)
        os.setuid(account.pw_uid)
        try:
            socket.create_connection(("127.0.0.1", port), timeout=5).close()
            os.write(send, b"open")
        except OSError:
            os.write(send, b"refused")
        os._exit(0)
    os.close(send)
    with open(receive) as answer:
        os.wait()
        return answer.read()


ports = [int(port) for port in sys.argv[1].split(",")]
json.dump({user: [knock(user, port) for port in ports] for user in sys.argv[2:]}, sys.stdout)
