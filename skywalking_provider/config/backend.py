"""How one OAP is reached: its address, credentials and limits."""

from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from skywalking_provider.config.tls import ClientTls
from skywalking_provider.config.types import (
    HeaderName,
    Link,
    NamespacePattern,
    Seconds,
    SecretText,
    Url,
    Zone,
    max_ttl,
    min_timeout,
    username,
)
from skywalking_provider.support.service_names import check_pattern
from skywalking_provider.support.strict_model import StrictModel


class Basic(StrictModel):
    """HTTP basic authentication; the password is given as text or as a file, which is read again when it changes."""

    username: Annotated[str, AfterValidator(username)]
    password: SecretText | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_password(self) -> "Basic":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("write exactly one of password and passwordFile")
        return self


class Bearer(StrictModel):
    """A bearer token, given as text or as a file, which is read again when it changes."""

    token: SecretText | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "Bearer":
        if (self.token is None) == (self.token_file is None):
            raise ValueError("write exactly one of token and tokenFile")
        return self


class CircuitConfig(StrictModel):
    """When an OAP is asked no more for a while.

    Attributes:
        failures: After so many in a row: no connection, 502 to 504, or no answer in time (once for each question).
        cool_down: How long; then one request tries.
    """

    failures: int = Field(default=5, ge=1, le=1000)
    cool_down: Seconds = timedelta(seconds=5)


class BackendConfig(StrictModel):
    """One OAP.

    Attributes:
        url: Base URL; /graphql is appended to it.
        aliases: Other addresses that templates use for this OAP. They are compared, never dialled.
        allowed_namespaces: Namespaces whose runs may use this OAP, `*` for any characters; by default all.
        timeout: How long one request may take.
        tls: How an https:// OAP is known, and how it knows us.
        ui: Address of the SkyWalking UI, for the link in a run's status.
        service_name: How the parts of a service become the name that SkyWalking knows.
        timezone: IANA name of the OAP's zone, where its clocks are changed twice a year: getTimeInfo tells only today's
            offset, and a window over the change needs both.
        settle: How long after its end a bucket is read (OAP flushes every 25 s, then its storage refreshes).
        clock_ttl: How long an answer of getTimeInfo is used.
        answer_ttl: How long an answer serves identical questions, seven tenths of it as OAP's answer and the last
            three as a verdict made of it. Late data within `settle` must not stick.
        max_answer_bytes: Longer answers are refused unread.
        max_requests: Requests in flight at the same time; namespaces take turns.
        retries: How often a request is tried again that was not answered, while its deadline lets it.
        circuit: When it is asked no more for a while.
    """

    url: Url
    aliases: tuple[Url, ...] = ()
    allowed_namespaces: Annotated[tuple[NamespacePattern, ...], Field(min_length=1)] | None = None
    ui: Link | None = None
    service_name: Annotated[str, AfterValidator(check_pattern)] = "{name}.{namespace}"
    timezone: Zone | None = None
    timeout: Annotated[Seconds, AfterValidator(min_timeout)] = timedelta(seconds=5)
    settle: Seconds = timedelta(seconds=60)
    clock_ttl: Seconds = timedelta(seconds=60)
    answer_ttl: Annotated[Seconds, AfterValidator(max_ttl)] = timedelta(seconds=10)
    max_answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    max_requests: int = Field(default=32, ge=1, le=1024)
    retries: int = Field(default=2, ge=0, le=10)
    circuit: CircuitConfig = CircuitConfig()
    tls: ClientTls | None = None
    headers: dict[HeaderName, SecretText] = Field(default_factory=dict)
    basic: Basic | None = None
    bearer: Bearer | None = None

    @property
    def response_ttl_seconds(self) -> float:
        """How long an answer of OAP serves."""
        return self.answer_ttl.total_seconds() - self.verdict_ttl_seconds

    @property
    def verdict_ttl_seconds(self) -> float:
        """How long a verdict serves."""
        return 0.3 * self.answer_ttl.total_seconds()

    def allows(self, namespace: str | None) -> bool:
        """Whether the runs of a namespace may use this OAP; None is nobody in particular."""
        if self.allowed_namespaces is None:
            return True
        return namespace is not None and any(fnmatchcase(namespace, one) for one in self.allowed_namespaces)

    @model_validator(mode="after")
    def _check_tls_needs_https(self) -> "BackendConfig":
        if self.tls and not self.url.startswith("https://"):
            raise ValueError("tls: is for an https:// url")
        return self

    @model_validator(mode="after")
    def _one_authorization(self) -> "BackendConfig":
        ways = [self.basic is not None, self.bearer is not None, "authorization" in {k.lower() for k in self.headers}]
        if sum(ways) > 1:
            raise ValueError("write at most one of basic, bearer and an Authorization header")
        return self
