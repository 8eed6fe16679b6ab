# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where a virtual machine of OpenNebula has its context, and how it is read there.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import os
import subprocess

from .._base.errors import FedopsError
from .._base.options import Options

CONTEXT_OPTIONS: Options = {
    "directory": {"type": "path", "default": "/var/run/one-context"},
    "device": {"type": "path", "default": "/dev/disk/by-label/CONTEXT"},
}
# What the packages of OpenNebula leave, and what the device has: variables, and the token for OneGate.
CONTEXT_FILES, TOKEN_FILE = ("one_env", "context.sh"), ("token.txt",)
LARGEST = 1 << 20  # bytes; OpenNebula's own templates have 64 KiB at most
# In a mount namespace of its own, so that nothing of it is left behind.
MOUNTED = 'mount -o ro,nosuid,nodev,noexec "$1" "$2" && exec head -c "$3" "$2/$4"'


class NoContextError(FedopsError):
    """The host has no context, or one that cannot be read."""


def read(directory: str, device: str, below: str, names: tuple[str, ...] = CONTEXT_FILES) -> tuple[str | None, str]:
    """The place and the text of a file of the context, whatever it is called; nothing and an empty text without one.

    The device is mounted at C(below), and has the last of the names.
    """
    for name in names:
        path = os.path.join(directory, name)
        if os.path.exists(path):
            with open(path, "rb") as file:
                return path, file.read(LARGEST).decode("utf-8", "replace")
    return (device, _on_device(device, below, names[-1])) if os.path.exists(device) else (None, "")


def _on_device(device: str, below: str, name: str) -> str:
    command = ["unshare", "--mount", "sh", "-c", MOUNTED, "sh", device, below, str(LARGEST), name]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "replace").strip()
        raise NoContextError(f"The context on {device} cannot be read: {said}. Run it as root.")
    return done.stdout.decode("utf-8", "replace")
