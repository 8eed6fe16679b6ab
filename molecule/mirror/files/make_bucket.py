# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wait for the server and make the bucket: make_bucket.py ENDPOINT CA BUCKET"""

from __future__ import annotations

import sys
import time

import boto3
from botocore.exceptions import EndpointConnectionError

endpoint, authority, bucket = sys.argv[1:]
client = boto3.client(
    "s3",
    endpoint_url=endpoint,
    verify=authority,
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
for _attempt in range(60):
    try:
        client.create_bucket(Bucket=bucket)
        break
    except EndpointConnectionError:
        time.sleep(0.5)
else:
    sys.exit(f"{endpoint} does not answer")
