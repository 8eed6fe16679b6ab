# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the variables of trackers may say.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t
from urllib.parse import urlsplit

from .._base.layout import TRACKERS
from .._base.notation import show
from .figures import NO_SITES

SITES = (NO_SITES, "pseudonyms", "real")
_MODES = ("online", "offline")
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_PLACE = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,127}")
_WORD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_SECRET = re.compile(r"[!-~]+")
_OF_MLFLOW, _OF_WANDB = ("mlflow_username", "mlflow_password", "mlflow_token"), ("wandb_api_key",)


def names_of(value: t.Any) -> list[str]:
    """Return the trackers that are asked for; a survey gives them as one text."""
    words = re.split(r"[,\s]+", value) if isinstance(value, str) else list(value or [])
    return list(dict.fromkeys(str(word) for word in words if word))


def tracker_problems(wanted: t.Any, given: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with training_trackers and the variables C(trackers_*), one sentence or two each."""
    if not isinstance(wanted, (str, list, tuple, type(None))):
        return [f"training_trackers is {show(wanted)} but must be a list of {', '.join(TRACKERS)}. [] follows nothing."]
    names = names_of(wanted)
    found = [
        f"training_trackers has {name!r} but may hold only {', '.join(TRACKERS)}. [] follows nothing."
        for name in names
        if name not in TRACKERS
    ]
    if not names:
        return found
    text = {key: "" if value is None else str(value) for key, value in given.items()}
    if text["sites"] and text["sites"] not in SITES:
        found.append(
            f"trackers_sites is {text['sites']!r} but must be one of {', '.join(SITES)}. It says what trackers are told"
            " of single sites, and by which names."
        )
    if text["ca_file"] and not re.fullmatch(r"/[A-Za-z0-9._+=@,/-]*", text["ca_file"]):
        found.append(
            f"trackers_ca_file is {text['ca_file']!r} but must be the absolute path of a file on the SuperLink host."
        )
    if "mlflow" in names:
        found += _mlflow_problems(text)
    if "wandb" in names:
        found += _wandb_problems(text)
    return found


def _mlflow_problems(text: t.Mapping[str, str]) -> list[str]:
    secrets = [key for key in _OF_MLFLOW if text[key]]
    found = _url_problems("mlflow_uri", text["mlflow_uri"], bool(secrets), "https://mlflow.example.org", "files")
    if text["mlflow_experiment"] and not _PLACE.fullmatch(text["mlflow_experiment"]):
        found.append(
            f"trackers_mlflow_experiment is {text['mlflow_experiment']!r} but must be a name of letters, digits,"
            " blanks, dots, hyphens and underscores. Leave it empty for the name of the training."
        )
    if bool(text["mlflow_username"]) != bool(text["mlflow_password"]):
        found.append("trackers_mlflow_username and trackers_mlflow_password need each other. Set both, or neither.")
    if text["mlflow_token"] and text["mlflow_username"]:
        found.append(
            "trackers_mlflow_token and trackers_mlflow_username are both set. MLflow takes one: clear the other."
        )
    if secrets and not text["mlflow_uri"]:
        found.append(f"trackers_{secrets[0]} is set but trackers_mlflow_uri is empty. Name the server, or clear it.")
    return found + _secret_problems(text, _OF_MLFLOW)


def _wandb_problems(text: t.Mapping[str, str]) -> list[str]:
    found = _url_problems("wandb_base_url", text["wandb_base_url"], True, "https://wandb.example.org", "wandb.ai")
    if text["wandb_mode"] and text["wandb_mode"] not in _MODES:
        found.append(
            f"trackers_wandb_mode is {text['wandb_mode']!r} but must be one of {', '.join(_MODES)}. offline writes"
            " files for 'wandb sync', online needs trackers_wandb_api_key."
        )
    for key, why in (("wandb_project", "Leave it empty for fedops."), ("wandb_entity", "Leave it empty for your own.")):
        if text[key] and not _WORD.fullmatch(text[key]):
            found.append(
                f"trackers_{key} is {text[key]!r} but must be one word of letters, digits, dots, hyphens and"
                f" underscores. {why}"
            )
    if text["wandb_mode"] == "online" and not text["wandb_api_key"]:
        found.append("trackers_wandb_mode is online, which needs trackers_wandb_api_key. Set it, from a vault.")
    return found + _secret_problems(text, _OF_WANDB)


def _secret_problems(text: t.Mapping[str, str], keys: t.Iterable[str]) -> list[str]:
    """Say nothing of what they are."""
    return [
        f"trackers_{key} must be one word without blanks. Set it, from a vault."
        for key in keys
        if text[key] and not _SECRET.fullmatch(text[key])
    ]


def _url_problems(key: str, url: str, with_secrets: bool, example: str, otherwise: str) -> list[str]:
    if not url:
        return []
    try:
        parts = urlsplit(url)
        host = parts.hostname
    except ValueError:
        host = None
    if not host or not _SECRET.fullmatch(url) or parts.scheme not in ("http", "https"):
        return [f"trackers_{key} is {url!r} but must be a URL such as {example}. Leave it empty for {otherwise}."]
    if parts.username or parts.password:
        return [
            f"trackers_{key} must not hold a user or a password: it is shown. Give them by variables of their own, from"
            " a vault."
        ]
    if parts.scheme == "http" and with_secrets and host not in _LOOPBACK:
        return [
            f"trackers_{key} is {url!r} but must begin with https: what it is opened with would travel in clear."
            " http is for this host itself (127.0.0.1)."
        ]
    return []
