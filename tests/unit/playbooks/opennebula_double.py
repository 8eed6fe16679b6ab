# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of OpenNebula's XML-RPC endpoint, for those of its methods that the playbook opennebula calls.

Methods take what oned takes, in its order and of its types (SIGNATURES, from its reference of the API); objects have
the elements of its XML schemas. It refuses what oned refuses: a wrong password, an object that is not there, a name
that is taken, a disk in use, an action that the state of a machine does not allow, a group that still has machines.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import Any
from xml.sax.saxutils import escape
from xmlrpc.server import SimpleXMLRPCRequestHandler, SimpleXMLRPCServer

import xmltodict

SESSION = "oneadmin:secret"
AUTHENTICATION, NO_EXISTS, ACTION, API = 0x0100, 0x0400, 0x0800, 0x1000
POOLS = {"templatepool", "imagepool", "vnpool", "vmgrouppool", "vmpool"}
# After the session: s a string, i an integer, b a boolean. What stands in () may be left out.
SIGNATURES = {
    **{f"one.{pool}.info": "iii(i)" for pool in POOLS},
    "one.vmpool.infoextended": "iiii",
    "one.template.info": "i(bb)",
    "one.template.allocate": "s",
    "one.template.update": "isi",
    "one.template.delete": "i(b)",
    "one.template.instantiate": "isbsb",
    "one.image.info": "i(b)",
    "one.image.allocate": "si(b)",
    "one.image.delete": "i(b)",
    "one.vm.info": "i(b)",
    "one.vm.action": "si",
    "one.vmgroup.allocate": "s",
    "one.vmgroup.delete": "i",
}
TYPES = {"s": str, "i": int, "b": bool}
TAGS = {"template": "VMTEMPLATE", "image": "IMAGE", "vn": "VNET", "vmgroup": "VM_GROUP", "vm": "VM"}
PENDING, ACTIVE, DONE, POWEROFF = 1, 3, 6, 8
RUNNING = 3
READY, USED_PERSISTENT = 1, 8
WRITING = {"allocate", "update", "delete", "instantiate", "action"}
# What of a template describes the machine; the rest is the user's own.
OF_MACHINE = {
    "CPU", "VCPU", "MEMORY", "DISK", "NIC", "CONTEXT", "OS", "FEATURES", "GRAPHICS", "INPUT", "TEMPLATE_ID", "VMGROUP",
}  # fmt: skip


class RefusedError(Exception):
    """What oned answers instead of a result: a code and a text."""


