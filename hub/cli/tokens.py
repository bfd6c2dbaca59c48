"""`voxhub token`: access tokens, made where the data is."""

from pathlib import Path
from typing import Literal

import click

from hub.accounts import service as accounts
from hub.accounts import tokens
from hub.cli.opening import changing, data_dir_option, looking
from hub.cli.printing import print_table


@click.group()
def token() -> None:
    """Access tokens: what programs sign in with.

    \b
    voxhub token create alice --data-dir hub-data
    voxhub token create ci --role read --expires 90 --name "nightly tests" --data-dir hub-data
    voxhub token list alice --data-dir hub-data
    voxhub token revoke alice 3 --data-dir hub-data
    """


@token.command()
@click.argument("user")
@click.option(
    "--role",
    type=click.Choice(["read", "write"]),
    default="write",
    show_default=True,
    help="read: fetch only; write: whatever the user may do.",
)
@click.option("--name", default="command line", show_default=True, help="What it is for.")
@click.option("--expires", type=float, metavar="DAYS", help="Void after so many days. [default: never]")
@click.option("--value", metavar="hf_…", help="Choose the value: `hf_` and at least 17 more characters.")
@data_dir_option
def create(
    user: str,
    role: Literal["read", "write"],
    name: str,
    expires: float | None,
    value: str | None,
    data_dir: Path,
) -> None:
    """Make a token for USER and print it, alone, on standard output.

    It is shown only now: the hub keeps nothing it could be read from.

    \b
    export HF_TOKEN=$(voxhub token create alice --data-dir hub-data)
    """
    with changing(data_dir) as db:
        account = accounts.get_user(db, user)
        _, secret = tokens.create(db, account.id, name=name, role=role, expires_in_days=expires, value=value)
    click.echo(secret)


@token.command("list")
@click.argument("user")
@data_dir_option
def list_(user: str, data_dir: Path) -> None:
    """Show the tokens of USER, without their values."""
    with looking(data_dir) as db:
        found = tokens.of_account(db, accounts.get_user(db, user).id)
    print_table(
        ("id", "name", "ends in", "role", "created", "expires", "last used"),
        [
            (one.id, one.name, one.hint, one.role, one.created_at, one.expires_at, one.last_used_at)
            for one in found
        ],
    )


@token.command()
@click.argument("user")
@click.argument("token_id", metavar="ID", type=int)
@data_dir_option
def revoke(user: str, token_id: int, data_dir: Path) -> None:
    """Make the token ID of USER void, at once."""
    with changing(data_dir) as db:
        tokens.revoke(db, accounts.get_user(db, user).id, token_id)
    click.echo(f"Token {token_id} of {user} is void.", err=True)
