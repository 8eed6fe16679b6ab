# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Print the SHA-256 over the arrays of a checkpoint: FILE."""

import hashlib
import sys

import numpy as np

digest = hashlib.sha256()
with np.load(sys.argv[1], allow_pickle=False) as arrays:
    for name in arrays.files:
        digest.update(f"{name} {arrays[name].dtype} {arrays[name].shape}\n".encode())
        digest.update(arrays[name].tobytes())
print(digest.hexdigest())
