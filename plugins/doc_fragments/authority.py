# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """The certificate authority of the federation, as modules take it that sign on the controller."""

    DOCUMENTATION: str = r"""
options:
  ca_certificate:
    description: The certificate of the authority on the controller.
    type: path
    required: true
  ca_private_key:
    description: Its private key on the controller. It stays there.
    type: path
    required: true
  ca_passphrase:
    description: The passphrase of that key, where it has one. It stays on the controller.
    type: str
"""
