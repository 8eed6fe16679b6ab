# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""federated_analytics: the ServerApp asks every site once, and trains nothing."""

import json
import random
import time

import numpy as np
from flwr.app import ConfigRecord, Context, Message, MessageType, RecordDict
from flwr.serverapp import Grid, ServerApp

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    features = str(context.run_config["selected-features"]).split(",")
    ways = str(context.run_config["feature-aggregation"]).split(",")

    # Wait until enough nodes are there
    node_ids: list[int] = []
    while len(node_ids) < 1:
        all_node_ids = list(grid.get_node_ids())
        node_ids = random.sample(all_node_ids, int(len(all_node_ids) * context.run_config["fraction-sample"]))
        if not node_ids:
            time.sleep(2)

    content = RecordDict({"config": ConfigRecord({"selected_features": features, "feature_aggregation": ways})})
    messages = [Message(content=content, message_type=MessageType.QUERY, dst_node_id=node_id) for node_id in node_ids]
    replies = [reply for reply in grid.send_and_receive(messages) if reply.has_content()]

    stats = {}
    for feature in features:
        count, total, squares = np.sum([reply.content["stats"][feature] for reply in replies], axis=0)
        mean = total / count
        found = {"mean": mean, "std": float(np.sqrt(squares / count - mean**2))}
        stats[feature] = {way: float(found[way]) for way in ways}

    with open("aggregated_stats.json", "w", encoding="utf-8") as file:
        json.dump(stats, file, indent=2)
