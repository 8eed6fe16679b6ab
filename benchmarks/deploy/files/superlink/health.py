# Copyright: (c) 2026, fedops.flower contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""Exit with 0 when the SuperLink behind the gateway says that it is healthy."""

import ssl
import sys
import urllib.request

try:
    context = ssl.create_default_context(cafile=sys.argv[1])
    urllib.request.urlopen("https://127.0.0.1:9092/health", timeout=5, context=context)
except OSError:
    sys.exit(1)
