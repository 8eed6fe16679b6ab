# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""A double of the API of AWX 24, for those of its objects that the playbook awx makes.

It refuses what AWX refuses: a field that is missing, a name that is taken, an object that is not there, a playbook that
the project does not have, an injector with an unknown input, and a survey that breaks a rule.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from jinja2 import StrictUndefined, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

ANSWERS = {"text", "textarea", "password", "multiplechoice", "multiselect", "integer", "float"}
ASKING = {"ask_variables_on_launch": False, "ask_limit_on_launch": False, "survey_enabled": False}
# By endpoint: the word for one, the fields and their defaults, those without which it is refused, and what may be
# associated with it.
KINDS: dict[str, tuple[str, dict[str, Any], tuple[str, ...], tuple[str, ...]]] = {
    "organizations": ("organization", {"name": "", "description": ""}, ("name",), ()),
    "credential_types": (
        "credential_type",
        {"name": "", "description": "", "kind": "", "inputs": {}, "injectors": {}, "managed": False},
        ("name", "kind"),
        (),
    ),
    "credentials": ("credential", {"name": ""}, ("name",), ()),
    "execution_environments": (
        "execution_environment",
        {"name": "", "description": "", "image": "", "organization": None, "pull": ""},
        ("name", "image"),
        (),
    ),
    "projects": (
        "project",
        {"name": "", "organization": None, "scm_type": "", "scm_url": "", "scm_branch": "", "default_environment": None,
         "scm_revision": "0" * 40},
        ("name",),
        (),
    ),
    "inventories": (
        "inventory",
        {"name": "", "organization": None, "variables": "", "kind": "", "host_filter": None},
        ("name", "organization"),
        (),
    ),
    "hosts": ("host", {"name": "", "inventory": None, "variables": ""}, ("name", "inventory"), ()),
    "groups": ("group", {"name": "", "inventory": None, "variables": ""}, ("name", "inventory"), ("hosts",)),
    "job_templates": (
        "job_template",
        {"name": "", "organization": None, "project": None, "inventory": None, "execution_environment": None,
         "playbook": "", "extra_vars": "", **ASKING},
        ("name", "project", "playbook"),
        ("credentials",),
    ),
    "workflow_job_templates": (
        "workflow_job_template",
        {"name": "", "description": "", "organization": None, "extra_vars": "", **ASKING},
        ("name",),
        (),
    ),
    "workflow_job_template_nodes": (
        "workflow_job_template_node",
        {"identifier": "", "workflow_job_template": None, "unified_job_template": None},
        ("workflow_job_template",),
        ("success_nodes", "always_nodes", "failure_nodes", "credentials"),
    ),
    "workflow_approval_templates": ("workflow_approval", {"name": "", "description": "", "timeout": 0}, ("name",), ()),
}  # fmt: skip
REFERENCES = {
    "organization": "organizations",
    "project": "projects",
    "inventory": "inventories",
    "execution_environment": "execution_environments",
    "default_environment": "execution_environments",
    "workflow_job_template": "workflow_job_templates",
}


class RefusedError(Exception):
    """What AWX answers with 400."""


class Awx:
    """What there is in an AWX, and the calls that changed it."""

    def __init__(self, playbooks: list[str]) -> None:
        self.playbooks = playbooks
        self.objects: dict[str, dict[int, dict[str, Any]]] = {kind: {} for kind in KINDS}
        self.associated: dict[tuple[str, int, str], list[int]] = {}
        self.surveys: dict[tuple[str, int], dict[str, Any]] = {}
        self.written: list[tuple[str, str]] = []
        self._last = 0

    def named(self, kind: str) -> dict[str, dict[str, Any]]:
        return {found.get("name") or found["identifier"]: found for found in self.objects[kind].values()}

    def answer(self, method: str, path: str, query: dict[str, str], data: dict[str, Any]) -> tuple[int, Any]:
        kind, *rest = path.removeprefix("/api/v2/").strip("/").split("/")
        if method != "GET":
            self.written.append((method, path))
        if kind == "unified_job_templates":
            found = [each for each in self._templates() if matches(each, query)]
            return 200, listed(found)
        if not rest:
            return (200, listed(self._found(kind, query))) if method == "GET" else (201, self._made(kind, data))
        number, *sub = int(rest[0]), *rest[1:]
        if not sub:
            if method == "PATCH":
                self._changed(kind, number, data)
            return 200, self.objects[kind][number]
        return self._sub(method, kind, number, sub[0], data)

    def _sub(self, method: str, kind: str, number: int, sub: str, data: dict[str, Any]) -> tuple[int, Any]:
        if sub == "survey_spec":
            if method == "POST":
                check_survey(data)
                self.surveys[kind, number] = data
            return 200, self.surveys.get((kind, number), {})
        if sub == "create_approval_template":
            made = self._made("workflow_approval_templates", data)
            node = self.objects[kind][number]
            node["unified_job_template"] = made["id"]
            node["related"]["unified_job_template"] = made["url"]
            return 201, made
        if sub not in KINDS[kind][3]:
            raise KeyError(sub)
        others = kind if sub.endswith("_nodes") else sub
        ids = self.associated.setdefault((kind, number, sub), [])
        if method == "POST":
            if data["id"] not in self.objects[others]:
                raise RefusedError({"detail": "no such object"})
            ids.remove(data["id"]) if data.get("disassociate") else ids.append(data["id"])
            return 204, None
        return 200, listed([self.objects[others][one] for one in ids])

    def _templates(self) -> list[dict[str, Any]]:
        return [each for kind in ("job_templates", "workflow_job_templates") for each in self.objects[kind].values()]

    def _found(self, kind: str, query: dict[str, str]) -> list[dict[str, Any]]:
        return [each for each in self.objects[kind].values() if matches(each, query)]

    def _made(self, kind: str, data: dict[str, Any]) -> dict[str, Any]:
        word, fields, needed, _related = KINDS[kind]
        if missing := [name for name in needed if data.get(name) in (None, "")]:
            raise RefusedError({name: ["This field is required."] for name in missing})
        self._last += 1
        url = f"/api/v2/{kind}/{self._last}/"
        made = {**fields, **{name: data[name] for name in fields if name in data}}
        self._check(kind, made, 0)
        related = {"survey_spec": f"{url}survey_spec/"} if "survey_enabled" in fields else {}
        made = {"id": self._last, "type": word, "url": url, "related": related, "summary_fields": {}, **made}
        self.objects[kind][self._last] = made
        return made

    def _changed(self, kind: str, number: int, data: dict[str, Any]) -> None:
        known = {name: value for name, value in data.items() if name in KINDS[kind][1]}
        self._check(kind, {**self.objects[kind][number], **known}, number)
        self.objects[kind][number].update(known)

    def _check(self, kind: str, made: dict[str, Any], number: int) -> None:
        for name, other in REFERENCES.items():
            if made.get(name) is not None and made[name] not in self.objects[other]:
                raise RefusedError({name: [f"Invalid pk {made[name]} - object does not exist."]})
        for each in self.objects[kind].values():
            same = [
                name
                for name in ("name", "identifier", "organization", "inventory", "workflow_job_template")
                if name in made
            ]
            if each["id"] != number and all(each.get(name) == made[name] for name in same):
                raise RefusedError({"__all__": [f"{KINDS[kind][0]} with this name already exists."]})
        if kind == "job_templates" and made["playbook"] not in self.playbooks:
            raise RefusedError({"playbook": ["Playbook not found for project."]})
        if kind == "credential_types":
            check_injectors(made["inputs"], made["injectors"])
        for name in ("extra_vars", "variables"):
            if made.get(name) and not isinstance(json.loads(made[name]), dict):
                raise RefusedError({name: ["Must be a dictionary."]})


