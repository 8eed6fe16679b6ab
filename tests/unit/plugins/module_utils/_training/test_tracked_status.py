# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

from ansible_collections.fedops.flower.plugins.module_utils._training import status_page


def test_trackers_are_told_with_what_they_lack() -> None:
    rows = [{"name": f"ward-{number}", "told": number, "newest": 6, "closed": ""} for number in range(6)]
    trackers = [
        {"name": "mlflow", "problem": "ward-1: MlflowException: away", "trainings": rows},
        {"name": "csv", "problem": None, "trainings": [{"name": "default", "told": None, "newest": None}]},
    ]
    picture = {"superlink": {"host": "h"}, "supernodes": [], "trainings": []}
    assert status_page.render({**picture, "trackers": []}) == status_page.render(picture)
    assert status_page.render({**picture, "trackers": trackers}).split("\n\n")[4:] == [
        "Trackers     mlflow: ward-0 up to round 0 of 6; ward-1 up to round 1 of 6; ward-2 up to round 2 of 6;"
        " ward-3 up to round 3 of 6; ward-4 up to round 4 of 6 and 1 more\n"
        "  WARNING. ward-1: MlflowException: away. It tries again; the training does not wait.\n"
        "             csv: default up to round 0 of 0"
    ]