class OpenNebula:
    """What there is in an OpenNebula with C(hosts) hosts, and the calls that changed it."""

    def __init__(self, hosts: int = 9) -> None:
        self.hosts = hosts
        self.objects: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in TAGS}
        self.written: list[str] = []
        self._last = 0

    def add(self, kind: str, name: str, template: dict[str, Any] | None = None, **more: Any) -> int:
        self._last += 1
        number = self._last
        made = {"ID": number, "NAME": name, "UID": 0, "GID": 0, "UNAME": "oneadmin", "GNAME": "oneadmin"}
        self.objects[kind][number] = {**made, **more, "TEMPLATE": template or {}}
        return number

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        return {each["NAME"]: each for each in self.objects[kind].values() if each.get("STATE") != DONE or kind != "vm"}

    def answer(self, method: str, session: object, *given: Any) -> Any:
        if session != SESSION:
            raise RefusedError(AUTHENTICATION, f"[{method}] User couldn't be authenticated, aborting call.")
        check_signature(method, given)
        kind, what = method.split(".")[1:]
        if kind.endswith("pool"):
            return self._pool(kind.removesuffix("pool"))
        if what in WRITING:
            self.written.append(f"{kind}.{what}")
        if what not in ("allocate", "action") and given[0] not in self.objects[kind]:
            raise RefusedError(NO_EXISTS, f"[{method}] Error getting {kind} [{given[0]}].")
        if what == "info":
            return xml(TAGS[kind], self.objects[kind][given[0]])
        return getattr(self, f"_{kind}_{what}")(*given)

    def _pool(self, kind: str) -> str:
        there = [each for each in self.objects[kind].values() if kind != "vm" or each["STATE"] != DONE]
        inside = "".join(xml(TAGS[kind], each) for each in there)
        return f"<{TAGS[kind]}_POOL>{inside}</{TAGS[kind]}_POOL>"

    def _refuse_taken(self, kind: str, name: str) -> None:
        if name in self.named(kind):
            raise RefusedError(API, f"[one.{kind}.allocate] NAME is already taken by {kind.upper()}.")

    def _template_allocate(self, text: str) -> int:
        template = parsed(text)
        name = template.pop("NAME")
        self._refuse_taken("template", name)
        return self.add("template", name, template)

    def _template_update(self, number: int, text: str, how: int) -> int:
        old = self.objects["template"][number]["TEMPLATE"] if how else {}
        self.objects["template"][number]["TEMPLATE"] = {**old, **parsed(text)}
        return number

    def _template_delete(self, number: int, *dummy: bool) -> int:
        del self.objects["template"][number]
        return number

    def _template_instantiate(self, number: int, name: str, hold: bool, extra: str, persistent: bool) -> int:
        template = {**self.objects["template"][number]["TEMPLATE"], **parsed(extra), "TEMPLATE_ID": str(number)}
        template.pop("NAME", None)
        disks = [self._attached(dict(disk)) for disk in listed(template.get("DISK"))]
        nics = [self._plugged(dict(nic)) for nic in listed(template.get("NIC"))]
        template.update(DISK=disks, NIC=nics)
        machine = {key: value for key, value in template.items() if key in OF_MACHINE}
        user = {key: value for key, value in template.items() if key not in OF_MACHINE}
        placed = self._has_room(machine)
        vm = self.add(
            "vm", name, machine, STATE=ACTIVE if placed else PENDING, LCM_STATE=RUNNING if placed else 0, STIME=1,
            USER_TEMPLATE=user, HISTORY_RECORDS={},
        )  # fmt: skip
        for disk in disks:
            image = self.objects["image"][int(disk["IMAGE_ID"])]
            if image["PERSISTENT"]:
                image.update(STATE=USED_PERSISTENT, RUNNING_VMS=1)
        return vm

    def _attached(self, disk: dict[str, Any]) -> dict[str, Any]:
        images = self.objects["image"]
        found = [
            each
            for each in images.values()
            if disk.get("IMAGE_ID", disk.get("IMAGE")) in (str(each["ID"]), each["NAME"])
        ]
        if not found:
            raise RefusedError(NO_EXISTS, f"[one.template.instantiate] Image {disk} does not exist.")
        if found[0]["PERSISTENT"] and found[0]["STATE"] != READY:
            raise RefusedError(
                ACTION, f"[one.template.instantiate] Cannot acquire image {found[0]['ID']}: it is in use."
            )
        return {**disk, "IMAGE_ID": str(found[0]["ID"]), "SIZE": str(found[0]["SIZE"])}

    def _plugged(self, nic: dict[str, Any]) -> dict[str, Any]:
        networks = self.objects["vn"]
        (found,) = [
            each
            for each in networks.values()
            if nic.get("NETWORK_ID", nic.get("NETWORK")) in (str(each["ID"]), each["NAME"])
        ]
        self._last += 1
        return {
            **nic,
            "NETWORK": found["NAME"],
            "NETWORK_ID": str(found["ID"]),
            "IP": f"192.0.2.{self._last}",
            "MAC": "02:00:00:00:00:01",
        }

    def _has_room(self, machine: dict[str, Any]) -> bool:
        """Whether a host is left: each takes any number of machines, but one of a group."""
        group = machine.get("VMGROUP")
        if group is None:
            return True
        roles = {each["NAME"] for each in self.objects["vmgroup"][int(group["VMGROUP_ID"])]["ROLES"]["ROLE"]}
        if group["ROLE"] not in roles:
            raise RefusedError(API, f"[one.template.instantiate] Unknown role {group['ROLE']}.")
        members = [
            each
            for each in self.named("vm").values()
            if each["TEMPLATE"].get("VMGROUP", {}).get("VMGROUP_ID") == group["VMGROUP_ID"]
        ]
        return len(members) < self.hosts

    def _image_allocate(self, text: str, datastore: int, *dummy: bool) -> int:
        template = parsed(text)
        name = template.pop("NAME")
        self._refuse_taken("image", name)
        if template["TYPE"] != "DATABLOCK" or datastore != 1:
            raise RefusedError(API, "[one.image.allocate] Cannot register this image.")
        return self.add_image(name, template, int(template["SIZE"]), template.get("PERSISTENT") == "YES")

    def add_image(self, name: str, template: dict[str, Any], size: int, persistent: bool) -> int:
        return self.add(
            "image", name, template, TYPE=2, DISK_TYPE=0, PERSISTENT=int(persistent), REGTIME=1, SOURCE="", PATH="",
            FSTYPE="", SIZE=size, STATE=READY, RUNNING_VMS=0, CLONING_OPS=0, CLONING_ID=-1, TARGET_SNAPSHOT=-1,
            DATASTORE_ID=1, DATASTORE="default", VMS={}, CLONES={}, APP_CLONES={}, SNAPSHOTS={},
        )  # fmt: skip

    def _image_delete(self, number: int, *dummy: bool) -> int:
        if self.objects["image"][number]["STATE"] != READY:
            raise RefusedError(ACTION, "[one.image.delete] Cannot delete the image: it is in use.")
        del self.objects["image"][number]
        return number

    def _vm_action(self, action: str, number: int) -> int:
        vm = self.objects["vm"][number]
        allowed = {"resume": (POWEROFF,), "terminate": (PENDING, ACTIVE, POWEROFF), "poweroff": (ACTIVE,)}
        if vm["STATE"] not in allowed[action]:
            raise RefusedError(ACTION, f"[one.vm.action] Error performing action {action!r}: wrong state.")
        vm["STATE"], vm["LCM_STATE"] = {"resume": (ACTIVE, RUNNING), "terminate": (DONE, 0), "poweroff": (POWEROFF, 0)}[
            action
        ]
        for disk in listed(vm["TEMPLATE"]["DISK"]):
            if action == "terminate":
                self.objects["image"][int(disk["IMAGE_ID"])].update(STATE=READY, RUNNING_VMS=0)
        return number

    def _vmgroup_allocate(self, text: str) -> int:
        template = parsed(text)
        name = template.pop("NAME")
        self._refuse_taken("vmgroup", name)
        roles = [{"ID": number, **role} for number, role in enumerate(listed(template.pop("ROLE")))]
        return self.add("vmgroup", name, template, ROLES={"ROLE": roles})

    def _vmgroup_delete(self, number: int) -> int:
        if any(vm["TEMPLATE"].get("VMGROUP", {}).get("VMGROUP_ID") == str(number) for vm in self.named("vm").values()):
            raise RefusedError(ACTION, "[one.vmgroup.delete] Cannot delete the group: it has VMs.")
        del self.objects["vmgroup"][number]
        return number


