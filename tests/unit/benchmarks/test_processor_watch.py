# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whose processor time it was."""

from __future__ import annotations

import os
from pathlib import Path

import processor_watch
import pytest
from processor_watch import ProcessorWatch, Sample, Usage

CORES = os.cpu_count()
USAGE = Usage([Sample(10.0 + step, 100.0 + 2 * CORES * step, (1.0 * step, 0.5 * step)) for step in range(5)])


def test_the_time_of_each_host_is_that_between_two_moments() -> None:
    assert USAGE.of(11.0, 13.0) == [2.0, 1.0]
    assert USAGE.of(11.0, 99.0) == [3.0, 1.5]


def test_others_are_everybody_but_the_hosts() -> None:
    quiet = Usage([Sample(0.0, 0.0, (0.0,)), Sample(2.0, 1.0 + 0.5 * CORES, (1.0,))])
    assert quiet.others(0.0, 2.0) == pytest.approx(0.25)
    assert USAGE.others(10.0, 10.0) == 0.0


@pytest.mark.parametrize(
    ("groups", "file", "text"),
    [
        ("4:memory:/pod/a\n2:cpuacct:/pod/a\n0::/pod/a/init.scope\n", "cpuacct/pod/a/cpuacct.usage", "1500000000\n"),
        ("0::/pod/a/init.scope\n", "pod/a/cpu.stat", "usage_usec 1500000\nuser_usec 1\n"),
    ],
)
def test_linux_counts_in_either_hierarchy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, groups: str, file: str, text: str
) -> None:
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    monkeypatch.setattr(processor_watch, "CGROUPS", tmp_path)
    assert processor_watch.meter_of(groups) == tmp_path / file
    assert processor_watch.used(tmp_path / file) == 1.5


def test_a_watch_sees_what_is_used(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "cpuacct.usage").write_text("2000000000\n")
    monkeypatch.setattr(processor_watch, "meter", lambda process: tmp_path / "cpuacct.usage")
    monkeypatch.setattr(processor_watch, "PAUSE", 0.001)
    watch = ProcessorWatch([os.getpid()])
    watch.start()
    while len(watch.samples) < 3:
        pass
    usage = watch.stop()
    assert [list(sample.hosts) for sample in usage.samples[:3]] == [[2.0]] * 3
    assert usage.samples[0].moment < usage.samples[-1].moment
