# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations


class ModuleDocFragment:
    """What modules that speak with OpenNebula have in common; the environment is that of community.general's."""

    DOCUMENTATION = r"""
requirements:
  - pyone
options:
  api_url:
    description: Address of OpenNebula's XML-RPC endpoint. E(ONE_URL) if unset.
    type: str
    required: true
  api_username:
    description: Name of the user. E(ONE_USERNAME) if unset.
    type: str
    required: true
  api_password:
    description: Password or token of the user. E(ONE_PASSWORD) if unset.
    type: str
    required: true
"""

    CHANGING = r"""
attributes:
  check_mode:
    description: Can run in check mode and return what would change, without changing it.
    support: full
  diff_mode:
    description: Has nothing to compare.
    support: none
  idempotent:
    description: A second run with the same options changes nothing.
    support: full
"""

    HTTPS = r"""
options:
  validate_certs:
    description: Whether to verify the certificate of the endpoint.
    type: bool
    default: true
"""

    CONTEXT = r"""
options:
  directory:
    description: Directory with C(one_env) or C(context.sh).
    type: path
    default: /var/run/one-context
  device:
    description: Device with C(context.sh). It is mounted for as long as the file is read, where nobody else sees it.
    type: path
    default: /dev/disk/by-label/CONTEXT
"""
