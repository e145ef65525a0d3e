"""Hints for unknown keys of the configuration: from their own level, from another level, and for other tools' words."""

from pathlib import Path

import pytest

from skywalking_provider.config.loader import ConfigError, load_config

CREDENTIALS = "Write basic, bearer or headers."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "backends: {prod: {url: 'http://oap', authorization: 'Basic eA=='}}",
            f"authorization: unknown key. {CREDENTIALS}",
        ),
        ("backends: {prod: {url: 'http://oap', auth: {}}}", f"backends.prod.auth: unknown key. {CREDENTIALS}"),
        (
            "backends: {prod: {url: 'http://oap', token: x}}",
            "backends.prod.token: unknown key. Write bearer: {tokenFile: …}.",
        ),
        ("backends: {prod: {address: 'http://oap'}}", "backends.prod.address: unknown key. Write url."),
        (
            "backends: {prod: {url: 'http://oap', timeot: 5s}}",
            "backends.prod.timeot: unknown key. Did you mean timeout?",
        ),
        (
            "backends: {prod: {url: 'http://oap', max-requests: 5}}",
            "max-requests: unknown key. Did you mean maxRequests?",
        ),
        (
            "backends: {prod: {url: 'http://oap', caFile: /a}}",
            "backends.prod.caFile: unknown key. Write tls: {caFile: …}.",
        ),
        (
            "backends: {prod: {url: 'http://oap', serverName: a}}",
            "serverName: unknown key. It belongs to backends.<name>.tls.",
        ),
        ("backends: {prod: {url: 'http://oap', level: info}}", "backends.prod.level: unknown key. It belongs to log."),
        ("backends: {prod: {url: 'http://oap', drain: 5s}}", "drain: unknown key. It belongs to the first level."),
        (
            "backends: {prod: {url: 'http://oap', zzz: 1}}",
            "backends.prod.zzz: unknown key. Known keys: aliases, allowedNamespaces",
        ),
        ("backends: {prod: {url: 'https://oap', tls: {ca: /a}}}", "backends.prod.tls.ca: unknown key. Write caFile."),
        (
            "backends: {prod: {url: 'http://oap', cache: {ttl: 1s}}}",
            "backends.prod.cache.ttl: unknown key. Did you mean",
        ),
        (
            "backends: {prod: {url: 'http://oap', basic: {user: a}}}",
            "backends.prod.basic.user: unknown key. Write username.",
        ),
        ("backends: {prod: 'http://user:hunter2@oap'}", "backends.prod: is not a map. Write {url: …}."),
        ("url: http://oap", "url: unknown key. Write backends: {default: {url: …}}."),
        ("level: debug", "level: unknown key. It belongs to log."),
        ("responseTtl: 5s", "responseTtl: unknown key. It belongs to backends.<name>.cache."),
        ("sockett: /a", "sockett: unknown key. Did you mean socket?"),
    ],
)
def test_unknown_key_gets_the_hint_of_its_place(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "config.yaml"
    file.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load_config(file, {}, {})

    assert message in str(caught.value)
    assert "hunter2" not in str(caught.value)
    assert len(str(caught.value)) < 700
