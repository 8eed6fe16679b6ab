# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What an operator may ask of a publication, before anything is trained.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import re
import typing as t

from .._base.notation import as_list, show
from .._delivery.contents import NAME_OF_PACKAGE
from .gate import PublishError, metric_rules

PLACES_TO_PUBLISH = ("directory", "s3", "huggingface", "mlflow")
_ROUND = re.compile("[1-9][0-9]*|best")
_BUCKET = re.compile(r"(?:s3://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[\w.=@+-]+)*/?")
_REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]{0,95}/[A-Za-z0-9](?:[\w.-]{0,94}[\w])?")
_REGISTERED = re.compile(r"[A-Za-z0-9][\w. -]{0,127}")
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/.*)?")


def publish_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the variables C(publish_*), which C(given) has without C(publish_)."""
    to, dest = given.get("to") or "", given.get("dest") or ""
    found = []
    if to not in PLACES_TO_PUBLISH:
        found.append(f"publish_to is {show(to)} but must be one of {', '.join(PLACES_TO_PUBLISH)}.")
    if not dest:
        found.append(
            "publish_dest is not set. Set it to where models are published: a directory on the controller, a bucket"
            " with a folder in it, such as models/digits, a repository of the Hugging Face Hub or a model of MLflow."
        )
    elif to == "s3" and not _BUCKET.fullmatch(str(dest)):
        found.append(f"publish_dest is {show(dest)} but must be a bucket with folders in it, such as models/digits.")
    elif to == "huggingface" and (not _REPOSITORY.fullmatch(str(dest)) or re.search(r"--|\.\.|\.git$", str(dest))):
        found.append(
            f"publish_dest is {show(dest)} but must be a repository of the Hugging Face Hub, such as hospitals/digits."
        )
    elif to == "mlflow" and not _REGISTERED.fullmatch(str(dest)):
        found.append(
            f"publish_dest is {show(dest)} but must be the name of a registered model of MLflow: letters, digits,"
            " blanks, dots, hyphens and underscores."
        )
    try:
        metric_rules(as_list(given.get("rules") or []))
    except PublishError as error:
        found.append(f"publish_rules cannot be kept. {error}")
    name, number = given.get("name"), given.get("round")
    if name and not NAME_OF_PACKAGE.fullmatch(str(name)):
        found.append(f"publish_name is {show(name)} but must be 1 to 40 small letters, digits and hyphens.")
    if number and not _ROUND.fullmatch(str(number)):
        found.append(f"publish_round is {show(number)} but must be the number of a round, or best.")
    endpoint = str(given.get("s3_endpoint") or "")
    if endpoint.startswith("http://") and not _LOCAL.fullmatch(endpoint):
        found.append(f"publish_s3_endpoint is {show(endpoint)} but must begin with https://, or be of this host.")
    return found + (_server_problems(to, given) if to in ("huggingface", "mlflow") else [])


def _server_problems(to: str, given: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with how a server with a library of its own is reached."""
    endpoint, token = str(given.get("endpoint") or ""), str(given.get("token_file") or "")
    found = []
    if to == "mlflow" and not endpoint:
        found.append(
            "publish_endpoint is not set. Set it to the URL of MLflow's server, as https://mlflow.example.org."
        )
    if endpoint and not (re.fullmatch(r"https://[^\s@/]+(?:/[^\s@]*)?", endpoint) or _LOCAL.fullmatch(endpoint)):
        found.append(
            f"publish_endpoint is {show(endpoint)} but must begin with https:// and hold no user, or be of this host."
        )
    if to == "huggingface" and not token:
        found.append("publish_token_file is not set. The Hugging Face Hub takes a model only from who has a token.")
    if given.get("username") and not token:
        found.append("publish_username is set but publish_token_file, the file with the password, is not.")
    return found
