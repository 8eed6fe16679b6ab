# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""What any Flower app can use: exact rounds, checkpoints and resume, guards against bad replies, and a history."""
