# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""Sending a message without holding all of it as it travels, beside what it is made of."""

# begin: pushes
from __future__ import annotations

import inspect
import sys
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, as_completed
from typing import Any

# The function of Flower that sends pieces, and what it takes.
PUSH = "push_object_contents_from_iterable"
TAKES = ("object_contents", "push_object_fn", "max_concurrent_pushes")


def push_few_at_a_time(module: Any) -> None:
    """Have Flower make pieces as it sends them, and not all of them first, where it sends them as is known."""
    push, workers_of = getattr(module, PUSH, None), getattr(module, "get_num_workers", None)
    if callable(push) and callable(workers_of) and tuple(inspect.signature(push).parameters) == TAKES:
        setattr(module, PUSH, _few_at_a_time(workers_of, (push.__kwdefaults__ or {}).get(TAKES[-1], 1)))
    else:
        print(f"This release of Flower pushes in another way ({module.__name__}). That is left to it.", file=sys.stderr)


def _few_at_a_time(workers_of: Callable[[int], int], usual: int) -> Callable[..., None]:
    def push_contents(
        object_contents: Iterable[tuple[str, bytes]],
        push_object_fn: Callable[[str, bytes], None],
        *,
        max_concurrent_pushes: int = usual,
    ) -> None:
        workers = workers_of(max_concurrent_pushes)
        room, failed = threading.Semaphore(2 * workers), threading.Event()

        def push(name: str, content: bytes) -> None:
            try:
                if not failed.is_set():
                    push_object_fn(name, content)
            except BaseException:
                failed.set()
                raise
            finally:
                room.release()

        executor = ThreadPoolExecutor(max_workers=workers)
        try:
            waiting = []
            for name, content in object_contents:
                room.acquire()
                waiting.append(executor.submit(push, name, content))
            for each in as_completed(waiting):
                each.result()
        finally:
            executor.shutdown(wait=False, cancel_futures=True)

    return push_contents


# end: pushes
