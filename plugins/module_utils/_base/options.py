# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Options that several modules take, as an argument spec has them. Their words are in the fragments of the same names.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t

from .home import CHECKPOINTS, HOME, below
from .layout import APPS, POINTS, REGISTRY_ACCOUNT, REGISTRY_STATE, folder

Options = dict[str, dict[str, t.Any]]

HOME_OPTION: Options = {"home": {"type": "path", "default": HOME}}
FLWR_OPTIONS: Options = {**HOME_OPTION, "superlink": {"type": "str", "default": "local"}}
CHECKPOINTS_OPTION: Options = {"path": {"type": "path", "default": below(HOME, CHECKPOINTS)}}
OWNER_OPTIONS: Options = {name: {"type": "int", "default": APPS.number} for name in ("uid", "gid")}
POINTS_OPTION: Options = {"points": {"type": "path", "default": folder(HOME, POINTS)}}
PIECE_OPTIONS: Options = {"file": {"type": "str"}, "offset": {"type": "int", "default": 0}}
_AUTHORITY_OPTIONS: Options = {
    "ca_certificate": {"type": "path", "required": True},
    "ca_private_key": {"type": "path", "required": True},
    "ca_passphrase": {"type": "str", "no_log": True},
}
# Of the module model_package, and of its action, which reads them on the controller.
PACKAGE_OPTIONS: Options = {
    **CHECKPOINTS_OPTION,
    **HOME_OPTION,
    "training": {"type": "str", "default": "default"},
    "round": {"type": "str"},
    "name": {"type": "str"},
    "dest": {"type": "path", "required": True},
    "files": {"type": "list", "elements": "path", "default": []},
    "base_model": {"type": "str"},
    "base_sha256": {"type": "str"},
    **_AUTHORITY_OPTIONS,
}
# Of the module model_promote, and of its action.
PROMOTE_OPTIONS: Options = {
    "package": {"type": "path"},
    "model": {"type": "str"},
    "from_channel": {"type": "str"},
    "channels": {"type": "list", "elements": "str", "default": ["stable"]},
    "directory": {"type": "path", "default": REGISTRY_STATE},
    "group": {"type": "str", "default": REGISTRY_ACCOUNT.name},
    "keep": {"type": "int", "default": 10},
    "min_accuracy": {"type": "float"},
    "max_loss": {"type": "float"},
    "tolerance": {"type": "float", "default": 0.0},
    "worse": {"type": "bool", "default": False},
    **_AUTHORITY_OPTIONS,
}
# Of publishing one. What goes to the host is what packing it takes.
PUBLISH_OPTIONS: Options = {
    **PACKAGE_OPTIONS,
    "to": {"type": "str", "choices": ["directory", "s3", "huggingface", "mlflow"], "required": True},
    "dest": {"type": "str", "required": True},
    "probe": {"type": "bool", "default": False},
    "rules": {"type": "list", "elements": "str", "default": []},
    "license": {"type": "str"},
    "tracker_url": {"type": "str"},
    "rclone": {"type": "path", "default": "/usr/bin/rclone"},
    "s3_provider": {"type": "str", "default": "Other"},
    "s3_endpoint": {"type": "str"},
    "s3_region": {"type": "str"},
    "s3_access_key_id": {"type": "str"},
    "s3_secret_access_key": {"type": "str", "no_log": True},
    "s3_ca_file": {"type": "path"},
    "endpoint": {"type": "str"},
    "private": {"type": "bool", "default": True},
    "username": {"type": "str"},
    "token_file": {"type": "path", "no_log": False},
    "server_ca_file": {"type": "path"},
    "library_python": {"type": "path"},
    "environments": {"type": "path", "default": "~/.cache/fedops-flower"},
    "library_wheelhouse": {"type": "path"},
    "library_index_url": {"type": "str", "no_log": True},
}
