"""Configuration of one backend: address, credentials, limits."""

from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Annotated, Final

from pydantic import AfterValidator, Field, model_validator

from skywalking_provider.config.events import EventsConfig
from skywalking_provider.config.tls import ClientTls
from skywalking_provider.config.types import (
    HeaderName,
    Link,
    LinkPattern,
    NamespacePattern,
    Seconds,
    SecretText,
    Url,
    Zone,
    min_timeout,
    username,
)
from skywalking_provider.support.service_names import check_pattern
from skywalking_provider.support.strict_model import StrictModel


class Basic(StrictModel):
    """HTTP basic authentication. The password is a text, or a file that is read again when it changes."""

    username: Annotated[str, AfterValidator(username)]
    password: SecretText | None = None
    password_file: Path | None = None

    @model_validator(mode="after")
    def _one_password(self) -> "Basic":
        if (self.password is None) == (self.password_file is None):
            raise ValueError("needs exactly one of password and passwordFile. Write one of them")
        return self


class Bearer(StrictModel):
    """Bearer token: a text, or a file that is read again when it changes."""

    token: SecretText | None = None
    token_file: Path | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "Bearer":
        if (self.token is None) == (self.token_file is None):
            raise ValueError("needs exactly one of token and tokenFile. Write one of them")
        return self


class CircuitConfig(StrictModel):
    """Circuit breaker of a backend.

    Attributes:
        failures: Number of consecutive failures that open it: connection errors, 502-504, timeouts (once per query).
        cool_down: Time until the next probe, a single request.
    """

    failures: int = Field(default=5, ge=1, le=1000)
    cool_down: Seconds = timedelta(seconds=5)


_MAX_CACHE_SECONDS: Final = 30


class CacheConfig(StrictModel):
    """Caches of a backend. Zero switches a cache off; concurrent identical requests are still shared.

    A verdict is never made of a response older than `response_ttl` plus `verdict_ttl`, so that late data are not missed
    for longer. Only responses for immutable windows are cached longer.

    Attributes:
        response_ttl: Time that a response is reused for identical requests.
        verdict_ttl: Time that a verdict is reused for identical measurements, from the start of its measurement.
    """

    response_ttl: Seconds = timedelta(seconds=7)
    verdict_ttl: Seconds = timedelta(seconds=3)

    @model_validator(mode="after")
    def _check_sum(self) -> "CacheConfig":
        total = self.response_ttl + self.verdict_ttl
        if total > timedelta(seconds=_MAX_CACHE_SECONDS):
            raise ValueError(
                f"responseTtl and verdictTtl add up to {total.total_seconds():g}s, more than {_MAX_CACHE_SECONDS}s; "
                "OAP's data may change in that time. Shorten one of them"
            )
        return self


class BackendConfig(StrictModel):
    """One OAP.

    Attributes:
        url: Base URL; /graphql is appended to it.
        aliases: Other addresses that templates use for this OAP. They are compared and never connected to.
        allowed_namespaces: Namespaces whose runs may use this OAP, `*` for any characters; by default all.
        timeout: Time that one attempt of a request may take.
        tls: Certificates of an https:// connection.
        ui: Address of the SkyWalking UI, for the link in a run's status.
        trace_link: Pattern of the link to a trace in SkyWalking's UI.
        log_link: Pattern of the link to logs in SkyWalking's UI.
        service_name: Pattern that builds SkyWalking's name of a service from its parts.
        timezone: IANA name of the OAP's zone, where its clocks change twice a year: getTimeInfo reports only the
            current offset, and a window over the change needs both.
        settle: Delay after the end of a bucket before it is read (OAP flushes every 25 s, then its storage refreshes).
        clock_ttl: Time that a response of getTimeInfo is used.
        cache: TTLs of responses and verdicts.
        max_answer_bytes: Maximum size of a response; a larger one is rejected while it is read.
        max_requests: Maximum number of requests in flight, shared fairly between namespaces.
        retries: Maximum number of further attempts of a failed request within its deadline.
        circuit: Circuit breaker.
        events: Events that are reported to this OAP.
    """

    url: Url
    aliases: tuple[Url, ...] = ()
    allowed_namespaces: Annotated[tuple[NamespacePattern, ...], Field(min_length=1)] | None = None
    ui: Link | None = None
    trace_link: LinkPattern | None = None
    log_link: LinkPattern | None = None
    service_name: Annotated[str, AfterValidator(check_pattern)] = "{name}.{namespace}"
    timezone: Zone | None = None
    timeout: Annotated[Seconds, AfterValidator(min_timeout)] = timedelta(seconds=5)
    settle: Seconds = timedelta(seconds=60)
    clock_ttl: Seconds = timedelta(seconds=60)
    cache: CacheConfig = CacheConfig()
    max_answer_bytes: int = Field(default=4 * 1024 * 1024, ge=1024, le=64 * 1024 * 1024)
    max_requests: int = Field(default=32, ge=1, le=1024)
    retries: int = Field(default=2, ge=0, le=10)
    circuit: CircuitConfig = CircuitConfig()
    events: EventsConfig = EventsConfig()
    tls: ClientTls | None = None
    headers: dict[HeaderName, SecretText] = Field(default_factory=dict)
    basic: Basic | None = None
    bearer: Bearer | None = None

    def allows(self, namespace: str | None) -> bool:
        """Return whether the runs of a namespace may use this OAP; None stands for no namespace in particular."""
        if self.allowed_namespaces is None:
            return True
        return namespace is not None and any(fnmatchcase(namespace, one) for one in self.allowed_namespaces)

    @model_validator(mode="after")
    def _check_tls_needs_https(self) -> "BackendConfig":
        if self.tls and not self.url.startswith("https://"):
            raise ValueError("tls: needs an https:// url. Change the url, or remove tls")
        return self

    @model_validator(mode="after")
    def _check_events_verify_certificates(self) -> "BackendConfig":
        if self.events.address is not None and self.tls is not None and self.tls.insecure_skip_verify:
            raise ValueError(
                "events.address: gRPC always verifies certificates, and tls.insecureSkipVerify is set. Set tls.caFile,"
                " or remove address to report over HTTP"
            )
        return self

    @model_validator(mode="after")
    def _one_authorization(self) -> "BackendConfig":
        methods = [
            self.basic is not None,
            self.bearer is not None,
            "authorization" in {k.lower() for k in self.headers},
        ]
        if sum(methods) > 1:
            raise ValueError("allows only one of basic, bearer and an Authorization header. Remove the others")
        return self
