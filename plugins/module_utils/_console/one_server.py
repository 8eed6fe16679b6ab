# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""OpenNebula's XML-RPC endpoint, as pyone speaks with it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager

from ansible.module_utils.basic import env_fallback

from .._base.errors import FedopsError
from .._base.options import Options

# Which objects of a pool: those of the user, or all that the user may use. -1 is no limit.
MINE, USABLE = (-3, -1, -1), (-2, -1, -1)
REPLACE = 0  # a whole template, instead of what it has in common with the new one
ONE_OPTIONS: Options = {
    "api_url": {"type": "str", "fallback": (env_fallback, ["ONE_URL"]), "required": True},
    "api_username": {"type": "str", "fallback": (env_fallback, ["ONE_USERNAME"]), "required": True},
    "api_password": {"type": "str", "fallback": (env_fallback, ["ONE_PASSWORD"]), "required": True, "no_log": True},
    "validate_certs": {"type": "bool", "default": True},
}


class OneServerError(FedopsError):
    """OpenNebula refused a call, did not answer, or has not what was named."""


@contextmanager
def connected(params: Mapping[str, t.Any]) -> Iterator[t.Any]:
    """The endpoint of these parameters; what it refuses is an error of ours."""
    import pyone
    import requests

    session = f"{params['api_username']}:{params['api_password']}"
    try:
        yield pyone.OneServer(params["api_url"], session=session, https_verify=params["validate_certs"])
    except pyone.OneException as error:
        raise OneServerError(f"OpenNebula says: {error}. Correct that, and run the playbook again.") from error
    except (requests.RequestException, OSError) as error:
        # Not what the exception says: it may quote the request, which has the password in it.
        raise OneServerError(
            f"OpenNebula at {params['api_url']} does not answer ({type(error).__name__}). Look whether ONE_URL is the"
            " address of its XML-RPC endpoint, such as http://one.example.org:2633/RPC2."
        ) from error


def named(pool: Iterable[t.Any], name: str) -> t.Any:
    """What a pool has under a name, or under a number given as text; None when there is nothing."""
    found = [each for each in pool if name in (each.NAME, str(each.ID))]
    if len(found) > 1:
        numbers = ", ".join(str(each.ID) for each in found)
        raise OneServerError(f"OpenNebula has several called {name}: {numbers}. Give the number of one of them.")
    return found[0] if found else None


def required(pool: Iterable[t.Any], name: str, what: str) -> t.Any:
    """The same, where one has to be there."""
    pool = list(pool)
    found = named(pool, name)
    if found is None:
        there = ", ".join(sorted(each.NAME for each in pool)) or "none"
        raise OneServerError(f"OpenNebula has no {what} called {name} that this user may use. There are: {there}.")
    return found