def matches(found: dict[str, Any], query: dict[str, str]) -> bool:
    return all(str(found.get(name)) == value for name, value in query.items() if name not in ("page", "page_size"))


def listed(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"count": len(found), "next": None, "previous": None, "results": found}


def check_injectors(inputs: dict[str, Any], injectors: dict[str, Any]) -> None:
    names = {field["id"] for field in inputs.get("fields", [])}
    if unknown := set(inputs.get("required", [])) - names:
        raise RefusedError({"inputs": [f"{sorted(unknown)} are no fields"]})
    if unknown := injectors.keys() - {"file", "env", "extra_vars"}:
        raise RefusedError({"injectors": [f"{sorted(unknown)} unexpected"]})
    files = {name.removeprefix("template.") for name in injectors.get("file", {})}
    given = {**dict.fromkeys(names, "EXAMPLE"), "tower": {"filename": dict.fromkeys(files, "EXAMPLE_FILENAME")}}
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined)
    for templates in injectors.values():
        for name, template in templates.items():
            try:
                environment.from_string(template).render(given)
            except TemplateError as error:
                raise RefusedError({"injectors": [f"{name} uses an undefined field ({error})"]}) from error


def check_survey(survey: dict[str, Any]) -> None:
    """Hold a survey to the rules that the API has for it."""

    def refuse(why: str) -> None:
        raise RefusedError({"error": why})

    if not survey.keys() >= {"name", "description", "spec"} or not survey["spec"]:
        refuse("'name', 'description' and a 'spec' that is not empty are required")
    variables = set()
    for number, question in enumerate(survey["spec"]):
        for key, kind in {"type": str, "question_name": str, "variable": str, "required": bool}.items():
            if not isinstance(question.get(key), kind):
                refuse(f"'{key}' missing from or wrong in survey question {number}")
        if question["type"] not in ANSWERS:
            refuse(f"'{question['type']}' in survey question {number} is not one of the allowed types")
        if question["variable"] in variables:
            refuse(f"'variable' '{question['variable']}' duplicated in survey question {number}")
        variables.add(question["variable"])
        if question["type"] in ("multiplechoice", "multiselect") and not question.get("choices"):
            refuse(f"survey question {number} must specify choices")
        for key in ("min", "max"):
            if question.get(key) is not None and (
                not isinstance(question[key], int) or isinstance(question[key], bool)
            ):
                refuse(f"'{key}' in survey question {number} expected to be integer")


@contextmanager
def serving(awx: Awx) -> Iterator[str]:
    """Answer on a port of this host for as long as it is entered; the address."""

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            size = int(self.headers.get("Content-Length") or 0)
            data = json.loads(self.rfile.read(size) or b"{}")
            place = urlsplit(self.path)
            try:
                if self.headers.get("Authorization") != "Bearer secret":
                    status, content = 401, {"detail": "Authentication credentials were not provided."}
                else:
                    status, content = awx.answer(self.command, place.path, dict(parse_qsl(place.query)), data)
            except RefusedError as refused:
                status, content = 400, refused.args[0]
            except KeyError:
                status, content = 404, {"detail": "Not found."}
            body = b"" if status == 204 else json.dumps(content).encode()
            self.send_response(status)
            for name, value in {
                "Content-Type": "application/json", "Content-Length": str(len(body)),
                "X-API-Product-Name": "AWX", "X-API-Product-Version": "24.6.1",
            }.items():  # fmt: skip
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer

        def log_message(self, *dummy: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
