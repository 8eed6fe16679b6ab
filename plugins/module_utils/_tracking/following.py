# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Having one tracker follow one training: every round once, whatever ends in between.

This file is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from contextlib import suppress

from .._supervisor.endings import FINISHED
from .._training.folder import TrainingFolder
from .figures import NO_SITES, Closing, Names, TrackedTraining, Word, about, facts_of, settings_of, tracked_round
from .tale import Tale, ended, put_away, result_in
from .tracker import Tracker, TrackerRun

_REAL = "real"  # names of sites
REPLACED = "replaced"  # by a training of the same name, before it has reached its end
_KEPT = {"key": "", "label": "", "link": "", "configuration": "", "told": 0, "newest": 0, "closed": "", "began": ""}


class Following:
    """One training on its way to a tracker.

    C(memory) is kept from one start of the program to the next, for whoever looks. It decides only of a training that
    is closed; of every other one the tracker itself says which rounds it has.
    """

    def __init__(
        self,
        folder: TrainingFolder,
        tracker: Tracker,
        memory: t.Mapping[str, t.Any] | None = None,
        sites: str = NO_SITES,
        place: str = "",
        said: t.Callable[[], t.Any] = lambda: None,
    ) -> None:
        self.folder, self._tracker, self._said, self._place = folder, tracker, said, place
        known = memory if isinstance(memory, dict) else {}
        self.memory: dict[str, t.Any] = {
            key: known[key] if type(known.get(key)) is type(usual) else usual for key, usual in _KEPT.items()
        }
        self._tale, self._names = Tale(folder), Names()
        self._run: TrackerRun | None = None
        self._passed_over = 0
        self._sites = sites
        self._word: Word | None = None if sites == NO_SITES else str

    def step(self) -> None:
        """Tell of what is new. Whatever goes wrong with the tracker is raised, and the next step begins anew."""
        if self._sites == _REAL:
            self._word = self.folder.site_names.real  # a site may have come
        state = ended(self.folder)  # first: what was written before an end is read after it
        try:
            while not self._listen():
                pass
            self._close(state)
        except BaseException:
            self.leave()
            self._count()
            raise

    def _count(self) -> None:
        """See how many rounds there are to tell."""
        tale = Tale(self.folder)
        for dummy_round in tale.rounds():
            self.memory["newest"] = tale.newest

    def leave(self) -> None:
        """Let go of the tracker's run."""
        run, self._run = self._run, None
        self._tale, self._names, self._passed_over = Tale(self.folder), Names(), 0
        if run is not None:
            with suppress(Exception):
                run.leave()

    def _listen(self) -> bool:
        """Tell of the rounds that are new; false when the tracker lacks earlier ones, which are to be told again."""
        for event, sites in self._tale.rounds():
            self._take_up(event)
            self.memory["newest"] = self._tale.newest
            number, one = event["round"], self._names.among(tracked_round(event, sites, self._word))
            if self._run is None:
                if self.memory["closed"] and number <= self.memory["told"]:
                    self._passed_over = number
                    continue
                if self._open().last < self._passed_over:
                    self._tale, self._names = Tale(self.folder), Names()
                    self._passed_over, self.memory["closed"] = 0, ""
                    return False
            run = self._run or self._open()
            if number > run.last:
                run.tell(one)
                self.memory.update(told=run.last, closed="")
            self._said()
        return True

    def _take_up(self, event: t.Mapping[str, t.Any]) -> None:
        """See whether it is another training now."""
        configuration = str(event.get("configuration_hash"))
        same = self._tale.continues and configuration == self.memory["configuration"]
        if self.memory["key"] and (same or self._tale.key == self.memory["key"]):
            return
        if self.memory["key"]:
            self._end_of_the_former()
        self._names = Names()
        self.memory.update(_KEPT, key=self._tale.key, configuration=configuration, began=str(event.get("time") or ""))

    def _end_of_the_former(self) -> None:
        """Tell the rest of a training that another one has taken the place of."""
        if self._run is not None:
            run, self._run = self._run, None
            run.leave()
        if self.memory["closed"] or (former := put_away(self.folder, self.memory["key"])) is None:
            return
        run = self._tracker.run(self._training())
        last: t.Mapping[str, t.Any] | None = None
        names = Names()
        for last, sites in former.rounds():
            one = names.among(tracked_round(last, sites, self._word))
            if one.number > run.last:
                run.tell(one)
            self._said()
        result = result_in(former.place, self.folder.run_ids)
        run.close(Closing(FINISHED if result else REPLACED, facts_of(result, last)))

    def _training(self, **more: t.Any) -> TrackedTraining:
        memory = self.memory
        return TrackedTraining(self.folder.name, memory["key"], memory["began"], self._place, **more)

    def _open(self) -> TrackerRun:
        effective = self.folder.effective
        training = self._training(settings=settings_of(effective), about=about(effective))
        self._run = run = self._tracker.run(training)
        self.memory.update(label=training.label, link=run.link, told=run.last)
        return run

    def _close(self, state: str) -> None:
        """Say how the training has ended, once."""
        if not state or not self.memory["key"] or not self._tale.key:
            return
        said = f"{state} {self.memory['newest']}"
        if self.memory["closed"] == said:
            return
        run = self._run or self._open()
        run.close(Closing(state, facts_of(self.folder.result, self._tale.last)))
        self._run = None
        self.memory["closed"] = said
        self._said()
