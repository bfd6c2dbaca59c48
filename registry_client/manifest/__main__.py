"""Print the JSON Schema of config.json: `python -m registry_client.manifest > docs/manifest.schema.json`."""

import sys

import msgspec

from registry_client.manifest import json_schema

if __name__ == "__main__":
    sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(json_schema(), order="sorted"), indent=2))
    sys.stdout.buffer.write(b"\n")
