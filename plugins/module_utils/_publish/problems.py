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

PLACES_TO_PUBLISH = ("directory", "s3")
_ROUND = re.compile("[1-9][0-9]*|best")
_BUCKET = re.compile(r"(?:s3://)?[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](?:/[\w.=@+-]+)*/?")
_LOCAL = re.compile(r"http://(?:localhost|127\.0\.0\.1|\[::1\])(?::\d+)?(?:/.*)?")


def publish_problems(given: t.Mapping[str, t.Any]) -> list[str]:
    """Return what is wrong with the variables C(publish_*), which C(given) has without C(publish_)."""
    to, dest = given.get("to") or "", given.get("dest") or ""
    found = []
    if to not in PLACES_TO_PUBLISH:
        found.append(f"publish_to is {show(to)} but must be one of {', '.join(PLACES_TO_PUBLISH)}.")
    if not dest:
        found.append(
            "publish_dest is not set. Set it to where models are published: a directory on the controller, or a bucket"
            " with a folder in it, such as models/digits."
        )
    elif to == "s3" and not _BUCKET.fullmatch(str(dest)):
        found.append(f"publish_dest is {show(dest)} but must be a bucket with folders in it, such as models/digits.")
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
    return found
