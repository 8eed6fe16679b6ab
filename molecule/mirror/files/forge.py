# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Be somebody who can write the bucket: make a round that is whole in itself of another one. forge.py FOLDER FROM TO"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

folder, source, target = Path(sys.argv[1]), sys.argv[2], sys.argv[3]
for kind in ("npz", "seal"):
    shutil.copy(folder / f"checkpoint_round_{source}.{kind}", folder / f"checkpoint_round_{target}.{kind}")
manifest = json.loads((folder / f"checkpoint_round_{source}.json").read_text())
manifest["round"] = int(target)
del manifest["manifest_sha256"]
text = json.dumps(manifest, sort_keys=True, separators=(",", ":"))
manifest["manifest_sha256"] = hashlib.sha256(text.encode("ascii")).hexdigest()
(folder / f"checkpoint_round_{target}.json").write_text(json.dumps(manifest))
