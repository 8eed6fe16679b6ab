# Copyright: (c) 2026, fedops.flower contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The table of training variables: every name, type, default, bound and help text stands here, once.

Private to the collection: it may change at any time. ``tools/generate.py`` writes everything that follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from .._base import runtimes
from .._base.home import CHECKPOINTS, HOME, below
from .._base.notation import NAME_OF_TRAINING
from .._checkpoint.models import CONTROLLER, FORMATS
from .._checkpoint.trainings import DEFAULT_TRAINING, RESERVED
from .code import CODE_CHANGES, NEW_TRAINING
from .strategies import MIXED, STRATEGIES, by_malicious_factor, listed, own_defaults, readers
from .variable import Variable

RUNTIME_NAMES = tuple(runtimes.RUNTIMES)

LOCAL = "local"  # the group of what clients are told, as settings of their task
GROUPS = {
    "training": "What to train",
    "clients": "Who takes part",
    "strategy": "Parameters of strategies",
    LOCAL: "Training on the clients",
    "stopping": "When to stop early",
    "waiting": "Time, luck and missing replies",
    "checkpoints": "Checkpoints and resume",
    "telling": "What is told of each round",
    "demonstration": "For demonstrations only",
}

_ROUNDS_LATER = "More rounds continue the same training, so that a finished one can be extended."
_WAITING = "It decides how long to wait, not what is computed from the replies that came."
_REACTION = "It is the reaction to a fault; the rounds that succeed are computed in the same way."
_EVALUATION = "Evaluation reads the model and does not change it."
_TELLING = "It decides what is told of the model, not what the model is."
_STORAGE = "It decides what is kept of the model, not what the model is."
_STOPPING = "It decides after which round a training ends, not what a round computes."
_CODE = "It is compared by itself, next to the configuration."
_OUTVOTING = listed(tuple(name for names in by_malicious_factor().values() for name in names))
_SHARES = ", ".join(f"{row.most_shares:g} with {row.name}" for row in STRATEGIES.values() if row.most_shares)
_CLIENTS_NEEDED = ", ".join(
    f"{' and '.join(names)} {'need' if len(names) > 1 else 'needs'} {factor}f + 3"
    for factor, names in by_malicious_factor().items()
)

# Other characters mean something to systemd or to a shell.
_PATH = r"/(?!/)(?!(.*/)?\.\.(/|$))[A-Za-z0-9._+=@,/-]{1,1023}"

