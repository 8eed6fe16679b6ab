# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""A server of one model over HTTP, which switches to another one without failing a request.

Settings come from the environment:
    SERVING_MODELS  the directory of unpacked packages, with the link C(current)
    SERVING_APP     the file of the app
    SERVING_TOKEN   a file whose bytes, in hexadecimal, are the token that /reload asks for; without it nobody may
"""

from __future__ import annotations

import hmac
import logging
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import anyio.to_thread
from fastapi import Body, FastAPI, Header, HTTPException
from slots import ModelError, Slots, app_of

log = logging.getLogger("uvicorn.error")
RELOADED = Annotated[dict[str, Any], Body()]


def _token() -> str:
    path = os.environ.get("SERVING_TOKEN", "")
    return Path(path).read_bytes().hex() if path else ""


slots = Slots(Path(os.environ["SERVING_MODELS"]), app_of(Path(os.environ["SERVING_APP"])))
token = _token()


@asynccontextmanager
async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
    try:
        await anyio.to_thread.run_sync(slots.load_current)
    except ModelError as error:
        log.error("%s", error)  # the worker is going to tell of another one
    yield


app = FastAPI(title="A federated model", lifespan=lifespan)


# Not async: each request runs in a thread, so that a slow model holds up nobody who asks for the health.
@app.post("/predict")
def predict(body: Annotated[Any, Body()]) -> dict[str, Any]:
    try:
        package, result = slots.predict(body)
    except (KeyError, TypeError, ValueError) as error:
        raise HTTPException(422, f"{type(error).__name__}: {error}") from error
    except LookupError as error:
        raise HTTPException(503, str(error)) from error
    return {"package": package, "result": result}


@app.get("/healthz")
async def healthz() -> dict[str, Any]:
    if slots.served is None:
        raise HTTPException(503, "There is no model yet.")
    return {"status": "ok", "package": slots.served.package}


@app.get("/version")
async def version() -> dict[str, Any]:
    served = slots.served
    if served is None:
        return {"package": None}
    said = ("training", "round", "metrics", "base_model", "identity")
    return {
        "package": served.package,
        "load_seconds": round(served.seconds, 3),
        **{key: served.manifest.get(key) for key in said},
    }


@app.post("/reload")
@app.post("/reload_model", include_in_schema=False)
def reload(asked: RELOADED, authorization: Annotated[str, Header()] = "") -> dict[str, Any]:
    if not token or not hmac.compare_digest(authorization.encode(), f"Bearer {token}".encode()):
        raise HTTPException(401, "This is for the worker of this host.")
    try:
        slot = slots.load(str(asked.get("package", "")), asked.get("probe"))
    except ModelError as error:
        raise HTTPException(422, str(error)) from error
    log.info("%s is served", slot.package)
    return {"package": slot.package, "load_seconds": round(slot.seconds, 3)}
