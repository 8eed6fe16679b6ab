# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Variables that an appliance for Flower has in its context and that are not about training: what they are here.

This module is private to the collection and may change at any time.
"""

from __future__ import annotations

from collections.abc import Mapping

# By name, what to do instead. None of them is an error: a machine brings them along whether or not anybody set them.
NOT_ABOUT_TRAINING: Mapping[str, str] = {
    "FL_TLS_ENABLED": "TLS is always on. The role certificates has what can be chosen.",
    "FL_NODE_CONFIG": "Set supernode_node_config for that host in the inventory.",
    "FL_SUPERLINK_ADDRESS": "SuperNodes get the address of the host in the group superlink. To give another one, set"
    " supernode_superlink_address in the inventory.",
    "FL_FLEET_API_ADDRESS": "Set superlink_fleet_listen and superlink_fleet_port in the inventory.",
    "FL_CONTROL_API_ADDRESS": "The Control API is reached on the SuperLink's host alone, through Ansible's connection.",
    "FL_ISOLATION": "ServerApps and ClientApps always run in processes of their own.",
    "FL_DATABASE": "The SuperLink's state is always a database on disk, in the folder state of its home.",
    "FL_LOG_LEVEL": "The units log to the journal, with what Flower logs by itself.",
    "FL_LOG_FORMAT": "The units log to the journal, in Flower's own format.",
    "FL_ROLE": "A machine that deploys itself reads it (docs/opennebula.md); else the inventory says what a host is.",
    "FL_SUPERLINK_CA": "A SuperNode that deploys itself reads it (docs/opennebula.md).",
    "FL_FRAMEWORK": "The app declares what it needs: app_path, or FL_USE_CASE for one of the collection's tasks.",
    "FLOWER_VERSION": "The release of Flower is that of the role runtime's lock: runtime_lock.",
}
# Where its containers see the folders of the home.
CONTAINER_HOME = "/app"