_ROWS: tuple[Variable, ...] = (
    Variable(
        name="training_name",
        type="str",
        default=DEFAULT_TRAINING,
        title="Name of the training",
        help="Identifies the training: its files, its checkpoints and its run are found again by this name.",
        group="training",
        pattern=rf"(?!({'|'.join(RESERVED)})$){NAME_OF_TRAINING}",
        pattern_rule="1 to 63 lower-case letters, digits and hyphens, the first not a hyphen,"
        f" and not {' or '.join(RESERVED)}",
        outside_identity="The name is compared by itself, next to the configuration.",
    ),
    Variable(
        name="code_change",
        type="str",
        default=NEW_TRAINING,
        title="When the app has other code",
        help="What other code of yours makes of a training that has begun: another one, from round 1 (new), or the"
        " same, which goes on and tells both (continue).",
        group="training",
        choices=CODE_CHANGES,
        outside_identity=_CODE,
    ),
    Variable(
        name="code_sha256",
        type="str",
        default="",
        title="SHA-256 of the app's code",
        help="Which code of yours the app must have, without what the collection brings. Left unset, it is the app's.",
        group="training",
        pattern="(?:[0-9a-f]{64})?",
        pattern_rule="64 hexadecimal digits in lower case",
        outside_identity=_CODE,
    ),
    Variable(
        name="strategy",
        type="str",
        default="FedAvg",
        title="Aggregation strategy",
        help="How the server makes one model of the clients' replies, by the name of Flower's class.",
        group="training",
        choices=tuple(STRATEGIES),
    ),
    Variable(
        name="num_rounds",
        type="int",
        default=3,
        flower_key="num-server-rounds",
        title="Number of rounds",
        help="The rounds that the whole training has; a resumed training runs only the remaining ones.",
        group="training",
        minimum=1,
        outside_identity=_ROUNDS_LATER,
    ),
    Variable(
        name="min_fit_clients",
        type="int",
        default=2,
        title="Minimum clients that train",
        help="At least this many clients are asked to train in each round.",
        group="clients",
        minimum=1,
    ),
    Variable(
        name="min_evaluate_clients",
        type="int",
        default=2,
        title="Minimum clients that evaluate",
        help="At least this many clients are asked to evaluate in each round, unless fl_fraction_evaluate is 0.",
        group="clients",
        minimum=1,
        outside_identity=_EVALUATION,
    ),
    Variable(
        name="min_available_clients",
        type="int",
        default=2,
        title="Minimum clients online",
        help="A round starts when at least this many clients are online. "
        f"Left at its default, it is raised to what the arithmetic of {_OUTVOTING} needs.",
        group="clients",
        minimum=1,
        outside_identity=_WAITING,
    ),
    Variable(
        name="fraction_train",
        type="float",
        default=1.0,
        title="Fraction of clients that train",
        help="The part of the online clients that is asked to train in each round.",
        group="clients",
        minimum=0,
        exclusive_minimum=True,
        maximum=1,
    ),
    Variable(
        name="fraction_evaluate",
        type="float",
        default=1.0,
        title="Fraction of clients that evaluate",
        help="The part of the online clients that is asked to evaluate in each round; 0 turns it off.",
        group="clients",
        minimum=0,
        maximum=1,
        outside_identity=_EVALUATION,
    ),
    Variable(
        name="weighting",
        type="str",
        default="examples",
        title="What a client counts",
        help="Clients count by the number of examples that they say they have (examples), or all alike (uniform).",
        group="clients",
        choices=("examples", "uniform"),
    ),
    Variable(
        name="max_examples",
        type="int",
        default=0,
        title="Examples that a client counts for at most",
        help="A client that claims more examples than this counts for this many; 0 is no bound.",
        group="clients",
        minimum=0,
        maximum=2**53,
    ),
    Variable(
        name="max_weight_share",
        type="float",
        default=0.0,
        title="Equal shares that a client has at most",
        help="No client counts for more than this many equal shares of a mean; of 10 clients, 2 are a fifth. "
        f"1 counts all alike, 0 leaves it to the strategy: {_SHARES}, no bound with the others.",
        group="clients",
        minimum=0,
    ),
    Variable(
        name=MIXED,
        type="int",
        default=0,
        title="Liars that mixing withstands (f)",
        help="Nearest-neighbour mixing in front of the strategy: each of n replies becomes the mean of the n - f"
        " nearest to it, so that f liars find nowhere to hide where sites are unlike. 0 turns it off.",
        group="clients",
        minimum=0,
    ),
    Variable(
        name="proximal_mu",
        type="float",
        default=1.0,
        title="FedProx proximal term (mu)",
        help="How strongly FedProx holds a client's model near the global one; 0 makes it FedAvg.",
        group="strategy",
        minimum=0,
        own_default="Flower's default of 0.0 turns FedProx into FedAvg without a word.",
    ),
    Variable(
        name="server_lr",
        type="float",
        default=0.1,
        title="Server-side learning rate",
        help="The step that the server takes along the clients' average update.",
        group="strategy",
        minimum=0,
        exclusive_minimum=True,
    ),
    Variable(
        name="server_momentum",
        type="float",
        default=0.9,
        title="Server momentum",
        help="The part of its last step that the server keeps in the next one.",
        group="strategy",
        minimum=0,
        maximum=1,
        exclusive_maximum=True,
        own_default="Flower's default of 0.0 turns FedAvgM into FedAvg; 0.9 is its paper's (arXiv:1909.06335).",
    ),
    Variable(
        name="beta_1",
        type="float",
        default=0.9,
        title="Decay of the first moment (beta 1)",
        help="How slowly the running mean of the updates forgets.",
        group="strategy",
        minimum=0,
        maximum=1,
        exclusive_maximum=True,
    ),
    Variable(
        name="beta_2",
        type="float",
        default=0.99,
        title="Decay of the second moment (beta 2)",
        help="How slowly the running mean of the squared updates forgets.",
        group="strategy",
        minimum=0,
        maximum=1,
        exclusive_maximum=True,
    ),
    Variable(
        name="tau",
        type="float",
        default=0.001,
        title="Adaptivity (tau)",
        help="Added to the denominator of the adaptive step; the smaller, the more adaptive.",
        group="strategy",
        minimum=0,
        exclusive_minimum=True,
    ),
    Variable(
        name="qfedavg_q",
        type="float",
        default=0.001,
        title="Fairness (q)",
        help="How much more clients with a high loss count; 0 counts all clients alike, whatever their examples.",
        group="strategy",
        minimum=0,
        own_default="With Flower's default of 0.1 one site with a large update stops a round for all (robustness.md).",
    ),
    Variable(
        name="num_malicious",
        type="int",
        default=0,
        title="Expected malicious clients (Krum/Bulyan)",
        help=f"How many lying clients the strategy withstands (f). {_CLIENTS_NEEDED} clients.",
        group="strategy",
        minimum=0,
    ),
    Variable(
        name="num_nodes_to_select",
        type="int",
        default=1,
        title="Updates that MultiKrum averages",
        help="How many of the most central updates are averaged; with 1 MultiKrum is Krum.",
        group="strategy",
        minimum=1,
    ),
    Variable(
        name="trim_beta",
        type="float",
        default=0.2,
        title="Trim fraction per tail (FedTrimmedAvg)",
        help="Of n replies, the int(beta * n) smallest and largest values of every weight are left out of the mean.",
        group="strategy",
        minimum=0,
        exclusive_minimum=True,
        maximum=0.5,
        exclusive_maximum=True,
    ),
    Variable(
        name="variant",
        type="str",
        default="flower",
        title="Whose arithmetic",
        help="Compute as Flower's class does (flower), or as the paper of the strategy says (paper).",
        group="strategy",
        choices=("flower", "paper"),
    ),
    Variable(
        name="client_lr",
        type="float",
        default=0.1,
        title="Client-side learning rate",
        help="The learning rate of the training on the clients; also told to strategies that ask for it.",
        group=LOCAL,
        minimum=0,
        exclusive_minimum=True,
    ),
    Variable(
        name="local_epochs",
        type="int",
        default=1,
        title="Local epochs",
        help="How often a client goes through its data in one round.",
        group=LOCAL,
        minimum=1,
    ),
    Variable(
        name="batch_size",
        type="int",
        default=32,
        title="Batch size",
        help="How many examples make one step of the training on a client.",
        group=LOCAL,
        minimum=1,
    ),
    Variable(
        name="early_stopping_patience",
        type="int",
        default=0,
        title="Rounds without a better model",
        help="The training ends after this many rounds in a row without a better model; 0 trains all rounds.",
        group="stopping",
        minimum=0,
        outside_identity=_STOPPING,
    ),
    Variable(
        name="early_stopping_min_delta",
        type="float",
        default=0.0,
        title="Smallest improvement",
        help="A model is better when its metric is better by more than this.",
        group="stopping",
        minimum=0,
        switch="early_stopping_patience",
        outside_identity=_STOPPING,
    ),
    Variable(
        name="early_stopping_metric",
        type="str",
        default="loss",
        title="Metric that tells a better model",
        help="What is compared: loss, accuracy, or any metric that the server or the sites report of the model.",
        group="stopping",
        pattern=r"[A-Za-z0-9][A-Za-z0-9 _./@:-]{0,63}",
        pattern_rule="the name of a metric: 1 to 64 letters, digits, blanks and _./@:-",
        switch="early_stopping_patience",
        outside_identity=_STOPPING,
    ),
    Variable(
        name="early_stopping_mode",
        type="str",
        default="auto",
        title="Which value is better",
        help="The lower one (min), the higher one (max), or as the name of the metric says (auto): accuracy, auc, f1,"
        " score and the like are better when higher, all others when lower.",
        group="stopping",
        choices=("auto", "min", "max"),
        switch="early_stopping_patience",
        outside_identity=_STOPPING,
    ),
    Variable(
        name="early_stopping_warmup_rounds",
        type="int",
        default=0,
        title="Rounds before early stopping looks",
        help="The first rounds, which are not compared: none of them is the best one or counts as none.",
        group="stopping",
        minimum=0,
        switch="early_stopping_patience",
        outside_identity=_STOPPING,
    ),
    Variable(
        name="seed",
        type="int",
        default=42,
        title="Random seed",
        help="Fixes the initial model, the sampling of clients and the order of the data.",
        group="waiting",
        minimum=0,
        maximum=4294967295,
    ),
    Variable(
        name="round_timeout",
        type="int",
        default=3600,
        title="Seconds for one round",
        help="How many seconds the server waits for the replies of one round before it goes on with those it has.",
        group="waiting",
        minimum=1,
        outside_identity=_WAITING,
    ),
    Variable(
        name="node_wait_timeout",
        type="int",
        default=600,
        title="Seconds to wait for enough clients",
        help="How many seconds a round waits for enough clients to be online before the run fails.",
        group="waiting",
        minimum=1,
        outside_identity=_WAITING,
    ),
    Variable(
        name="rejoin_timeout",
        type="int",
        default=30,
        title="Seconds to wait for the same sites after a restart",
        help="How many seconds a run that goes on waits for clients that took part before; each that comes renews it.",
        group="waiting",
        minimum=0,
        outside_identity=_WAITING,
    ),
    Variable(
        name="on_shortfall",
        type="str",
        default="retry",
        title="When too few valid replies arrive",
        help="Repeat the round (retry), go on with the model of the round before (skip), or end the run (fail).",
        group="waiting",
        choices=("retry", "skip", "fail"),
        outside_identity=_REACTION,
    ),
    Variable(
        name="max_update_norm",
        type="float",
        default=0.0,
        title="Largest update of a client (L2 norm)",
        help="A reply whose update is longer than this is left out of the round and counted as failed; 0 is no bound.",
        group="waiting",
        minimum=0,
    ),
    Variable(
        name="checkpoint_enabled",
        type="bool",
        default=False,
        title="Enable model checkpointing",
        help="Whether the server saves the model and the state of its optimizer, so that a training can be resumed.",
        group="checkpoints",
        outside_identity=_STORAGE,
    ),
    Variable(
        name="checkpoint_interval",
        type="int",
        default=5,
        title="Save checkpoint every N rounds",
        help="A checkpoint is saved every so many rounds, and always after the last one.",
        group="checkpoints",
        minimum=1,
        switch="checkpoint_enabled",
        outside_identity=_STORAGE,
    ),
    Variable(
        name="checkpoint_path",
        type="str",
        default=below(HOME, CHECKPOINTS),
        title="Checkpoint directory",
        help="The directory of the checkpoints, as the ServerApp sees it. A training with another name than"
        f" {DEFAULT_TRAINING} has a folder of its name in it.",
        group="checkpoints",
        pattern=_PATH,
        pattern_rule="an absolute path below the root directory, of letters, digits and ._+=@,- without ..",
        runtime_defaults={name: row.checkpoints for name, row in runtimes.RUNTIMES.items() if row.checkpoints},
        home_folder=CHECKPOINTS,
        outside_identity=_STORAGE,
    ),
    Variable(
        name="checkpoint_keep_last",
        type="int",
        default=3,
        title="Checkpoints to keep",
        help="How many of the newest checkpoints are kept; 0 keeps them all.",
        group="checkpoints",
        minimum=0,
        outside_identity=_STORAGE,
    ),
    Variable(
        name="checkpoint_keep_best",
        type="bool",
        default=True,
        title="Keep the best checkpoint",
        help="Whether the checkpoint with the lowest loss is kept in addition to the newest ones.",
        group="checkpoints",
        outside_identity=_STORAGE,
    ),
    Variable(
        name="checkpoint_required",
        type="bool",
        default=False,
        title="Fail when a checkpoint cannot be saved",
        help="Whether a checkpoint that cannot be saved fails the run; else it goes on, and each round tries it again.",
        group="checkpoints",
        outside_identity=_REACTION,
    ),
    Variable(
        name="resume",
        type="str",
        default="auto",
        title="Resume from a checkpoint",
        help="Continue from a checkpoint when there is one (auto), start anew (never), or fail without one (require).",
        group="checkpoints",
        choices=("auto", "never", "require"),
        outside_identity="A resumed training ends with the same bytes as an uninterrupted one.",
    ),
    Variable(
        name="initial_checkpoint",
        type="str",
        default="",
        title="Model to begin with",
        help=f"A model that is round 0 of the training: a path on the SuperLink host, or {CONTROLLER}PATH for one on"
        f" the controller, that ends with {', '.join(FORMATS)}.",
        group="checkpoints",
        pattern=rf"(?:{CONTROLLER}(?!\s)[^\n]{{1,1000}}|{_PATH})?",
        pattern_rule=f"a path as that of fl_checkpoint_path, or {CONTROLLER} and a path on the controller",
        outside_identity="The file's content decides, not its name: fl_initial_sha256 is part of the identity.",
    ),
    Variable(
        name="initial_sha256",
        type="str",
        default="",
        title="SHA-256 of the model to begin with",
        help="Which model fl_initial_checkpoint must be. Left unset, it is that of the file.",
        group="checkpoints",
        pattern="(?:[0-9a-f]{64})?",
        pattern_rule="64 hexadecimal digits in lower case",
    ),
    Variable(
        name="round_files",
        type="bool",
        default=False,
        title="Write a file for each round",
        help="Whether each round leaves round_N_server_eval.json, with the figures of its sites, beside the history.",
        group="telling",
        outside_identity=_TELLING,
    ),
    Variable(
        name="demo_attacks",
        type="bool",
        default=False,
        title="Allow demonstration attacks",
        help="Lets SuperNodes whose own node configuration has an attack send poisoned updates; never in production.",
        group="demonstration",
    ),
)

# Which strategies read a variable, and with which default, stands in their rows.
VARIABLES: tuple[Variable, ...] = tuple(
    replace(
        row,
        strategies=readers(row.name) if row.group == "strategy" else (),
        strategy_defaults=own_defaults(row.name),
    )
    for row in _ROWS
)

BY_NAME: Mapping[str, Variable] = {variable.name: variable for variable in VARIABLES}
BY_ANSIBLE: Mapping[str, Variable] = {variable.ansible: variable for variable in VARIABLES}
BY_CONTEXT: Mapping[str, Variable] = {variable.context: variable for variable in VARIABLES}
BY_KEY: Mapping[str, Variable] = {variable.key: variable for variable in VARIABLES}
