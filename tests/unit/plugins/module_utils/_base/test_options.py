# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

import pytest
import yaml
from ansible_collections.fedops.flower.plugins.doc_fragments import flwr, layout, sent
from ansible_collections.fedops.flower.plugins.module_utils._base import options


@pytest.mark.parametrize(
    ("spec", "fragment"),
    [
        (options.HOME_OPTION, layout.ModuleDocFragment.DOCUMENTATION),
        (options.FLWR_OPTIONS, flwr.ModuleDocFragment.DOCUMENTATION),
        (options.CHECKPOINTS_OPTION, layout.ModuleDocFragment.CHECKPOINTS),
        (options.OWNER_OPTIONS, layout.ModuleDocFragment.OWNER),
        (options.POINTS_OPTION, layout.ModuleDocFragment.POINTS),
        (options.PIECE_OPTIONS, sent.ModuleDocFragment.PIECE),
    ],
)
def test_an_option_is_documented_as_it_is_taken(spec: options.Options, fragment: str) -> None:
    documented = yaml.safe_load(fragment)["options"]
    assert {
        name: {key: value for key, value in option.items() if key != "description"}
        for name, option in documented.items()
    } == spec
