# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""federated_analytics: the ClientApp answers a query with sums."""

import numpy as np
from flwr.app import Context, Message, MetricRecord, RecordDict
from flwr.clientapp import ClientApp

app = ClientApp()


@app.query()
def query(msg: Message, context: Context):
    rng = np.random.default_rng(context.node_config["partition-id"])
    rows = {"age": rng.normal(60, 10, 200), "sofa": rng.normal(4, 1, 200)}
    stats = MetricRecord(
        {
            feature: [float(len(rows[feature])), float(rows[feature].sum()), float((rows[feature] ** 2).sum())]
            for feature in msg.content["config"]["selected_features"]
        }
    )
    return Message(RecordDict({"stats": stats}), reply_to=msg)
