"""`voxhub user` and `voxhub org`: accounts, made where the data is. They work while the hub runs."""

import sys
from pathlib import Path

import click

from hub.accounts import passwords
from hub.accounts import service as accounts
from hub.auth.service import Role
from hub.cli.opening import changing, data_dir_option, looking, plain_words
from hub.cli.printing import print_table
from hub.errors import BadRequest


@click.group()
def user() -> None:
    """People who may sign in.

    \b
    voxhub user add alice --fullname "Alice Adams" --data-dir hub-data
    voxhub token create alice --data-dir hub-data
    voxhub user list --data-dir hub-data
    """


@user.command("add")
@click.argument("name")
@click.option("--admin", is_flag=True, help="May do everything on this hub.")
@click.option("--fullname", default="", help="As it is shown. [default: the name]")
@click.option("--email", help="As it is shown to the user itself.")
@click.option("--password-stdin", is_flag=True, help="Read a password from standard input's first line.")
@data_dir_option
def add_user(
    name: str, *, admin: bool, fullname: str, email: str | None, password_stdin: bool, data_dir: Path
) -> None:
    """Add the user NAME. Without a password it signs in by access tokens only.

    \b
    voxhub user add alice --password-stdin --data-dir hub-data < alice.password
    """
    kept = _read_password(name, data_dir) if password_stdin else None
    with changing(data_dir) as db:
        accounts.add_user(db, name, fullname=fullname, email=email, password=kept, admin=admin)
    click.echo(f"Added the user {name}. Its first token: voxhub token create {name} --data-dir …", err=True)


@user.command("list")
@data_dir_option
def list_users(data_dir: Path) -> None:
    """Show every user."""
    with looking(data_dir) as db:
        found = accounts.every(db, "user")
    print_table(
        ("name", "full name", "e-mail", "admin", "created"),
        [(one.name, one.fullname, one.email, one.admin, one.created_at) for one in found],
    )


@user.command("password")
@click.argument("name")
@data_dir_option
def password(name: str, data_dir: Path) -> None:
    """Give the user NAME the password on standard input's first line."""
    kept = _read_password(name, data_dir)
    with changing(data_dir) as db:
        accounts.set_password(db, accounts.get_user(db, name).id, kept)
    click.echo(f"{name} has a new password.", err=True)


@user.command("remove")
@click.argument("name")
@data_dir_option
def remove_user(name: str, data_dir: Path) -> None:
    """Remove the user NAME with its tokens. Its commits keep its name; it must own no repository."""
    with changing(data_dir) as db:
        accounts.remove_user(db, name)
    click.echo(f"Removed the user {name}.", err=True)


@click.group()
def org() -> None:
    """Organisations: namespaces that several users share.

    \b
    read         see private repositories
    contributor  also make repositories, and change one's own
    write        also change all of them
    admin        also change settings and members

    \b
    voxhub org add lab --member alice:admin --member bob:write --data-dir hub-data
    voxhub org member add lab carol --role read --data-dir hub-data
    voxhub org member remove lab bob --data-dir hub-data
    """


@org.command("add")
@click.argument("name")
@click.option("--member", "given", multiple=True, metavar="USER:ROLE", help="May be repeated.")
@click.option("--fullname", default="", help="As it is shown. [default: the name]")
@data_dir_option
def add_org(name: str, given: tuple[str, ...], fullname: str, data_dir: Path) -> None:
    """Add the organisation NAME.

    \b
    voxhub org add lab --fullname "Imaging Lab" --member alice:admin --data-dir hub-data
    """
    with plain_words(data_dir):
        members = dict(_member(text) for text in given)
    with changing(data_dir) as db:
        accounts.add_org(db, name, fullname=fullname, members=members)
    click.echo(f"Added the organisation {name} with {len(members)} members.", err=True)


@org.command("list")
@data_dir_option
def list_orgs(data_dir: Path) -> None:
    """Show every organisation with its members."""
    with looking(data_dir) as db:
        found = [(one, accounts.members(db, one.id)) for one in accounts.every(db, "org")]
    print_table(
        ("name", "full name", "members", "created"),
        [
            (one.name, one.fullname, " ".join(f"{m.account.name}:{m.role}" for m in members), one.created_at)
            for one, members in found
        ],
    )


@org.group("member")
def member() -> None:
    """Who belongs to an organisation, and what they may do."""


@member.command("add")
@click.argument("name", metavar="ORG")
@click.argument("user_name", metavar="USER")
@click.option("--role", type=click.Choice(accounts.ROLES), default="read", show_default=True)
@data_dir_option
def add_member(name: str, user_name: str, role: Role, data_dir: Path) -> None:
    """Make USER a member of ORG, or change its role.

    \b
    voxhub org member add lab carol --role write --data-dir hub-data
    """
    with changing(data_dir) as db:
        accounts.set_member(db, accounts.get_org(db, name), accounts.get_user(db, user_name), role)
    click.echo(f"{user_name} is now {role} in {name}.", err=True)


@member.command("remove")
@click.argument("name", metavar="ORG")
@click.argument("user_name", metavar="USER")
@data_dir_option
def remove_member(name: str, user_name: str, data_dir: Path) -> None:
    """Take USER out of ORG."""
    with changing(data_dir) as db:
        accounts.remove_member(db, accounts.get_org(db, name), accounts.get_user(db, user_name))
    click.echo(f"{user_name} is no longer in {name}.", err=True)


def _read_password(name: str, data_dir: Path) -> str:
    with plain_words(data_dir):
        return passwords.digest(sys.stdin.readline().rstrip("\r\n"), name=name)


def _member(text: str) -> tuple[str, Role]:
    name, colon, role = text.partition(":")
    if not colon or not name:
        raise BadRequest(f"`--member {text}` cannot be read: write USER:ROLE, as in `--member alice:admin`.")
    return name, accounts.role(role)
