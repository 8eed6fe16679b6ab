# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Every way in which a training ends, loses its run or waits, and what each means: nowhere else is this written.

Two tables. C(ENDINGS) says how a supervisor can end: with which status, and what follows from it. C(REASONS) says why,
and why it waits. The exit statuses in the unit and the tables of docs/events.md are generated from them.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass, field

LOG_ERROR, LOG_WARNING, LOG_NOTICE, LOG_INFO = 3, 4, 5, 6  # as syslog numbers them

# What becomes of a training at a moment: go on watching, wait for somebody, rest until the next session, or end in one
# of these ways.
GO_ON, WAIT, IDLE = "go_on", "wait", "idle"
FINISHED, STOPPED, FAILED, GIVEN_UP, AGAIN, REFUSED = "completed", "stopped", "failed", "given_up", "again", "refused"
QUIESCED = "quiesced"  # with all other trainings of the SuperLink, until they are resumed

# The state that a training is in, as everybody is told. At its end it has the name of the ending.
STARTING = "starting"
STATES = {GO_ON: "running", WAIT: "waiting", IDLE: "idle", AGAIN: "restarting"}
AT_WORK = (STARTING, *STATES.values())

# What begins it again, beside an order to train.
BY_SYSTEMD, BY_RESUME = "systemd", "fedops.flower.resume"

TRAIN_AGAIN = "Train again (playbook fedops.flower.train) to go on from there."
ON_RESUME = f"It goes on when the federation is resumed (playbook {BY_RESUME})."


@dataclass(frozen=True)
class Ending:
    """A way in which a supervisor ends."""

    kind: str
    status: int  # with which it exits
    event: str  # in the journal
    level: int  # of the event
    words: str  # how the last line of the journal says it
    when: str  # the event is written, for docs/events.md
    action: str  # what an operator does about it
    goes_on: str = ""  # what begins it again: SYSTEMD, RESUME, or nothing
    facts: tuple[str, ...] = ()  # what the event says beside END_FACTS
    notes: t.Mapping[str, str] = field(default_factory=dict)  # on some of them

    @property
    def is_bad(self) -> bool:
        return self.level <= LOG_ERROR


END_FACTS = ("reason", "run_id", "restarts")
RESULT_FACTS = ("rounds", "loss", "accuracy", "checkpoint", "sha256")  # of a training that has reached its end

ENDINGS: t.Mapping[str, Ending] = {
    ending.kind: ending
    for ending in (
        Ending(
            FINISHED,
            0,
            "training_completed",
            LOG_NOTICE,
            "completed",
            when="the training has reached its end",
            action="Nothing.",
            facts=RESULT_FACTS,
        ),
        Ending(
            STOPPED,
            10,
            "training_stopped",
            LOG_NOTICE,
            "stopped; it stays so until it is trained again",
            when="an operator has stopped it; it stays so until it is trained again",
            action=TRAIN_AGAIN,
        ),
        Ending(
            QUIESCED,
            11,
            "training_quiesced",
            LOG_NOTICE,
            "quiesced; it goes on when the federation is resumed",
            when=f"all trainings are paused by `fedops.flower.quiesce`; `{BY_RESUME}` resumes it",
            action=f"Resume the federation (playbook {BY_RESUME}).",
            goes_on=BY_RESUME,
        ),
        Ending(
            FAILED,
            65,
            "training_failed",
            LOG_ERROR,
            "failed in the app, which would fail again",
            when="the app has failed, and would fail again",
            action="Read the end of the run's log in the event, correct the app or its data, and train again.",
            facts=("log_tail",),
        ),
        Ending(
            GIVEN_UP,
            69,
            "training_given_up",
            LOG_ERROR,
            "given up",
            when="too many runs in a row have finished no round",
            action="The `run_lost` events before it say why. Remove the cause, then train again.",
        ),
        Ending(
            AGAIN,
            75,
            "run_lost",
            LOG_WARNING,
            "run lost, the next one goes on where it was",
            when="a run has ended before its time; systemd starts the supervisor again, and it submits the next",
            action="Nothing, unless it happens again and again.",
            goes_on=BY_SYSTEMD,
            facts=("round",),
            notes={"round": "the last one finished", "restarts": "so far"},
        ),
        Ending(
            REFUSED,
            78,
            "training_refused",
            LOG_ERROR,
            "refused",
            when="it cannot be trained as asked",
            action="Change what the message names, then train again.",
        ),
    )
}

ENDED = tuple(ending.kind for ending in ENDINGS.values() if not ending.goes_on)  # until it is trained again


