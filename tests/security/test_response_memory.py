"""One response takes at most 8 times `maxAnswerBytes` plus 16 MiB of memory, whatever it contains."""

import pytest

from tests.security.response_memory import MEBIBYTE, PARSERS, PLACES, measure_responses


def test_every_parser_of_a_field_has_a_case() -> None:
    assert {place.parser for place in PLACES} == {"", *PARSERS}


@pytest.mark.timeout(600)  # a hundred forks, ten seconds of CPU time
def test_every_kind_of_small_response_takes_bounded_memory() -> None:
    """The adversarial trials measure responses of 4 MiB."""
    growths = measure_responses(MEBIBYTE // 4)

    assert len(growths) > 100
    assert {case: mib for case, mib in growths.items() if mib > 8 / 4 + 16} == {}
