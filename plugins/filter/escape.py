# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.errors import AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base import escape as _escape
from ansible_collections.fedops.flower.plugins.plugin_utils._errors import errors_as
from jinja2.runtime import Undefined


def _told(escape: Callable[..., str]) -> Callable[..., str]:
    def face(value: object, *arguments: object) -> str:
        if isinstance(value, Undefined):
            value._fail_with_undefined_error()
        with errors_as(AnsibleFilterError, TypeError):
            return escape(*arguments, value)

    return face


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {
            "environment_line": _told(_escape.environment_line),
            "nginx_value": _told(_escape.nginx_value),
            "toml_value": _told(_escape.toml_value),
            "unit_argument": _told(_escape.unit_argument),
            "unit_environment": _told(_escape.unit_environment),
            "unit_path": _told(_escape.unit_path),
            "unit_text": _told(_escape.unit_text),
        }
