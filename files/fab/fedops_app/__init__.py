# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The Flower app of fedops.flower: trains what the training variables say, and resumes exactly."""
