# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""The exceptions that end a run on purpose. Flower shows their text as the status details of the failed run."""

from __future__ import annotations


class RunFailedError(Exception):
    """The run cannot go on; the text says why and what to do."""

    reason = "failed"  # a word for programs, published as such


class TooFewNodesError(RunFailedError):
    """Too few SuperNodes are online: another run may begin when they are."""

    reason = "too_few_nodes"


class NodesUnavailableError(RunFailedError):
    """SuperNodes were lost in a round; none of them has said that anything is wrong with the training itself."""

    reason = "nodes_unavailable"


class SuperLinkLostError(RunFailedError):
    """The SuperLink could not be reached in a way that Flower does not try again."""

    reason = "superlink_lost"


class DirectoryBusyError(RunFailedError):
    """Another run still saves into the directory of the checkpoints."""

    reason = "directory_busy"


class QuiescedError(RunFailedError):
    """Whoever looks after the hosts wants all trainings to stand still; another run goes on when that is over."""

    reason = "quiesced"


class NotSavedError(RunFailedError):
    """A checkpoint could not be saved. It ends the run only when nobody decides otherwise."""

    reason = "not_saved"
