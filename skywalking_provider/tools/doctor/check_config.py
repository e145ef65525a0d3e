"""Check of a configuration and of the files that it names."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from skywalking_provider.config import BackendConfig, Config, ConfigError
from skywalking_provider.errors import BackendUnavailableError
from skywalking_provider.oap.transport.credentials import SecretFile
from skywalking_provider.oap.transport.tls import TlsContext
from skywalking_provider.server.endpoint import resolve_endpoint
from skywalking_provider.server.tls import build_server_credentials
from skywalking_provider.tools.doctor.findings import Finding, Section, note, ok, problem

_SHORT_SECRET = 12


def check_config(config: Config, source: str) -> Section:
    """Check everything that needs no connection."""
    return Section("configuration", source, tuple(_findings(config)))


def _findings(config: Config) -> Iterator[Finding]:
    names = ", ".join(config.backends)
    yield ok(f"{len(config.backends)} backend{'s' if len(config.backends) > 1 else ''}: {names}")
    yield from _endpoint_findings(config)
    if config.http and config.http.bridges:
        yield from _bridge_findings(config.http.bridges)
    for name, backend in config.backends.items():
        yield from _credential_findings(name, backend)
        yield from _tls_findings(name, backend)


def _endpoint_findings(config: Config) -> Iterator[Finding]:
    if config.socket is None and config.listen is None:
        yield note("neither socket nor listen is set", "Start the service with --socket or --listen")
        return
    try:
        endpoint = resolve_endpoint(config)
    except ConfigError as error:
        yield problem(str(error), "Correct the configuration; the service does not start with it")
        return
    if endpoint.tls:
        try:
            build_server_credentials(endpoint.tls)
        except ConfigError as error:
            yield problem(str(error), "Check the files and their mount; the service does not start without them")
        else:
            yield ok(f"tls of {endpoint.target}: certificate, key and client CA match")
    elif endpoint.exposed:
        yield note(
            f"{endpoint.target} serves every client that reaches it (insecure)",
            "Configure tls, or restrict access to the port",
        )


def _bridge_findings(folder: Path) -> Iterator[Finding]:
    bridges = sorted(folder.glob("*/*/skywalking-bridge"))
    if bridges:
        yield ok(f"{len(bridges)} {'bridges' if len(bridges) > 1 else 'bridge'} in {folder} for download")
    else:
        yield problem(
            f"http.bridges: there is no <version>/<os>-<arch>/skywalking-bridge in {folder}",
            "Mount the folder of the bridges there, or remove the key",
        )


def _credential_findings(name: str, backend: BackendConfig) -> Iterator[Finding]:
    files = {
        "basic.passwordFile": backend.basic.password_file if backend.basic else None,
        "bearer.tokenFile": backend.bearer.token_file if backend.bearer else None,
    }
    for key, path in files.items():
        if path is None:
            continue
        try:
            secret = SecretFile(path).read().reveal()
        except BackendUnavailableError as error:
            yield problem(f"backends.{name}.{key}: {error.message}", error.hint)
            continue
        if not secret:
            yield problem(f"backends.{name}.{key}: {path} is empty", "Write the credentials into it")
        elif len(secret) < _SHORT_SECRET:
            yield note(
                f"backends.{name}.{key}: {path} has less than {_SHORT_SECRET} characters",
                "Choose a longer one: authors of templates can guess it, and fewer than 4 are not redacted",
            )
        else:
            yield ok(f"backends.{name}.{key}: {path} is readable")


def _tls_findings(name: str, backend: BackendConfig) -> Iterator[Finding]:
    if backend.tls is None:
        if backend.url.startswith("http://") and (backend.basic or backend.bearer):
            yield note(f"backends.{name}: credentials are sent in plain text to {backend.url}", "Use https://")
        return
    if backend.tls.insecure_skip_verify:
        yield note(
            f"backends.{name}.tls.insecureSkipVerify: a proxy in between can read credentials and forge responses",
            "Name the CA of the OAP in tls.caFile instead",
        )
    try:
        context = TlsContext(name, backend.tls).load_current()
    except BackendUnavailableError as error:
        yield problem(f"backends.{name}.{error.message}", error.hint)
        return
    if context.verify_mode is not ssl.CERT_NONE:
        yield ok(f"backends.{name}.tls: its files match")
