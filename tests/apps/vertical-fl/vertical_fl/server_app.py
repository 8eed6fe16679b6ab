# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: Apache-2.0
"""vertical-fl: the ServerApp has the head of the model, and sends gradients back without waiting for a reply."""

import json

import numpy as np
from flwr.app import Array, ArrayRecord, Context, Message, RecordDict
from flwr.serverapp import Grid, ServerApp

from vertical_fl.task import ROWS, load_rows

app = ServerApp()


@app.main()
def main(grid: Grid, context: Context) -> None:
    num_rounds: int = context.run_config["num-server-rounds"]
    width: int = context.run_config["out-feature-dim-clientapp"]
    splits = [int(dim) for dim in context.run_config["feature-splits"].split(",")]
    dummy, labels = load_rows()
    head, accuracies = None, []

    for server_round in range(1, num_rounds + 1):
        node_ids = list(grid.get_node_ids())
        if len(node_ids) != len(splits):
            raise ValueError(f"There are {len(splits)} splits of the features, but {len(node_ids)} nodes")
        if head is None:
            head = np.full(width * len(node_ids), 0.1)

        embeddings, positions = get_remote_embeddings(grid, node_ids, width)
        probabilities = 1 / (1 + np.exp(-embeddings @ head))
        error = (probabilities - labels)[:, None] / ROWS
        gradients = error * head
        head = head - 1.0 * embeddings.T @ error[:, 0]
        accuracies.append((server_round, float(((probabilities > 0.5) == labels).mean())))

        messages = [
            Message(
                content=RecordDict(
                    {
                        "gradients": ArrayRecord(
                            {"local-gradients": Array(gradients[:, pos * width : (pos + 1) * width])}
                        )
                    }
                ),
                message_type="train.apply_gradients",
                dst_node_id=node_id,
            )
            for node_id, pos in positions.items()
        ]
        grid.push_messages(messages)

    with open("accuracies.json", "w", encoding="utf-8") as file:
        json.dump(accuracies, file)


def get_remote_embeddings(grid: Grid, node_ids: list[int], width: int):
    messages = [
        Message(content=RecordDict(), message_type="query.generate_embeddings", dst_node_id=node_id)
        for node_id in node_ids
    ]
    embeddings, positions = np.zeros((ROWS, width * len(node_ids))), {}
    for reply in grid.send_and_receive(messages):
        if reply.has_content():
            pos = reply.content["config"]["pos"]
            positions[reply.metadata.src_node_id] = pos
            embeddings[:, pos * width : (pos + 1) * width] = reply.content["arrays"]["embedding"].numpy()
    return embeddings, positions
