# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pictures as SVG text, of lines, bands, bars and cells, in the colours of the page, be it light or dark.

Matplotlib would draw them, too, but an execution environment does not have it, and its pictures are ten times as large.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import math
import typing as t
from html import escape

from .figures import Points

WIDTH, HEIGHT = 720, 240
MARGIN_LEFT, MARGIN_RIGHT, MARGIN_TOP, MARGIN_BOTTOM = 62, 14, 12, 34
COLOURS = 8  # classes c0 to c7 of the page
LONGEST_WORDS = 60
_NARROWEST = 1e-300  # a range; what is smaller cannot be parted

Bar = t.Sequence[float]


def words(text: t.Any, longest: int = LONGEST_WORDS) -> str:
    """Return a text for a page, where nothing of it is a tag, of so many characters at most."""
    text = str(text)
    return escape(text if len(text) <= longest else f"{text[: longest - 1]}…")


def short_number(value: float) -> str:
    """Write a number in few characters."""
    if value == 0:
        return "0"
    size = abs(value)
    if size >= 1e6 or size < 1e-4:
        return f"{value:.2e}".replace("e+0", "e").replace("e-0", "e-").replace("e+", "e")
    return f"{value:.4g}" if size < 10000 else f"{value:.0f}"


def ticks(low: float, high: float, most: int = 5) -> list[float]:
    """Return round numbers in a range, so many at most."""
    span = high - low
    if not _NARROWEST < span < math.inf:
        return [low]
    step = 10 ** math.floor(math.log10(span / most))
    step = next((step * factor for factor in (1, 2, 5, 10) if span / (step * factor) <= most), step * 10)
    first = math.ceil(low / step - 1e-9)
    return [(first + place) * step for place in range(most + 2) if (first + place) * step <= high + step * 1e-9]