@dataclass(frozen=True)
class Reason:
    """Why a training ends, loses its run or waits."""

    word: str  # which stays the same, for programs
    kind: str  # what it leads to: an ending, WAIT or IDLE
    # For a person, with facts in braces; of what the app tells, how its words begin, for the documents. Empty where
    # Flower or the host says it, or the app in several ways.
    sentence: str
    meaning: str  # for the documents
    action: str  # what an operator does about it
    told_by_app: bool = False  # the ServerApp gives this word in failure.json, and its own sentence
    is_waited_for: bool = False  # the next run begins when it is over, and a run lost for it does not count as one
    event: str = ""  # in the journal, where it is not the one of the ending


NOTHING = "Nothing."

# --- It waits ---
NODES = Reason(
    "nodes",
    WAIT,
    "SuperNodes online: {online} of {needed} needed.{missing}",
    "too few SuperNodes are online; `waiting_for` names those that are not, as far as any others are registered",
    "Start those that `waiting_for` names. When it names none, run `fedops.flower.site`: it registers them, also again"
    " when the SuperLink has lost its database.",
)
REJOIN = Reason(
    "rejoin",
    WAIT,
    "Round {round} waits for sites that took part before: {missing}. It goes on without them after fl_rejoin_timeout.",
    "sites that took part in the round that is repeated are not online; it goes on without them after"
    " `fl_rejoin_timeout` ([recovery.md](recovery.md#who-must-be-there-to-go-on-exactly))",
    "Start those that `waiting_for` names, if the model is to be that of an undisturbed training.",
)
SUPERLINK = Reason(
    "superlink",
    WAIT,
    "The SuperLink is waited for; a run outlives its restart. {details}",
    "the SuperLink does not answer",
    "If it does not come back by itself, look at the journal of `flower-superlink`.",
)
SUPEREXEC = Reason(
    "superexec",
    WAIT,
    "The run is pending, because flower-superexec has not taken it up. {why}",
    "the SuperExec does not take the run up",
    "Start or restart `flower-superexec`; its journal says why it does not.",
)
DIRECTORY_BUSY = Reason(
    "directory_busy",
    WAIT,
    "Another run saves into the directory of the checkpoints, and is waited for.",
    "another run saves into the directory of the checkpoints",
    "Nothing, when that run is to end first. Otherwise stop it, or set another `fl_checkpoint_path`.",
)
PAUSE = Reason(
    "pause",
    WAIT,
    "Runs in a row without a finished round: {fruitless}. The next begins in {seconds:g} s.",
    "nothing but time, after runs that have finished no round",
    "Look at the `run_lost` events before it.",
)
SESSION = Reason(
    "session",
    IDLE,
    "The next session begins when a SuperNode joins or comes back{until}.",
    "the next session of a continuous training",
    NOTHING,
)

# --- Its run is lost, and another one is needed ---
SERVERAPP_GONE = Reason(
    "serverapp_gone",
    AGAIN,
    "The process of the ServerApp is gone.",
    "the process of the ServerApp is gone",
    "Nothing. If it happens again, look at the journals of the kernel and of `flower-superexec` at that time.",
)
OUT_OF_MEMORY = Reason(
    "out_of_memory",
    AGAIN,
    "The kernel killed the ServerApp for want of memory.",
    "the kernel killed the ServerApp for want of memory",
    "Give the SuperLink host more memory, or have fewer clients train in a round ([sizing.md](sizing.md)).",
)
SUPEREXEC_GONE = Reason(
    "superexec_gone",
    AGAIN,
    "The SuperExec has died, and the ServerApp with it.",
    "the SuperExec has died, and the ServerApp with it",
    "Nothing after a restart or a reboot. Otherwise look at the journal of `flower-superexec`.",
)
NO_HEARTBEAT = Reason(
    "no_heartbeat",
    AGAIN,
    "The ServerApp gave no sign of life, and Flower has given the run up.",
    "the process is there, but gave no sign of life, and Flower gave the run up",
    "Look for what keeps the host so busy: memory, disk, other programs.",
)
SUPERLINK_FORGOT = Reason(
    "superlink_forgot",
    AGAIN,
    "The SuperLink no longer knows the run: its database was replaced.",
    "the SuperLink no longer knows the run: its database was replaced",
    "Run `fedops.flower.site`, so that the SuperNodes are registered in the new one.",
)
STALLED = Reason(
    "stalled",
    AGAIN,
    "No round was finished within {budget:.0f} seconds: it is stalled.",
    "no round was finished in ten times the longest of the last ones, at least `training_stall_timeout`",
    "If rounds may take that long, raise `training_stall_timeout`. Otherwise look at the SuperNodes' journals.",
)
SILENCE = Reason(
    "silence",
    AGAIN,
    "Flower has passed on no message of the run for {budget:.0f} seconds: it is stalled.",
    "of an app that tells of no rounds, no message went to or from a SuperNode in ten times the longest wait for a"
    " reply, at least `training_stall_timeout`",
    "If a site may train that long, raise `training_stall_timeout`. Otherwise look at the SuperNodes' journals.",
)
TOO_FEW_NODES = Reason(
    "too_few_nodes",
    AGAIN,
    "Only {online} SuperNodes were online after {seconds} seconds.",
    "the ServerApp waited `fl_node_wait_timeout` seconds for SuperNodes; the next run begins when they are there",
    "Start the SuperNodes that the message names.",
    told_by_app=True,
    is_waited_for=True,
)
NODES_UNAVAILABLE = Reason(
    "nodes_unavailable",
    AGAIN,
    "",
    "SuperNodes were lost in a round, and repeating it did not help",
    "Look at the journals of the SuperNodes that the message names.",
    told_by_app=True,
)
SUPERLINK_LOST = Reason(
    "superlink_lost",
    AGAIN,
    "The SuperLink was lost: {error}",
    "the ServerApp lost the SuperLink in a way that Flower does not try again",
    "Look at the journal of `flower-superlink` at that time.",
    told_by_app=True,
)
DIRECTORY_WAS_BUSY = Reason(
    "directory_busy",
    AGAIN,
    "",
    "another run still saved into the directory of the checkpoints",
    NOTHING,
    told_by_app=True,
    is_waited_for=True,
)
RETRIED = Reason(
    "failed",
    AGAIN,
    "",
    "the app has failed, and `training_retry_failed` is set",
    "Read the message. If the app would always fail, stop the training and correct it.",
)
FLOWER_REFUSED = Reason(
    "flower_refused",
    AGAIN,
    "",
    "Flower has refused a submission or a question that it may accept later",
    "Read Flower's message.",
    event="flower_refused",
)

