# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Why secure aggregation is not there: each half of Flower's SecAgg+ speaks the language of its former apps.

When one of these fails, Flower has changed it, and docs/privacy.md is to be looked at again.
"""

from __future__ import annotations

import pytest
from flwr.app import Array, ArrayRecord, ConfigRecord, Context, Message, MetricRecord, RecordDict
from flwr.client.mod import secaggplus_mod
from flwr.clientapp import ClientApp
from flwr.clientapp import mod as modern_mods
from flwr.common.secure_aggregation.secaggplus_constants import RECORD_KEY_CONFIGS, Key, Stage
from flwr.server.workflow import SecAggPlusWorkflow
from flwr.serverapp import strategy as modern_strategies
from flwr.serverapp.strategy import FedAvg
from flwr.supercore.task_identity import TaskIdentity
from numpy import ones

SETUP = {
    Key.STAGE: Stage.SETUP, Key.SAMPLE_NUMBER: 3, Key.SHARE_NUMBER: 3, Key.THRESHOLD: 2, Key.CLIPPING_RANGE: 8.0,
    Key.TARGET_RANGE: 1 << 22, Key.MOD_RANGE: 1 << 32, Key.MAX_WEIGHT: 1000.0,
}  # fmt: skip
NODES = (1, 2, 3)


class Sites:
    """Three ClientApps of today with the mod of SecAgg+, and what the server says to them."""

    def __init__(self) -> None:
        TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
        app = ClientApp(mods=[secaggplus_mod])

        @app.train()
        def train(message: Message, context: Context) -> Message:
            made = {"arrays": ArrayRecord({"w": Array(ones(3))}), "metrics": MetricRecord({"num-examples": 10})}
            return Message(RecordDict(made), reply_to=message)

        self.app = app
        self.states = {node: RecordDict() for node in NODES}

    def ask(self, node: int, config: dict) -> Message:
        """Do one stage at a site."""
        content = RecordDict({RECORD_KEY_CONFIGS: ConfigRecord(config)})
        message = Message(content, dst_node_id=node, message_type="train")
        return self.app(message, Context(1, node, {}, self.states[node], {}))


def test_a_client_of_today_comes_as_far_as_the_masks_and_cannot_be_read_there() -> None:
    sites = Sites()
    keys = {node: sites.ask(node, dict(SETUP)).content[RECORD_KEY_CONFIGS] for node in NODES}
    public = {str(node): [keys[node][Key.PUBLIC_KEY_1], keys[node][Key.PUBLIC_KEY_2]] for node in NODES}
    shares = {
        node: sites.ask(node, {**public, Key.STAGE: Stage.SHARE_KEYS}).content[RECORD_KEY_CONFIGS] for node in NODES
    }
    texts = [
        (source, text)
        for source in NODES
        for goal, text in zip(shares[source][Key.DESTINATION_LIST], shares[source][Key.CIPHERTEXT_LIST], strict=True)
        if goal == 1
    ]
    collect = {
        Key.STAGE: Stage.COLLECT_MASKED_VECTORS,
        Key.SOURCE_LIST: [source for source, _text in texts],
        Key.CIPHERTEXT_LIST: [text for _source, text in texts],
    }
    with pytest.raises(KeyError, match="fitres"):
        sites.ask(1, collect)


def test_the_server_runs_it_for_former_strategies_alone() -> None:
    TaskIdentity.task_id, TaskIdentity.run_id, TaskIdentity.node_id = 1, 1, 1
    workflow = SecAggPlusWorkflow(num_shares=3, reconstruction_threshold=2)
    with pytest.raises(TypeError, match="Expect a LegacyContext, but get Context"):
        workflow(None, Context(1, 1, {}, RecordDict(), {}))
    assert not hasattr(FedAvg(), "configure_fit")  # which it asks the strategy of such a context for


def test_flower_offers_it_nowhere_in_the_api_of_today() -> None:
    offered = [*vars(modern_mods), *vars(modern_strategies)]
    assert [name for name in offered if "secagg" in name.lower() or "secure" in name.lower()] == []