class Chart:
    """One picture: axes, and what is drawn into them."""

    def __init__(self, title: str, xs: tuple[float, float], ys: tuple[float, float], height: int = HEIGHT) -> None:
        self.title, self.height = title, height
        self.low_x, self.high_x = xs if xs[1] > xs[0] else (xs[0] - 0.5, xs[0] + 0.5)
        low, high = ys
        if not high > low:
            low, high = (low - 0.5, high + 0.5) if abs(low) < 1 else (low - abs(low) * 0.1, high + abs(high) * 0.1)
        room = (high - low) * 0.05
        self.low_y, self.high_y = (0.0 if low == 0 else low - room), high + room
        self.parts: list[str] = []

    @classmethod
    def around(cls, title: str, curves: t.Iterable[Points], height: int = HEIGHT, zero: bool = False) -> Chart:
        """Return a picture with room for some curves."""
        points = [point for curve in curves for point in curve]
        xs, ys = [x for x, _y in points], [y for _x, y in points] + [0.0] * zero
        return cls(title, (min(xs), max(xs)), (min(ys), max(ys)), height)

    def x(self, value: float) -> float:
        return MARGIN_LEFT + (value - self.low_x) / (self.high_x - self.low_x) * (WIDTH - MARGIN_LEFT - MARGIN_RIGHT)

    def y(self, value: float) -> float:
        part = (value - self.low_y) / (self.high_y - self.low_y)
        return self.height - MARGIN_BOTTOM - part * (self.height - MARGIN_TOP - MARGIN_BOTTOM)

    def line(self, points: Points, style: str, note: str = "") -> None:
        """Draw a curve; of a single point a dot."""
        if len(points) == 1:
            self.dot(points[0], style, note)
            return
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in points)
        self.parts.append(f'<polyline class="line {style}" points="{path}">{_note(note)}</polyline>')

    def band(self, lows: Points, highs: Points, style: str) -> None:
        """Fill what lies between two curves."""
        path = " ".join(f"{self.x(x):.1f},{self.y(y):.1f}" for x, y in [*lows, *reversed(highs)])
        self.parts.append(f'<polygon class="band {style}" points="{path}"/>')

    def dot(self, point: tuple[float, float], style: str, note: str = "") -> None:
        x, y = point
        self.parts.append(
            f'<circle class="dot {style}" cx="{self.x(x):.1f}" cy="{self.y(y):.1f}" r="4">{_note(note)}</circle>'
        )

    def label(self, point: tuple[float, float], text: str) -> None:
        """Write beside a point, inside the picture."""
        x, y = self.x(point[0]), self.y(point[1])
        end = x > WIDTH * 0.7
        up = y > MARGIN_TOP + 24
        self.parts.append(
            written(x + (-8 if end else 8), y + (-8 if up else 16), text, "end" if end else "start", style="said")
        )

    def upright(self, x: float, style: str, note: str) -> None:
        """Draw a line from top to bottom."""
        at = self.x(x)
        self.parts.append(
            f'<line class="mark {style}" x1="{at:.1f}" x2="{at:.1f}" y1="{MARGIN_TOP}"'
            f' y2="{self.height - MARGIN_BOTTOM}">'
            f"{_note(note)}</line>"
        )

    def bars(self, stacks: t.Sequence[tuple[float, t.Sequence[tuple[str, float]]]], width: float) -> None:
        """Draw stacks of bars: where each stands, and the style and height of its parts."""
        paths: dict[str, list[str]] = {}
        wide = max(1.0, abs(self.x(width) - self.x(0)) * 0.86)
        for x, parts in stacks:
            base = 0.0
            for style, size in parts:
                top, bottom = self.y(base + size), self.y(base)
                paths.setdefault(style, []).append(
                    f"M{self.x(x) - wide / 2:.1f} {bottom:.1f}h{wide:.1f}V{top:.1f}h-{wide:.1f}z"
                )
                base += size
        self.parts += [f'<path class="fill {style}" d="{"".join(path)}"/>' for style, path in paths.items()]

    def drawn(self, below: str = "round") -> str:
        """Return the picture."""
        floor = self.height - MARGIN_BOTTOM
        axes = []
        for value in ticks(self.low_y, self.high_y):
            y = self.y(value)
            axes.append(
                f'<line class="grid" x1="{MARGIN_LEFT}" x2="{WIDTH - MARGIN_RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            )
            axes.append(written(MARGIN_LEFT - 6, y + 4, short_number(value), "end"))
        for value in ticks(self.low_x, self.high_x, 10):
            if value == int(value):
                axes.append(written(self.x(value), floor + 16, int(value), "middle"))
        axes.append(f'<line class="frame" x1="{MARGIN_LEFT}" x2="{WIDTH - MARGIN_RIGHT}" y1="{floor}" y2="{floor}"/>')
        axes.append(written(WIDTH - MARGIN_RIGHT, self.height - 4, below, "end"))
        return framed(self.title, self.height, [*axes, *self.parts])


def written(x: float, y: float, text: t.Any, anchor: str = "start", size: int = 0, style: str = "axis") -> str:
    """Return words at a place."""
    smaller = f' style="font-size:{size}px"' if size else ""
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{smaller}>{words(text)}</text>'


def framed(title: str, height: float, parts: t.Iterable[str]) -> str:
    """Return parts as one picture with a title for who cannot see it."""
    return (
        f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-label="{words(title, 200)}">'
        f"<title>{words(title, 200)}</title>{''.join(parts)}</svg>"
    )


def cells(title: str, rows: t.Sequence[tuple[str, str]], scale: t.Sequence[int]) -> str:
    """Return a map of letters: a row for each name, a column for each letter; C(scale) says what columns are called."""
    wide = max((len(letters) for _name, letters in rows), default=0)
    if not wide:
        return ""
    left, tall = 128, 14 if len(rows) <= 60 else 8
    step = (WIDTH - left - MARGIN_RIGHT) / wide
    # In units of a column and a row, which are short to write.
    paths: dict[str, list[str]] = {}
    for place, (_name, letters) in enumerate(rows):
        start = 0
        while start < len(letters):
            end = start
            while end < len(letters) and letters[end] == letters[start]:
                end += 1
            paths.setdefault(letters[start], []).append(f"M{start} {place}h{end - start}v1h-{end - start}z")
            start = end
    parts = [
        f'<path class="cell cell-{letter}" transform="translate({left} 4) scale({step:.4f} {tall})"'
        f' d="{"".join(path)}"/>'
        for letter, path in paths.items()
        if letter.isalpha()
    ]
    size = 10 if tall > 10 else 7
    parts += [
        written(left - 6, 4 + place * tall + tall * 0.75, name if len(name) <= 22 else f"{name[:21]}…", "end", size)
        for place, (name, _letters) in enumerate(rows)
    ]
    # Lines between the rows, so that each can be followed.
    parts += [
        f'<line class="gap" x1="{left}" x2="{WIDTH - MARGIN_RIGHT}" y1="{4 + place * tall}" y2="{4 + place * tall}"/>'
        for place in range(1, len(rows))
    ]
    floor = 4 + len(rows) * tall
    shown = sorted({0, wide - 1, *(round(part * (wide - 1)) for part in (0.25, 0.5, 0.75))})
    parts += [written(left + (place + 0.5) * step, floor + 14, scale[place], "middle") for place in shown]
    return framed(title, floor + 20, parts)


def _note(text: str) -> str:
    return f"<title>{words(text, 300)}</title>" if text else ""