# --- It ends ---
COMPLETED = Reason("completed", FINISHED, "Flower reports its run as completed.", "it has all its rounds", NOTHING)
OPERATOR = Reason(
    "operator", STOPPED, "An operator has stopped it.", "`fedops.flower.stop` has stopped it", "Train again to go on."
)
FLWR_STOP = Reason(
    "flwr_stop",
    STOPPED,
    "Its run was stopped by hand.",
    "somebody has stopped its run with `flwr stop`",
    "Train again to go on.",
)
ALL_QUIESCED = Reason(
    "quiesced",
    QUIESCED,
    "The federation is quiesced{what}. " + ON_RESUME,
    "`fedops.flower.quiesce` was run, or a playbook that pauses all trainings",
    f"Run `{BY_RESUME}`.",
    told_by_app=True,
)
APP = Reason(
    "app",
    FAILED,
    "",
    "the app has ended its run with an error",
    "Read the message and `log_tail`, correct the app or its data, and train again.",
)
NO_RESULT = Reason(
    "no_result",
    FAILED,
    "Flower reports the run as completed, but its ServerApp wrote no result.",
    "the run has completed, but its ServerApp wrote no result",
    "Look at the log of the run: the app ended before its last round, or could not write `result.json`.",
)
NO_REPLY = Reason(
    "no_reply",
    FAILED,
    "Flower reports the run as completed, but no ClientApp has ever replied: nothing was trained.",
    "the run of an app that tells of no rounds has completed, but no ClientApp has ever replied",
    "Look at the log of the run and at the journals of the SuperNodes: nobody was asked, or nobody could answer.",
)
NO_PROGRESS = Reason(
    "no_progress",
    GIVEN_UP,
    "Runs in a row without a finished round: {fruitless}. The events above say why each ended."
    " Remove the cause, then train again.",
    "`training_attempts` runs in a row have finished no round",
    "Remove the cause that the `run_lost` events name, then train again.",
)
CONFLICT = Reason(
    "conflict",
    REFUSED,
    "",
    "a run of another configuration of this training is alive",
    "Wait for its end, or stop it.",
)
RUN_CONFIG = Reason(
    "run_config",
    REFUSED,
    "",
    "the app does not declare a key of the run configuration",
    "Correct `[tool.flwr.app.config]` of the app, then deploy it and train again.",
)
DIRECTORY_SHARED = Reason(
    "directory_shared",
    REFUSED,
    "",
    "another training that goes on by itself keeps its checkpoints in the same directory",
    "Set another `fl_checkpoint_path`, or stop the other training.",
)
REQUEST = Reason(
    "request",
    REFUSED,
    "{path} is missing or damaged. Train again to write it.",
    "`request.json` is missing or damaged",
    "Train again.",
)

REASONS = tuple(entry for entry in list(globals().values()) if isinstance(entry, Reason))
TOLD_BY_APP: t.Mapping[str, Reason] = {reason.word: reason for reason in REASONS if reason.told_by_app}
WAITED_FOR = tuple(reason.word for reason in REASONS if reason.is_waited_for)
