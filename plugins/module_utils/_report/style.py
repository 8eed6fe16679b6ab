# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How the page of a report looks. Colours are told apart by those who do not see red and green, in light and dark.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

_LIGHT = """
--ground:#ffffff;--ink:#1d2433;--quiet:#5b6577;--edge:#d9dee7;--card:#f5f7fa;
--bad:#b42318;--mid:#b54708;--good:#12714a;--best:#d1459a;--spread:#0b62b5;
--c0:#0b62b5;--c1:#d9640b;--c2:#12815a;--c3:#8c4bc2;--c4:#a3271f;--c5:#6c6a00;--c6:#00808a;--c7:#7a5230;
--cell-c:#8fc3ea;--cell-f:#b42318;--cell-r:#e08a1e;--cell-s:#8b93a3
"""
_DARK = """
--ground:#12161f;--ink:#e6eaf2;--quiet:#9aa6ba;--edge:#303a4c;--card:#1b212d;
--bad:#ff8a7d;--mid:#f5b26b;--good:#6fd6a4;--best:#ff8fd0;--spread:#6ab4f5;
--c0:#6ab4f5;--c1:#ff9f57;--c2:#5fd0a1;--c3:#c79bf2;--c4:#ff8a7d;--c5:#d6d35c;--c6:#5cd3dc;--c7:#d2a67e;
--cell-c:#2f6f9f;--cell-f:#ff6b5b;--cell-r:#f0a23c;--cell-s:#6b7485
"""
_PAGE = """
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1080px;margin:0 auto;padding:24px 20px 64px}
h1{font-size:26px;margin:0 0 16px;overflow-wrap:anywhere}
h2{font-size:19px;margin:36px 0 12px;border-bottom:1px solid var(--edge);padding-bottom:4px}
p,li{max-width:80ch;overflow-wrap:anywhere}
code{font-family:ui-monospace,"DejaVu Sans Mono",monospace;font-size:.92em}
.cards{display:grid;grid-template-columns:repeat(auto-fill,minmax(150px,1fr));gap:10px;margin:0 0 12px}
.cards div{background:var(--card);border:1px solid var(--edge);border-radius:8px;padding:8px 12px}
dt{color:var(--quiet);font-size:12.5px}
dd{margin:2px 0 0;font-weight:600;overflow-wrap:anywhere}
.pairs{display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,440px),1fr));gap:0 28px}
figure{margin:14px 0}
figcaption{font-weight:600;margin-bottom:4px;overflow-wrap:anywhere}
svg{width:100%;height:auto;display:block}
.axis,.said{font-size:12px;fill:var(--quiet)}
.said{fill:var(--best);font-weight:600}
.grid{stroke:var(--edge)}.gap{stroke:var(--ground)}.frame{stroke:var(--quiet)}
.mark{stroke:var(--quiet);stroke-dasharray:3 3}
.line{fill:none;stroke-width:1.8;stroke-linejoin:round}
.thin{stroke-width:1}.many{stroke:var(--quiet);opacity:.45}.key.many{background:var(--quiet)}
.mean{stroke:var(--ink);stroke-width:2.2}.key.mean{background:var(--ink)}
.other{stroke:var(--quiet);stroke-dasharray:6 4}.dot.other{fill:var(--quiet)}
.band,.key.spread{fill:var(--spread);background:var(--spread);opacity:.14}.key.spread{opacity:.4}
.tick{stroke:var(--c0)}.key.tick{background:var(--c0)}.key.cell-none{background:transparent}
.key{display:inline-block;width:11px;height:11px;margin-right:5px;border:1px solid var(--edge);vertical-align:-1px}
.legend{display:flex;flex-wrap:wrap;gap:2px 16px;margin:4px 0 0;font-size:13px;color:var(--quiet);max-width:none}
.small,.none{font-size:13px;color:var(--quiet)}
.wide{overflow-x:auto;margin:12px 0}
table{border-collapse:collapse;font-size:13.5px}
th,td{text-align:left;padding:3px 12px 3px 0;border-bottom:1px solid var(--edge);vertical-align:top}
td{overflow-wrap:anywhere}
th{color:var(--quiet);font-weight:600}
.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}
.anomalies{list-style:none;padding:0}
.anomalies li{border-left:4px solid var(--mid);background:var(--card);padding:8px 12px;margin:8px 0;max-width:none}
.anomalies .serious{border-color:var(--bad)}
.round{font-weight:600;white-space:nowrap}.try{color:var(--quiet)}.bad{color:var(--bad)}
"""
_PAPER = """
body{font-size:11px}.pairs{grid-template-columns:1fr 1fr}main{max-width:none;padding:0}
figure,.anomalies li,.cards div,tr{break-inside:avoid}h2{break-after:avoid}.wide{overflow:visible}
*{-webkit-print-color-adjust:exact;print-color-adjust:exact}table{font-size:9px}th,td{padding-right:7px}
"""


def _filled(kind: str, name: str) -> str:
    return f"{kind}{{fill:var(--{name});background:var(--{name})}}"


_SERIES = "".join(
    f".line.c{n}{{stroke:var(--c{n})}}" + _filled(f".fill.c{n},.dot.c{n},.key.c{n}", f"c{n}") for n in range(8)
)
_CELLS = "".join(_filled(f".cell-{letter}", f"cell-{letter}") for letter in "cfrs")
_DOTS = "".join(_filled(f".dot.{name},.key.{name}", name) for name in ("bad", "mid", "good", "best"))

STYLE = (
    f":root{{{_LIGHT}}}@media (prefers-color-scheme:dark){{:root{{{_DARK}}}}}"
    f"{_PAGE}{_SERIES}{_CELLS}{_DOTS}@media print{{:root{{{_LIGHT}}}{_PAPER}}}"
)
# Of a picture that stands for itself, on white.
LIGHT_PICTURE = (
    f"svg{{{_LIGHT}font-family:system-ui,sans-serif}}"
    ".axis,.said{font-size:12px;fill:var(--quiet)}.said{fill:var(--best);font-weight:600}"
    ".grid{stroke:var(--edge)}.frame{stroke:var(--quiet)}.line{fill:none;stroke-width:1.8;stroke-linejoin:round}"
    f"{_SERIES}{_DOTS}"
).replace("\n", "")
