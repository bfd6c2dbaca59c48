"""The frame of the command: server commands loaded when they are called, errors in one line."""

from __future__ import annotations

from importlib.metadata import EntryPoint, entry_points
from typing import Any, NoReturn

import click

SERVER_COMMANDS = "voxhub.commands"
_CLIENT_ERROR_WORDS = 400

# The hub's own messages name the next step, except for these.
_NEXT_STEP = {
    "RevisionNotFoundError": "see `voxhub versions OWNER/NAME`",
    "401": "sign in with `voxhub login ENDPOINT`, or check VOXHUB_TOKEN",
}


class VoxhubGroup(click.Group):
    """Our own commands, and those that the entry points `voxhub.commands` name.

    The client never imports the server: an entry point is loaded when its command runs.
    """

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Return our own commands; the server's are listed by name below them."""
        return list(self.commands)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Return a command of ours, or load the server's."""
        found = super().get_command(ctx, cmd_name)
        if found is not None:
            return found
        for entry in _server_entries():
            if entry.name == cmd_name:
                return _load(entry)
        return None

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or name the nearest one."""
        from registry_client.architectures.arguments import nearest

        name = args[0]
        if self.get_command(ctx, name) is None and not name.startswith("-"):
            known = [*self.commands, *(entry.name for entry in _server_entries())]
            ctx.fail(f"no command `{name}`; {nearest(name, known)}")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands; loading the server for its help texts would take a second."""
        super().format_commands(ctx, formatter)
        names = sorted(entry.name for entry in _server_entries())
        if names:
            with formatter.section("Server commands (voxhub COMMAND --help)"):
                formatter.write_text(", ".join(names))

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; an expected failure becomes one line and exit code 1."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:  # noqa: BLE001  # the process boundary
            _raise_one_line(error)


def _server_entries() -> list[EntryPoint]:
    return list(entry_points(group=SERVER_COMMANDS))


def _load(entry: EntryPoint) -> click.Command:
    try:
        command = entry.load()
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"`voxhub {entry.name}` needs the server, and its package `{error.name}` is not installed; "
            "run: pip install 'voxhub[server]'"
        ) from error
    if not isinstance(command, click.Command):
        raise click.ClickException(f"`{entry.value}` is no command; reinstall voxhub")
    return command


def _raise_one_line(error: Exception) -> NoReturn:
    """Raise a ClickException for what users can cause and mend; anything else is a defect of ours."""
    from huggingface_hub.errors import HfHubHTTPError

    if isinstance(error, HfHubHTTPError):
        hint = _NEXT_STEP.get(type(error).__name__) or _NEXT_STEP.get(str(error.response.status_code))
        said = error.server_message or str(error).partition("\n")[0]
        raise click.ClickException(_line(said, hint)) from error
    # The transport of the client is httpx in 1.x and httpx2 in 2.x.
    if type(error).__module__.partition(".")[0] in {"httpx", "httpx2", "httpcore", "httpcore2"}:
        reason = _line(str(error) or type(error).__name__, "is it running, and is VOXHUB_ENDPOINT right?")
        raise click.ClickException(f"the hub cannot be reached: {reason}") from error
    if isinstance(error, (ValueError, OSError, RuntimeError)):
        raise click.ClickException(_line(str(error) or type(error).__name__)) from error
    raise error


def _line(message: str, next_step: str | None = None) -> str:
    line = " ".join(message.split())[:_CLIENT_ERROR_WORDS].rstrip(" .;")
    return f"{line}; {next_step}" if next_step else line
