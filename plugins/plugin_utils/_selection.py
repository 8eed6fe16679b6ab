# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the tags of a run leave it anything to do, as C(--list-tasks) would tell.

Private to the collection: it may change at any time.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ansible import context
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.play import Play
from ansible.utils.collection_loader._collection_finder import _get_collection_playbook_path
from ansible.vars.manager import VariableManager


def nothing_selected(loader: DataLoader) -> str | None:
    """Return why the tags of this run select nothing but its checks, with what to write, or None where they do more."""
    given = context.CLIARGS
    options = {"--tags": {*given.get("tags", ())} - {"all"}, "--skip-tags": {*given.get("skip_tags", ())}}
    written = " ".join(f"{option} {','.join(sorted(names))}" for option, names in options.items() if names)
    if not written:
        return None
    variables = VariableManager(loader=loader, inventory=InventoryManager(loader=loader, parse=False))
    extra = variables.get_vars(include_hostvars=False)
    tags: set[str] = set()
    for play in _plays(given.get("args", ()), loader, variables):
        for task in (task for block in play.compile() for task in block.get_tasks()):
            # What always runs are checks.
            if task.implicit or "always" in task.tags:
                continue
            if task.evaluate_tags(play.only_tags, play.skip_tags, all_vars={**play.get_vars(), **extra}):
                return None
            tags.update(task.tags or task.untagged)
    if not tags:
        return None
    return (
        f"Nothing would be done with {written}. The tags of this playbook are {', '.join(sorted(tags))}:"
        " choose among them, or leave the option out."
    )


def _plays(playbooks: Sequence[str], loader: DataLoader, variables: VariableManager) -> Iterator[Play]:
    for name in playbooks:
        found = _get_collection_playbook_path(name)
        path = name if found is None else found[1]
        yield from Playbook.load(path, variable_manager=variables, loader=loader).get_plays()
