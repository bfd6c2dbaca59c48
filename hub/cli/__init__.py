"""The server's commands. `registry_client.cli` finds them by the entry points of group `voxhub.commands`."""

from hub.cli.accounts import org, user
from hub.cli.database import database, export
from hub.cli.serve import serve
from hub.cli.tokens import token

__all__ = ["database", "export", "org", "serve", "token", "user"]
