#!/usr/bin/python
import json
print(json.dumps({"failed": True, "msg": "a\x1b]0;owned\x07\u202e{{ 7*7 }}"}))
