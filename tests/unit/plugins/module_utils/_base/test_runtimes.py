# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
from ansible_collections.fedops.flower.plugins.module_utils._base.runtimes import (
    DEPLOYED,
    RUNTIMES,
    RuntimeKindError,
    command,
)


def test_a_program_is_started_from_the_home_whatever_that_is_called() -> None:
    assert command("/srv/{program}%%", "flower-superlink", "venv") == "/srv/{program}%%/venv/bin/flower-superlink"


@pytest.mark.parametrize("runtime", [*(set(RUNTIMES) - {*DEPLOYED}), "vm"])
def test_a_runtime_that_we_do_not_deploy_starts_nothing(runtime) -> None:
    with pytest.raises(
        RuntimeKindError, match=f"runtime_kind is '{runtime}' but must be one of {', '.join(DEPLOYED)}."
    ):
        command("/opt/flower", "flower-superlink", runtime)
