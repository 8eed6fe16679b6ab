# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What errors of ours are to Ansible, in filters and actions.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ansible.errors import AnsibleError, AnsibleFilterError
from ansible_collections.fedops.flower.plugins.module_utils._base.errors import FedopsError
from ansible_collections.fedops.flower.plugins.module_utils._base.jsonable import PAGE, harmless


@contextmanager
def errors_as(kind: type[AnsibleError], *more: type[Exception]) -> Iterator[None]:
    """Raise an error of ours, or of one of these other kinds, as one of Ansible's with the same message."""
    kinds: tuple[type[Exception], ...] = (FedopsError, *more)
    try:
        yield
    except kinds as error:
        raise kind(harmless(str(error), PAGE, multiline=True)) from error


@contextmanager
def expecting(said: str, *kinds: type[Exception]) -> Iterator[None]:
    """Raise what an input of another shape leads to as the error of a filter; C(said) tells what it is not."""
    shapes: tuple[type[Exception], ...] = (AttributeError, KeyError, TypeError, *kinds)
    try:
        yield
    except shapes as error:
        raise AnsibleFilterError(f"{said}: {error!r}.") from error
