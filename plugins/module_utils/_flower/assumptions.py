# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What we rely on of Flower beside its public API in Python: one row for each fact, with the value that the code uses.

A release of Flower is judged by C(make contract): each row has the test of its name in tests/contract, which asks a
real SuperLink. A test that fails names the row to change.
This module is private to the collection and may change at any time.
"""

from __future__ import annotations

import typing as t
from dataclasses import dataclass

T = t.TypeVar("T")

ANSWERS = "plugins/module_utils/_flower/answers.py"
CLI = "plugins/module_utils/_flower/cli.py"
FAB = "plugins/module_utils/_flower/fab.py"
PROCESSES = "plugins/module_utils/_flower/processes.py"
_PUBLIC_KEYS, _REGISTRY = (f"plugins/module_utils/_supernode/{name}.py" for name in ("public_keys", "registry"))
VERDICTS = "plugins/module_utils/_supervisor/verdicts.py"
LAUNCHER = "roles/superlink/files/flwr.py"
SUPEREXEC_LAUNCHER = "roles/superlink/files/flower-superexec.py"
SUPERLINK_LAUNCHER = "roles/superlink/files/flower-superlink.py"
SUPERNODE_LAUNCHER = "roles/supernode/files/flower-supernode.py"
_CLIENTAPP, _IMPORTS, _PACE, _PUSHES, _START, _SUPEREXEC = (
    f"roles/supernode/files/clientapps/{name}.py"
    for name in ("clientapp", "imports", "pace", "pushes", "start", "superexec")
)
_PUSHING = "files/fab/fedops_kit/pushing.py"
_GATEWAY = "roles/superlink/templates/gateway.conf.j2"


@dataclass(frozen=True)
class Assumption:
    """One fact about Flower."""

    name: str
    what: str
    value: t.Any
    where: tuple[str, ...]  # the files that rely on it


ASSUMPTIONS: dict[str, Assumption] = {}


def _assume(name: str, value: T, what: str, *where: str) -> T:
    ASSUMPTIONS[name] = Assumption(name, what, value, where)
    return value


# --- The command line ---

LIST_RUNS, SUBMIT_RUN, STOP_RUN, SHOW_LOG = _assume(
    "run_commands", ("list", "run", "stop", "log"), "flwr has these commands for runs.", CLI
)
LIST_NODES, REGISTER_NODE, UNREGISTER_NODE = _assume(
    "node_commands",
    (("supernode", "list"), ("supernode", "register"), ("supernode", "unregister")),
    "flwr has these commands for SuperNodes.",
    CLI,
)
FORMAT_OPTION, RUN_CONFIG_OPTION, SHOW_OPTION, NAME_OPTION = _assume(
    "command_options",
    ("--format", "--run-config", "--show", "--name"),
    "The form of an answer (of every command but flwr log), the file of a run configuration (flwr run), to show what"
    " there is and end (flwr log), and the name of a SuperNode (its registration).",
    CLI,
)
RUN_ROWS, NODE_ROWS = _assume(
    "listings", ("runs", "nodes"), "What is listed stands below these keys of the answer.", CLI
)
SUCCESS, ERROR_MESSAGE = _assume(
    "answers",
    ("success", "error-message"),
    "With --format json a command exits with 0 even when it fails: these keys tell that, and why.",
    ANSWERS,
)
ERROR_CODE = _assume(
    "error_code", r"\[code: (\d+)\]\s*", "What the SuperLink refuses has its number in the message, like this.", ANSWERS
)
ERROR_FRAME = _assume(
    "error_frame",
    "╭╰│─╮╯ ",
    "Other errors come without JSON, on standard error, in a frame of these characters with the title Error.",
    ANSWERS,
)
UNREACHABLE_WORDS = _assume(
    "unreachable",
    "Connection to the SuperLink is unavailable",
    "These words stand in the error when the SuperLink does not answer, and in no other.",
    ANSWERS,
)
INVALID_RUN_CONFIG = _assume(
    "invalid_run_config",
    15,
    "The code for a run configuration with a key that the app does not declare. Types are not looked at.",
    ANSWERS,
    "plugins/module_utils/_supervisor/supervisor.py",
)
RUN_NOT_FOUND = _assume("run_not_found", 16, "The code for a run that the SuperLink does not know.", CLI)
RUN_ALREADY_FINISHED = _assume("run_already_finished", 18, "The code for stopping a run that has ended.", CLI)
KEY_ALREADY_IN_USE = _assume(
    "key_already_in_use",
    23,
    "The code for registering a key a second time, also after its SuperNode was unregistered: that key is spent.",
    _REGISTRY,
)
NODE_NOT_FOUND = _assume(
    "node_not_found", 24, "The code for unregistering a SuperNode that is not registered, or not any more.", CLI
)
RUN_ID, FAB_HASH = _assume(
    "submission_fields",
    ("run-id", "fab-hash"),
    "flwr run answers with these once the SuperLink has accepted the run.",
    CLI,
)
SHORT_HASH = _assume(
    "short_hash",
    8,
    "A submission and the names of FABs have so many characters of the FAB's hash; a listed run has all of them.",
    FAB,
    "plugins/module_utils/_supervisor/outcome.py",
)
RUN_FIELDS = _assume(
    "run_fields",
    {
        "run_id": "run-id",
        "status": "status",
        "details": "status-details",
        "fab_hash": "fab-hash",
        "pending_at": "pending-at",
        "starting_at": "starting-at",
    },
    "flwr list tells these of each of its runs, in our words and in Flower's.",
    ANSWERS,
)
RUN_COUNTS = _assume(
    "run_counts",
    {"traffic": ("network-traffic", "total-bytes"), "client_seconds": ("compute-time", "clientapp-seconds")},
    "flwr list tells these of each of its runs: the bytes of its messages to and from SuperNodes, and the seconds that"
    " ClientApps took for their replies, which grow with each reply and are 0 before the first.",
    ANSWERS,
)
RUN_PENDING, RUN_STARTING, RUN_RUNNING = ALIVE = _assume(
    "run_alive",
    ("pending", "starting", "running"),
    "The states of a run that has not ended, in their order.",
    ANSWERS,
    VERDICTS,
    "plugins/module_utils/_supervisor/watch.py",
)
RUN_COMPLETED, RUN_FAILED, RUN_STOPPED = _assume(
    "run_ended",
    ("completed", "failed", "stopped"),
    "The states of a run that has ended, behind a prefix.",
    VERDICTS,
    "plugins/module_utils/_training/runs.py",
)
ENDED_PREFIX = _assume("ended_prefix", "finished:", "What the state of a run that has ended begins with.", ANSWERS)
NOT_KNOWN = _assume("not_known", "N/A", "A time that has not come is written like this.", ANSWERS)
TIME_FORMAT = _assume(
    "time_format", "%Y-%m-%d %H:%M:%SZ", "Times are whole seconds of UTC, written like this.", PROCESSES
)
APP_RAISED = _assume(
    "app_raised",
    "ServerApp failed with exception: ",
    "The details of a run that failed in its ServerApp are these words and the message of the exception.",
    VERDICTS,
)
NO_HEARTBEAT_DETAILS = _assume(
    "no_heartbeat",
    "No heartbeat received",
    "A run whose ServerApp is gone fails within two minutes, with details that begin like this.",
    VERDICTS,
)
SILENT = _assume(
    "silent",
    (RUN_PENDING, RUN_STARTING),
    "flwr log --show of a run in these states may wait for ever.",
    "plugins/module_utils/_training/follow.py",
)
LOG_HEADING = _assume(
    "log_heading", "Using SuperLink:", "A line of flwr log that begins like this is not the run's.", CLI
)
NODE_FIELDS = _assume(
    "node_fields",
    {
        "node_id": "node-id",
        "status": "status",
        "registered_at": "created-at",
        "online_at": "online-at",
        "offline_at": "offline-at",
    },
    "flwr supernode list tells these of each of its nodes, in our words and in Flower's, but neither key nor name.",
    ANSWERS,
    CLI,
)
REGISTERED, ONLINE, OFFLINE, UNREGISTERED = _assume(
    "node_states",
    ("registered", "online", "offline", "unregistered"),
    "The states of a SuperNode: registered before it was ever online, unregistered for ever.",
    _REGISTRY,
)

# --- Files ---

STORED_KEYS = _assume(
    "stored_keys",
    "SELECT node_id, public_key FROM node WHERE public_key IS NOT NULL",
    "The state database tells the public key of each SuperNode, as PEM; a node id above 2^63 is stored as negative.",
    _PUBLIC_KEYS,
)
APPS_FOLDER = _assume(
    "apps_folder",
    "apps",
    "The app of a run is installed in this folder of FLWR_HOME, in one that is named publisher.name.version.hash; one"
    " that is there is used as it is.",
    FAB,
)
FAB_LIMIT = _assume("fab_limit", 10 << 20, "The SuperLink takes no FAB with more bytes.", FAB)
FAB_INFO = _assume("fab_info", ".info/", "What a FAB is checked by lies in this folder of it.", FAB)
FAB_SUFFIXES = _assume(
    "fab_suffixes",
    (".py", ".toml", ".md", ".yaml", ".yml", ".json", ".jsonl"),
    "Files of these kinds, and no others but LICENSE, become part of a FAB.",
    "plugins/module_utils/_flower/app.py",
)
QUIET: t.Mapping[str, str] = _assume(
    "quiet",
    {"FLWR_TELEMETRY_ENABLED": "0", "FLWR_DISABLE_UPDATE_CHECK": "1"},
    "With these variables Flower calls nobody outside.",
    CLI,
    "plugins/module_utils/_flower/building.py",
    "plugins/filter/layout.py",
    LAUNCHER,
)
CURVES = _assume(
    "curves",
    ("ecdsa-sha2-nistp256", "ecdsa-sha2-nistp384", "ecdsa-sha2-nistp521"),
    "The SuperLink takes public keys of these kinds in OpenSSH form, and no others.",
    _PUBLIC_KEYS,
    "plugins/module_utils/_supernode/keys.py",
)

# --- Processes ---

SERVERAPP = _assume(
    "serverapp_program",
    "flwr-serverapp",
    "The process of a ServerApp has this program as the first or second word of its command line.",
    PROCESSES,
)
BEGINS_BEFORE, BEGINS_AFTER = _assume(
    "serverapp_begins",
    (2.0, 5.0),
    "The process of a ServerApp begins at most so many seconds before and after the starting-at of its run.",
    PROCESSES,
)
STOPPED_AT_ONCE = _assume(
    "stopped_at_once",
    RUN_RUNNING,
    "A run whose ServerApp is gone is still in this state, and can be stopped and submitted anew at once.",
    "plugins/module_utils/_supervisor/watch.py",
)
SUPERLINK_OPTIONS = _assume(
    "superlink_options",
    ("--host", "--port", "--ssl-ca-certfile", "--ssl-certfile", "--ssl-keyfile", "--enable-supernode-auth",
     "--isolation", "--superexec-auth-secret-file", "--database", "--disable-runtime-dependency-installation"),
    "flower-superlink has these options.",
    "roles/superlink/templates/flower-superlink.service.j2",
)  # fmt: skip
SUPEREXEC_OPTIONS = _assume(
    "superexec_options",
    ("--runtime-api-address", "--root-certificates", "--superexec-auth-secret-file"),
    "flower-superexec has these options.",
    "roles/superlink/templates/flower-superexec.service.j2",
)
SUPERNODE_OPTIONS = _assume(
    "supernode_options",
    ("--superlink", "--root-certificates", "--auth-supernode-private-key", "--node-config", "--isolation",
     "--superexec-auth-secret-file", "--host", "--port"),
    "flower-supernode has these options.",
    "roles/supernode/templates/flower-supernode.service.j2",
)  # fmt: skip

# --- What goes over the network ---

FLEET_API = _assume(
    "fleet_api", "/v1/fleet/", "All that SuperNodes ask of the SuperLink lies below this path.", _GATEWAY
)
RUNTIME_API = _assume("runtime_api", "/v1/runtime/", "All that SuperExecs and apps ask lies below this path.", _GATEWAY)
HEALTH = _assume(
    "health",
    "/health",
    "Answers 200 without a key as soon as the SuperLink serves.",
    _GATEWAY,
    "roles/superlink/tasks/health.yml",
)
KEY_HEADER = _assume(
    "key_header",
    "flwr-public-key",
    "A SuperNode sends its public key in this header of every request: the PEM text in base64.",
    _GATEWAY,
)

# --- What is not public in Python ---

LAUNCHER_NAMES: t.Mapping[str, tuple[str, ...]] = _assume(
    "launcher_names",
    {
        "flwr.common.serde": (
            "message_from_proto",
            "message_to_proto",
            "user_config_from_proto",
        ),
        "flwr.cli.app": ("app",),
        "flwr.cli.build": ("build_fab_from_disk",),
        "flwr.cli.config_utils": ("load_and_validate",),
        "flwr.cli.ls": ("_to_json",),
        "flwr.cli.run.run": (
            "load_and_validate",
            "migrate",
        ),
        "flwr.proto.fleet_pb2": (
            "ActivateNodeRequest",
            "ActivateNodeResponse",
            "DeactivateNodeRequest",
            "PullMessagesRequest",
            "PullMessagesResponse",
            "PushMessagesRequest",
            "PushMessagesResponse",
        ),
        "flwr.proto.message_pb2": (
            "ConfirmMessageReceivedRequest",
            "ConfirmMessageReceivedResponse",
            "PullObjectRequest",
            "PullObjectResponse",
            "PushObjectRequest",
            "PushObjectResponse",
        ),
        "flwr.simulation": ("run_simulation",),
        "flwr.supercore.cli.flower_superexec": (
            "flower_superexec",
            "load_superexec_auth_secret",
        ),
        "flwr.proto.node_pb2": ("Node",),
        "flwr.proto.run_pb2": ("GetRunRequest",),
        "flwr.supercore.constant": (
            "TASK_TYPE_TO_APPIO_API_ADDRESS_ARG",
            "TASK_TYPE_TO_COMMAND",
        ),
        "flwr.supercore.inflatable": ("inflatable_utils",),
        "flwr.supercore.inflatable.inflatable_object": (
            "get_all_nested_objects",
            "get_object_tree",
        ),
        "flwr.supercore.inflatable.inflatable_utils": (
            "get_num_workers",
            "pull_and_inflate_object_from_tree",
            "pull_objects",
            "push_object_contents_from_iterable",
        ),
        "flwr.supercore.logger": ("FLOWER_LOGGER",),
        "flwr.supercore.object_ref": ("find_spec",),
        "flwr.supercore.retry.http_retry": ("_RETRYABLE_STATUS_CODES",),
        "flwr.supercore.sql_mixin": ("SQLITE_PRAGMAS",),
        "flwr.supercore.superexec.executor": ("factory",),
        "flwr.supercore.superexec.executor.factory": ("SubprocessExecutor",),
        "flwr.supercore.superexec.executor.subprocess_executor": ("SubprocessExecutor",),
        "flwr.supercore.superexec.executor.types": (
            "ExecutionSpec",
            "LaunchResult",
        ),
        "flwr.superlink.cli": ("flower_superlink",),
        "flwr.superlink.main": ("create_app",),
        "flwr.supernode": ("fleet_http_connection",),
        "flwr.supernode.cli": (
            "flower_supernode",
            "flwr_clientapp",
        ),
        "flwr.supernode.fleet_http_client": ("FleetHttpClient",),
        "flwr.supernode.fleet_http_connection": ("FleetHttpClient",),
        "flwr.supernode.runtime.run_clientapp": ("install_from_fab",),
    },
    "Our launchers use or replace these names, by module, which may move with any release.",
    LAUNCHER,
    _CLIENTAPP,
    _IMPORTS,
    _SUPEREXEC,
    SUPERNODE_LAUNCHER,
    SUPEREXEC_LAUNCHER,
    SUPERLINK_LAUNCHER,
    "roles/simulation/files/simulate.py",
)
CLIENT_METHODS = _assume(
    "client_methods",
    (
        "ActivateNode",
        "ConfirmMessageReceived",
        "DeactivateNode",
        "GetRun",
        "PullMessages",
        "PullObject",
        "PushMessages",
        "PushObject",
        "_unary_unary",
    ),
    "The SuperNode's client of the SuperLink has these methods, which our launcher extends.",
    SUPERNODE_LAUNCHER,
)
ROUND_OF_MESSAGE: tuple[bytes, str] = _assume(
    "round_of_message",
    (b"ConfigRecord ", "server-round"),
    "A piece of a message that has settings begins like this, and Flower's strategies tell the round by this one.",
    SUPERNODE_LAUNCHER,
)
FORGOTTEN = _assume(
    "forgotten_message",
    "Ignoring message %s",
    "The SuperNode logs this when it forgets to tidy up a message of a run that was stopped meanwhile.",
    SUPERNODE_LAUNCHER,
)
PUSHING: tuple[str, ...] = _assume(
    "sending_replies",
    ("state", "object_store", "send", "push_object"),
    "The SuperNode sends replies with a function _push_messages that takes these, and waits for each of a reply's"
    " pieces until the store has it.",
    SUPERNODE_LAUNCHER,
)
SUPERNODE_PAUSES: t.Mapping[str, tuple[str, ...]] = _assume(
    "supernode_pauses",
    {"flwr.supernode.start_client_internal": ("time.sleep(3)", "time.sleep(0.5)")},
    "The SuperNode pauses in this module and in these ways, for want of a message and of a reply or a piece of one.",
    SUPERNODE_LAUNCHER,
)
SUPEREXEC_PAUSES: t.Mapping[str, tuple[str, ...]] = _assume(
    "superexec_pauses",
    {"flwr.supercore.superexec.run_superexec": ("time.sleep(task_poll_interval)",)},
    "The SuperExec pauses in this module and in this way, for want of a task.",
    _SUPEREXEC,
)
PULLS: t.Mapping[str, int] = _assume(
    "pull_backoff",
    {"initial_backoff": 1, "backoff_cap": 10, "max_tries_per_object": 500},
    "Whoever pulls a piece that is not there yet waits so many seconds at first and at most, and gives up after so many"
    " tries; these are defaults of keyword arguments.",
    SUPERNODE_LAUNCHER,
    _PACE,
)
PUSHES: tuple[str, tuple[str, ...]] = _assume(
    "pushes",
    ("push_object_contents_from_iterable", ("object_contents", "push_object_fn", "max_concurrent_pushes")),
    "Whoever sends a message does it by this function of inflatable_utils, which takes pieces, what sends one, and as a"
    " keyword with a default how many may be under way.",
    _PUSHES,
    _PUSHING,
)
ASKED_AGAIN: t.Mapping[str, tuple[str, int]] = _assume(
    "codes_asked_again",
    {"flwr.supercore.retry.http_retry": ("_RETRYABLE_STATUS_CODES", 503)},
    "After an answer with one of the numbers in this frozenset, such as this one, Flower's clients ask again.",
    SUPEREXEC_LAUNCHER,
)
DATABASE_SETTINGS: t.Mapping[str, tuple[str, tuple[str, str]]] = _assume(
    "database_settings",
    {"flwr.supercore.sql_mixin": ("SQLITE_PRAGMAS", ("journal_mode", "WAL"))},
    "Each connection to the SuperLink's database is set up with the pairs in this tuple, of which this is one.",
    SUPERLINK_LAUNCHER,
)
PARTS_OF_REQUESTS: t.Mapping[str, tuple[str, int]] = _assume(
    "parts_of_requests",
    {"uvicorn.protocols.http.httptools_impl": ("HIGH_WATER_LIMIT", 65536)},
    "The web server of SuperLink and SuperNode reads on while no more than so many bytes of a request wait.",
    SUPERLINK_LAUNCHER,
    SUPERNODE_LAUNCHER,
)
TASK_HASH = _assume(
    "hash_of_a_task",
    "fab_hash",
    "A SuperExec knows the hash of a task's FAB by this name before it starts the process, which installs the FAB from"
    " its bytes before it loads anything of it.",
    _SUPEREXEC,
)
CLIENTAPP = _assume(
    "clientapp_program",
    "flwr-clientapp",
    "The SuperExec starts this program for a ClientApp, with nothing before it.",
    _START,
)
APP_NAMES: t.Mapping[str, tuple[str, ...]] = _assume(
    "app_names",
    {
        "flwr.app.message": ("make_message",),
        "flwr.app.message.arraychunk": ("ArrayChunk",),
        "flwr.app.message.message": ("remove_content_from_message",),
        "flwr.common.constant": (
            "ErrorCode",
            "FLWR_PRIVATE_MAX_ARRAY_CHUNK_SIZE",
            "SType",
            "SUPERLINK_NODE_ID",
        ),
        "flwr.common.serde_utils": ("metadata_from_proto",),
        "flwr.proto.message_pb2": (
            "ConfirmMessageReceivedRequest",
            "Message",
            "ObjectTree",
            "PullObjectRequest",
            "PullObjectResponse",
        ),
        "flwr.proto.node_pb2": ("NodeInfo",),
        "flwr.proto.runtime_pb2": ("PullAppMessagesRequest",),
        "flwr.supercore.constant": ("FLWR_PRIVATE_MAX_CONCURRENT_OBJ_PULLS",),
        "flwr.supercore.inflatable": ("inflatable_utils",),
        "flwr.supercore.inflatable.inflatable_object": (
            "InflatableObject",
            "get_object_body",
            "get_object_head_values_from_object_content",
            "iterate_object_tree",
        ),
        "flwr.supercore.inflatable.inflatable_utils": (
            "ObjectPullError",
            "ObjectPushError",
            "get_num_workers",
            "inflate_object_from_contents",
        ),
        "flwr.supercore.run": ("Run",),
        "flwr.serverapp.strategy.fedopt": ("FedOpt",),
        "flwr.serverapp.strategy.strategy_utils": (
            "aggregate_bagging",
            "aggregate_metricrecords",
        ),
    },
    "The app uses these names beside the public ones, by module.",
    "files/fab",
)
