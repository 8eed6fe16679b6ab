# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What every module of the collection is made of: what it returns can only be read, and there is only so much of it.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import traceback
import typing as t
from contextlib import contextmanager

from ansible.module_utils import basic

from .errors import FedopsError
from .guarded import UnsafeFileError
from .jsonable import PAGE, Bounds, harmless, harmless_value

# A history may be long, and a difference shows whole files.
RESULT = Bounds(text=100_000, key=1000, items=100_000, depth=24, total=2_000_000, multiline=True)


class AnsibleModule(basic.AnsibleModule):
    """A module that may find anything on its host, what sites, apps and accounts have written included."""

    def exit_json(self, **result: t.Any) -> t.NoReturn:  # type: ignore[misc]  # Ansible's own never returns
        super().exit_json(**harmless_value(result, RESULT))

    def fail_json(self, msg: str, **result: t.Any) -> t.NoReturn:  # type: ignore[misc]  # nor does this one
        super().fail_json(msg=harmless(str(msg), PAGE, multiline=True), **harmless_value(result, RESULT))

    @contextmanager
    def explaining(
        self, deed: str, place: str = "", advice: str = "", found: t.Callable[[], dict[str, t.Any]] = dict
    ) -> t.Iterator[None]:
        """Fail with what an error of ours says, the name of a missing library, or what an error of the system means.

        The last reads C(<path> cannot be <deed>: <why>.), where the path is C(place) if the system names none.
        C(found) gives what else the module returns then.
        """
        try:
            yield
        except FedopsError as error:
            self.fail_json(msg=str(error), **found())
        except UnsafeFileError as error:
            self.fail_json(msg=f"{error}. {advice}".rstrip(), **found())
        except ImportError as error:
            self.fail_json(
                msg=basic.missing_required_lib(str(error.name).partition(".")[0]),
                exception=traceback.format_exc(),
                **found(),
            )
        except OSError as error:
            why = error.strerror or str(error)
            self.fail_json(msg=f"{error.filename or place} cannot be {deed}: {why}. {advice}".rstrip(), **found())

    def warn(self, warning: str, **how: t.Any) -> None:
        super().warn(harmless(str(warning)), **how)
