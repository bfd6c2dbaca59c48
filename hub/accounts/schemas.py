"""What the routes of accounts take and give. Fields and names are Hugging Face's where it has them."""

from typing import Literal

from msgspec import Struct

from hub.accounts.service import AccountRecord, Member
from hub.accounts.tokens import TokenRecord, TokenRole
from hub.auth.service import Role
from hub.wire import stamp


class AccessToken(Struct, rename="camel"):
    """The token that asks."""

    display_name: str
    role: TokenRole
    created_at: str


class Credentials(Struct, rename="camel"):
    access_token: AccessToken
    type: Literal["access_token"] = "access_token"


class OrgOfUser(Struct, rename="camel"):
    """An organisation, with the role that the user has in it."""

    id: str
    name: str
    fullname: str
    role_in_org: Role
    type: Literal["org"] = "org"
    # The JavaScript client declares it as present.
    avatar_url: str = ""
    email: str | None = None
    can_pay: bool = False
    is_enterprise: bool = False

    @classmethod
    def of(cls, membership: Member) -> "OrgOfUser":
        org = membership.account
        return cls(object_id(org.id), org.name, org.fullname, membership.role)


class WhoAmI(Struct, rename="camel"):
    """The account and the token that ask."""

    id: str
    name: str
    fullname: str
    email: str | None
    is_admin: bool
    orgs: list[OrgOfUser]
    auth: Credentials
    type: Literal["user"] = "user"
    avatar_url: str = ""
    email_verified: bool = False
    can_pay: bool = False
    is_pro: bool = False
    period_end: int | None = None


class UserOverview(Struct, rename="camel"):
    """A user as everybody may see it."""

    user: str
    fullname: str
    created_at: str
    num_models: int
    num_datasets: int
    orgs: list[OrgOfUser]
    type: Literal["user"] = "user"
    avatar_url: str = ""
    is_pro: bool = False
    num_spaces: int = 0
    num_discussions: int = 0
    num_papers: int = 0
    num_upvotes: int = 0
    num_likes: int = 0
    num_following: int = 0
    num_followers: int = 0


class OrgOverview(Struct, rename="camel"):
    """An organisation as everybody may see it."""

    name: str
    fullname: str
    created_at: str
    num_users: int
    num_models: int
    num_datasets: int
    type: Literal["org"] = "org"
    avatar_url: str = ""
    num_spaces: int = 0
    num_followers: int = 0
    num_papers: int = 0


class OrgMember(Struct, rename="camel"):
    """A member of an organisation."""

    user: str
    fullname: str
    role: Role
    type: Literal["user"] = "user"
    avatar_url: str = ""
    is_pro: bool = False

    @classmethod
    def of(cls, member: Member) -> "OrgMember":
        return cls(member.account.name, member.account.fullname, member.role)


class NewOrg(Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    fullname: str = ""


class NewRole(Struct, rename="camel", forbid_unknown_fields=True):
    role: Role


class SignUp(Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    password: str
    fullname: str = ""
    email: str | None = None


class Login(Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    password: str


class NewPassword(Struct, rename="camel", forbid_unknown_fields=True):
    """`current` is needed where there is a password already."""

    new: str
    current: str | None = None


class NewToken(Struct, rename="camel", forbid_unknown_fields=True):
    name: str
    role: TokenRole
    expires_in_days: float | None = None


class TokenShown(Struct, rename="camel"):
    """A token without its value; `hint` is how that ends."""

    id: int
    name: str
    hint: str
    role: TokenRole
    created_at: str
    expires_at: str | None
    last_used_at: str | None

    @classmethod
    def of(cls, token: TokenRecord) -> "TokenShown":
        return cls(
            id=token.id,
            name=token.name,
            hint=token.hint,
            role=token.role,
            created_at=stamp(token.created_at),
            expires_at=token.expires_at and stamp(token.expires_at),
            last_used_at=token.last_used_at and stamp(token.last_used_at),
        )


class TokenMade(Struct, rename="camel"):
    """A new token. Its `value` is shown now and never again."""

    value: str
    token: TokenShown


class SignedIn(Struct, rename="camel"):
    """A new token for the user `name`."""

    name: str
    token: str
    expires_at: str | None


def object_id(row_id: int) -> str:
    """A row's id as clients know ids: 24 hexadecimal digits."""
    return f"{row_id:024x}"


def created(account: AccountRecord) -> str:
    """When an account was made."""
    return stamp(account.created_at)
