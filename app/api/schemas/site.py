"""Sites. Secrets go in and never come out."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from app.api.schemas.base import Answer, Body, Moment, Secret, Storable
from app.store.config.sites import SiteRow
from app.sync.sites.admin import Checked, Stored
from app.sync.sites.spec import AuthSpec, ProxySpec, SiteSpec

Url = Annotated[str, Field(min_length=1, max_length=2048), Storable]
WebUrl = Annotated[
    str, Field(max_length=2048, pattern=r"^https?://[^\s/?#@]+(/[^\s?#]*)?$"), Storable
]
Deployment = Literal["cloud", "datacenter"]


_SECOND = (
    "Takes over once Jira refuses `token`, for the time in which one is exchanged for the other."
    " Left out, it is kept, unless another `token` is stored"
)


class Basic(Body):
    """An account's e-mail address and API token. What is left out is kept."""

    kind: Literal["basic"]
    email: Annotated[str, Field(min_length=1, max_length=320), Storable] | None = None
    token: Secret | None = None
    second_token: Secret | None = Field(None, description=_SECOND)

    def spec(self) -> AuthSpec:
        return AuthSpec("basic", self.email, self.token, self.second_token)


class Bearer(Body):
    """A personal access token, or an OAuth 2.0 token. Left out, it is kept."""

    kind: Literal["bearer"]
    token: Secret | None = None
    second_token: Secret | None = Field(None, description=_SECOND)

    def spec(self) -> AuthSpec:
        return AuthSpec("bearer", None, self.token, self.second_token)


class OAuth(Body):
    """OAuth 2.0 client credentials of a service account. What is left out is kept; the scope, while
    `token_url` is the same."""

    kind: Literal["oauth"]
    client_id: Annotated[str, Field(min_length=1, max_length=255), Storable] | None = None
    client_secret: Secret | None = None
    token_url: Url | None = Field(
        None,
        description="Where access tokens come from. At first: Atlassian's for Cloud; a Data Center"
        " names its own, at `/rest/oauth2/latest/token`",
    )
    scope: Annotated[str, Field(min_length=1, max_length=2048), Storable] | None = Field(
        None, description="What to ask for; a Data Center wants it, Atlassian Cloud does not"
    )

    def spec(self) -> AuthSpec:
        return AuthSpec(
            "oauth",
            client_id=self.client_id,
            client_secret=self.client_secret,
            token_url=self.token_url,
            scope=self.scope,
        )


class Proxy(Body):
    """The way out to this site: the installation's, none, or one of its own."""

    kind: Literal["installation", "direct", "own"] = "installation"
    url: Secret | None = Field(None, description="Of its own one; left out, it is kept")


class SitePut(Body):
    base_url: Annotated[
        Url,
        Field(description="Where REST is; may carry a path. Another one needs all secrets again"),
    ]
    web_url: WebUrl | None = Field(None, description="Where people go, if elsewhere")
    deployment: Deployment
    auth: Annotated[Basic | Bearer | OAuth, Field(discriminator="kind")] | None = Field(
        None, description="Required at creation; left out, it is kept"
    )
    webhook_secret: Secret | None = Field(
        None,
        description="At least 16 characters. Required at creation; left out, it is kept",
    )
    account_dedicated: bool = Field(
        default=False, description="The account belongs to this installation and to nothing else"
    )

    requests_per_second: Annotated[float, Field(ge=0.1, le=1000, allow_inf_nan=False)] | None = (
        Field(
            None,
            description="What the site takes from our account, all calls together: for Data"
            " Center, whose administrator decides. Left out: Jira Cloud's documented limits only",
        )
    )

    token_expires_at: Moment | None = Field(
        None,
        strict=False,
        description="When the token expires there; Jira does not say so. Left out: not known",
    )

    webhook_basic: bool = Field(
        default=False,
        description="Take deliveries without a signature whose URL brings the webhook secret, as"
        " `https://twinlink:SECRET@…`: for a Data Center that signs nothing",
    )
    ca_certificates: Annotated[str, Field(max_length=200_000), Storable] | None = Field(
        None,
        description="In PEM: authorities of this site's certificate, beside the public ones. Other"
        " ones need all secrets again",
    )
    proxy: Proxy = Proxy()

    def spec(self) -> SiteSpec:
        auth = self.auth
        return SiteSpec(
            base_url=self.base_url.rstrip("/"),
            web_url=self.web_url,
            deployment=self.deployment,
            auth=None if auth is None else auth.spec(),
            webhook_secret=self.webhook_secret,
            account_dedicated=self.account_dedicated,
            requests_per_second=self.requests_per_second,
            token_expires_at=self.token_expires_at,
            webhook_basic=self.webhook_basic,
            ca_certificates=self.ca_certificates,
            proxy=ProxySpec(self.proxy.kind, self.proxy.url),
        )


class Finding(Answer):
    code: str
    severity: Literal["error", "warning", "info"]
    detail: str


class AuthKind(Answer):
    kind: Literal["basic", "bearer", "oauth"]


class ProxyAnswer(Answer):
    kind: Literal["installation", "direct", "own"]


class Site(Answer):
    name: str
    base_url: str
    web_url: str | None
    deployment: Deployment
    auth: AuthKind
    account_dedicated: bool
    requests_per_second: float | None
    token_expires_at: datetime | None
    second_token: bool = Field(description="A second token waits to take over")
    token_replaced_at: datetime | None = Field(
        description="When the second token took over, because Jira refused the first"
    )
    webhook_basic: bool
    ca_certificates: str | None
    proxy: ProxyAnswer
    identity: str | None = Field(description="Which Jira it is; pinned by the first check")
    account_id: str | None = Field(description="Our account there; pinned by the first check")
    checked_at: datetime | None
    circuit_open_since: datetime | None = Field(
        description="Since when calls are stopped because the site fails; null: they are not"
    )
    locked_since: datetime | None = Field(
        description="Since when no call leaves because the site wants a person, who solves a"
        " CAPTCHA there and unlocks it here; null: calls go"
    )
    previous_secret_until: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime

    @classmethod
    def of(cls, row: SiteRow) -> "Site":
        return cls.model_validate(
            {**_plain(row), "auth": {"kind": row.auth_kind}, "proxy": {"kind": row.proxy_kind}}
        )


class SiteStored(Site):
    findings: list[Finding] = Field(description="Empty where nothing changed")

    @classmethod
    def of_stored(cls, stored: Stored) -> "SiteStored":
        findings = [Finding.model_validate(finding) for finding in stored.findings]
        return cls(**Site.of(stored.site).model_dump(), findings=findings)


class SiteCheck(Answer):
    ok: bool = Field(description="No finding is an error")
    account_id: str | None
    identity: str | None
    findings: list[Finding]

    @classmethod
    def of(cls, checked: Checked) -> "SiteCheck":
        return cls(
            ok=checked.ok,
            account_id=checked.seen.account_id,
            identity=checked.seen.identity,
            findings=[Finding.model_validate(finding) for finding in checked.findings],
        )


class SiteProject(Answer):
    """By key alone: a project's name is content of that Jira."""

    key: str


class SiteLinkType(Answer):
    id: str
    name: str
    inward: str
    outward: str
    former_names: list[str] = Field(description="Names that it had before")


def _plain(row: SiteRow) -> dict[str, object]:
    return {name: getattr(row, name) for name in Site.model_fields if name not in {"auth", "proxy"}}