def check_signature(method: str, given: tuple[Any, ...]) -> None:
    kinds = SIGNATURES[method]
    needed, optional = (*kinds.rstrip(")").split("("), "")[:2]
    if not len(needed) <= len(given) <= len(needed + optional):
        raise RefusedError(API, f"[{method}] {len(given)} arguments for {kinds}")
    for value, letter in zip(given, needed + optional, strict=False):
        if value.__class__ is not TYPES[letter]:  # a bool is an int to isinstance
            raise RefusedError(API, f"[{method}] {value!r} is not of type {letter}")


def listed(value: Any) -> list[Any]:
    return [] if value in (None, "") else value if isinstance(value, list) else [value]


def parsed(text: str) -> dict[str, Any]:
    """A template as oned reads it: XML, or names with texts and with vectors in []; what is there twice is a list."""
    if text.lstrip().startswith("<"):
        return {key: value for key, value in xmltodict.parse(text)["TEMPLATE"].items() if value is not None}
    found: dict[str, Any] = {}
    entry = re.compile(r'\s*(\w+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|\[((?:[^"\]]|"(?:[^"\\]|\\.)*")*)\])\s*,?')
    at = 0
    while text[at:].strip():
        match = entry.match(text, at)
        if match is None:
            raise RefusedError(API, f"[template] Parse error: syntax error near {text[at : at + 40]!r}")
        name, plain, vector = match.groups()
        value = parsed(vector) if vector is not None else re.sub(r"\\(.)", r"\1", plain)
        found[name] = [*listed(found[name]), value] if name in found else value
        at = match.end()
    return found


def xml(tag: str, value: Any) -> str:
    """An object as oned writes it; a list is the same element again and again."""
    if isinstance(value, list):
        return "".join(xml(tag, each) for each in value)
    if not isinstance(value, dict):
        return f"<{tag}>{escape(str(value))}</{tag}>"
    if tag in TAGS.values():
        value = {**value, "PERMISSIONS": dict.fromkeys(
            [f"{who}_{what}" for who in ("OWNER", "GROUP", "OTHER") for what in "UMA"], 0)}  # fmt: skip
    return f"<{tag}>{''.join(xml(name, each) for name, each in value.items())}</{tag}>"


@contextmanager
def serving(cloud: OpenNebula) -> Iterator[str]:
    """Answer on a port of this host for as long as it is entered; the address."""

    class Handler(SimpleXMLRPCRequestHandler):
        rpc_paths = ("/RPC2",)

    class Server(SimpleXMLRPCServer):
        def _dispatch(self, method: str, params: Any) -> list[Any]:
            try:
                return [True, cloud.answer(method, *params), 0]
            except RefusedError as refused:
                code, text = refused.args
                return [False, text, code]

    server = Server(("127.0.0.1", 0), Handler, logRequests=False)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/RPC2"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
