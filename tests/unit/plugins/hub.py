# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""As much of the Hugging Face Hub as publishing a model takes: repositories, commits, large files, tags.

It was made by what the library huggingface_hub asks and what its sources take for an answer. The Hub itself cannot be
reached from here.
"""

from __future__ import annotations

import base64
import hashlib
import http.server
import json
import re
import threading
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

LARGE = 2000  # bytes, from which on a file goes another way


class Hub(http.server.BaseHTTPRequestHandler):
    """Answers the library."""

    protocol_version = "HTTP/1.1"

    @property
    def state(self) -> Any:
        return self.server  # type: ignore[return-value]

    def _answer(self, value: Any, status: int = 200, headers: dict[str, str] | None = None) -> None:
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, text)
        if not isinstance(value, bytes):
            self.send_header("Content-Type", "application/json")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _not_found(self, code: str) -> None:
        self._answer({"error": "not found"}, 404, {"X-Error-Code": code})

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length") or 0))

    def _is_refused(self) -> bool:
        self.state.asked.append(f"{self.command} {self.path}")
        if self.state.fault and self.state.fault(f"{self.command} {self.path}"):
            self._body()
            self._answer({"error": "come back later"}, self.state.status, {"Retry-After": "1"})
            return True
        if self.headers.get("Authorization") == f"Bearer {self.state.token}" or self.path.startswith("/large/"):
            return False
        self._body()
        self._answer({"error": "Invalid credentials"}, 401)
        return True

    def do_POST(self) -> None:
        if self._is_refused():
            return None
        path, body = urllib.parse.urlsplit(self.path).path, self._body()
        if path == "/api/repos/create":
            return self._create(json.loads(body))
        if path == "/api/validate-yaml":
            self.state.cards.append(json.loads(body))
            return self._answer({"errors": [], "warnings": []})
        name = self._repo(path)
        repo = self.state.repos.get(name)
        if path.endswith(".git/info/lfs/objects/batch"):
            return self._batch(json.loads(body))
        if repo is None:
            return self._not_found("RepoNotFound")
        if "/preupload/" in path:
            files = json.loads(body)["files"]
            return self._answer(
                {
                    "files": [
                        {
                            "path": one["path"],
                            "uploadMode": "lfs" if one["size"] >= LARGE else "regular",
                            "shouldIgnore": False,
                            "oid": oid_of(repo["files"].get(one["path"])),
                        }
                        for one in files
                    ]
                }
            )
        if "/commit/" in path:
            return self._commit(name, repo, [json.loads(line) for line in body.splitlines()])
        if "/tag/" in path:
            tag = json.loads(body)["tag"]
            if tag in repo["tags"]:
                return self._answer({"error": "exists"}, 409)
            revision = path.rpartition("/")[2]
            commit = next(one for one in repo["commits"] if revision in ("main", one["oid"]))
            repo["tags"][tag] = commit["files"]
            return self._answer({})
        return self._not_found("EntryNotFound")

    def do_GET(self) -> None:
        if self._is_refused():
            return None
        path = urllib.parse.urlsplit(self.path).path
        if path == "/api/whoami-v2":
            return self._answer({"name": "flower", "type": "user", "orgs": [{"name": "hospitals"}]})
        repo = self.state.repos.get(self._repo(path))
        if repo is None or (repo["private"] and not self.headers.get("Authorization")):
            return self._not_found("RepoNotFound")
        found = re.search(r"/(?:tree|resolve)/([^/]+)", path)
        files = repo["files"] if not found or found[1] == "main" else repo["tags"].get(found[1])
        if files is None:
            return self._not_found("RevisionNotFound")
        if "/tree/" in path:
            return self._answer([listed(name, content) for name, content in sorted(files.items())])
        if "/resolve/" in path:
            content = files.get(path.rpartition("/")[2])
            if content is None:
                return self._not_found("EntryNotFound")
            return self._answer(content, headers={"ETag": f'"{oid_of(content)}"', "X-Repo-Commit": "0" * 40})
        return self._answer(
            {
                "id": "x",
                "siblings": [{"rfilename": name} for name in files],
                "sha": repo["commits"][-1]["oid"] if repo["commits"] else "0" * 40,
            }
        )

    do_HEAD = do_GET

    def do_PUT(self) -> None:
        if self._is_refused():
            return
        digest = self.path.rpartition("/")[2]
        content = self._body()
        assert hashlib.sha256(content).hexdigest() == digest
        self.state.large[digest] = content
        self._answer({})

    def _create(self, asked: dict[str, Any]) -> None:
        name = "/".join(filter(None, (asked.get("organization"), asked["name"])))
        if name in self.state.repos:
            return self._answer({"error": "exists", "url": f"{self.state.url}/{name}"}, 409)
        self.state.repos[name] = {
            "files": {".gitattributes": b"*.npz filter=lfs"},
            "commits": [],
            "tags": {},
            "private": asked.get("private", asked.get("visibility")),
        }
        return self._answer({"url": f"{self.state.url}/{name}", "name": name, "id": name})

    def _batch(self, asked: dict[str, Any]) -> None:
        objects = [
            one
            if one["oid"] in self.state.large
            else {**one, "actions": {"upload": {"href": f"{self.state.url}/large/{one['oid']}", "header": {}}}}
            for one in asked["objects"]
        ]
        self._answer({"transfer": "basic", "objects": objects})

    def _commit(self, name: str, repo: dict[str, Any], lines: list[dict[str, Any]]) -> None:
        for line in lines:
            value = line["value"]
            if line["key"] == "file":
                repo["files"][value["path"]] = base64.b64decode(value["content"])
            elif line["key"] == "lfsFile":
                repo["files"][value["path"]] = self.state.large[value["oid"]]
            elif line["key"] == "deletedFile":
                del repo["files"][value["path"]]
        oid = f"{len(repo['commits']) + 1:040d}"
        repo["commits"].append({"oid": oid, "summary": lines[0]["value"]["summary"], "files": dict(repo["files"])})
        self._answer({"commitUrl": f"{self.state.url}/{name}/commit/{oid}", "commitOid": oid, "success": True})

    def _repo(self, path: str) -> str | None:
        return next((name for name in self.state.repos if f"/{name}/" in f"{path}/" or f"/{name}.git/" in path), None)

    def log_message(self, *_anything: object) -> None:
        """Say nothing."""


def oid_of(content: bytes | None) -> str | None:
    """Return what git calls a file, and the Hub a large one."""
    if content is None:
        return None
    if len(content) >= LARGE:
        return hashlib.sha256(content).hexdigest()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


def listed(name: str, content: bytes) -> dict[str, Any]:
    """Return what the Hub says of a file."""
    found = {"type": "file", "path": name, "size": len(content), "oid": oid_of(content)}
    if len(content) >= LARGE:
        found["lfs"] = {"oid": oid_of(content), "size": len(content), "pointerSize": 130}
    return found


@contextmanager
def hub(token: str = "hf_secret") -> Iterator[Any]:
    """Give a Hub that serves on the loopback."""
    server: Any = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.token, server.repos, server.large, server.asked, server.cards = token, {}, {}, [], []
    server.fault, server.status = None, 503
    server.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
