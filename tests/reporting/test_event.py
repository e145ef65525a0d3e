"""Events built from measurements: identity, times, source, bounds and redaction."""

import json
import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st

from skywalking_provider.errors import Reason
from skywalking_provider.model import Entity, EntitySet, Phase, Run
from skywalking_provider.reporting.event import MAX_MESSAGE, MAX_PARAMETERS, build_events, stored_length
from skywalking_provider.support.redaction import Redactor, Secret
from tests.reporting.harness import FINISHED, RUN, SERVICE, STARTED, build_event, instances

MAX_NAME = 200


def test_failed_measurement_is_an_error_event_of_its_service() -> None:
    event = build_event(
        Phase.FAILED,
        message="CONDITION_NOT_MET success rate 0.95, wanted …",
        value="0.95",
        reason=Reason.CONDITION_NOT_MET,
    )

    (built,) = build_events(event, max_instances=5)

    assert built.to_json() == {
        "uuid": built.uuid,
        "source": {"service": "reviews.bookinfo"},
        "name": "AnalysisRun",
        "type": "Error",
        "message": "success-rate Failed: CONDITION_NOT_MET success rate 0.95, wanted …",
        "parameters": {
            "rollout": "reviews",
            "namespace": "bookinfo",
            "analysisRun": "reviews-6c85f7bf4-2",
            "podTemplateHash": "6c85f7bf4",
            "metric": "success-rate",
            "phase": "Failed",
            "reason": "CONDITION_NOT_MET",
            "value": "0.95",
            "measuredAt": "2026-11-30T12:04:05+00:00",
        },
        "startTime": 1796040004000,
        "endTime": 1796040247250,
        "layer": "MESH",
    }


def test_type_follows_from_the_phase() -> None:
    types = {
        phase: [one.to_json()["type"] for one in build_events(build_event(phase), max_instances=5)] for phase in Phase
    }

    assert types == {
        Phase.PENDING: [],
        Phase.RUNNING: [],
        Phase.SUCCESSFUL: ["Normal"],
        Phase.INCONCLUSIVE: ["Normal"],
        Phase.FAILED: ["Error"],
        Phase.ERROR: ["Error"],
    }


def test_uuid_is_the_same_for_all_measurements_of_a_metric_and_start_stays() -> None:
    first, later = (
        build_events(build_event(phase, value=value, finished=finished), 5)[0]
        for phase, value, finished in (
            (Phase.SUCCESSFUL, "1", FINISHED),
            (Phase.FAILED, "0.5", FINISHED + timedelta(minutes=5)),
        )
    )

    assert (first.uuid, first.start) == (later.uuid, later.start)
    assert later.end - first.end == timedelta(minutes=5)


def test_uuid_differs_by_run_metric_and_entity() -> None:
    events = [
        build_event(),
        build_event(metric="latency"),
        build_event(run=replace(RUN, uid="another")),
        build_event(run=replace(RUN, name="another")),
        build_event(entities=EntitySet((Entity("ratings.bookinfo"),), ("MESH",))),
        build_event(entities=EntitySet((Entity("reviews.bookinfo", endpoint="/a"),), ("MESH",))),
        build_event(entities=instances(2)),
    ]

    uuids = [one.uuid for event in events for one in build_events(event, 5)]

    assert len(set(uuids)) == len(uuids) == 8


def test_start_is_that_of_the_run_and_else_of_the_measurement() -> None:
    created = STARTED - timedelta(seconds=1)
    starts = {
        build_events(build_event(run=run), 5)[0].start: expected
        for run, expected in (
            (RUN, created),
            (replace(RUN, started_at=None), created),  # as in the first measurement
            (replace(RUN, created_at=None), STARTED),
            (Run(namespace="bookinfo", name="r"), FINISHED - timedelta(seconds=2)),
        )
    }

    assert all(start == expected for start, expected in starts.items())
    assert len(starts) == 3


def test_start_after_the_end_is_the_end() -> None:
    (built,) = build_events(build_event(run=replace(RUN, created_at=FINISHED + timedelta(hours=1))), 5)
    assert built.start == built.end == FINISHED


def test_instances_get_an_event_each_up_to_the_limit() -> None:
    each = build_events(build_event(entities=instances(5)), max_instances=5)
    one = build_events(build_event(entities=instances(6)), max_instances=5)
    none = build_events(build_event(entities=instances(1)), max_instances=0)

    assert [event.entity.instance for event in each] == [f"reviews-6c85f7bf4-{at:05}" for at in range(5)]
    assert [event.entity for event in one + none] == [Entity("reviews.bookinfo")] * 2
    assert [event.parameters["instances"] for event in (*each, *one)] == ["5"] * 5 + ["6"]


def test_measurement_without_known_entities_has_the_events_of_the_block() -> None:
    event = build_event(Phase.ERROR, entities=None)
    named = replace(event, named_entities=lambda: EntitySet((Entity("a"), Entity("b"))))

    assert build_events(event, 5) == ()
    assert [(one.entity.service, one.layer) for one in build_events(named, 5)] == [("a", ""), ("b", "")]


def test_credentials_are_redacted_and_lines_are_printable() -> None:
    redactor = Redactor(Secret("hunter2-secret"))
    event = build_event(
        Phase.ERROR,
        message="OAP_REJECTED token hunter2-secret\n\x1b[31m",
        value='{"a": "hunter2-secret"}',
        metric="hunter2-secret",
        entities=SERVICE,
    )

    (built,) = build_events(event, 5, redactor)

    text = json.dumps(built.to_json(), ensure_ascii=False)
    assert "hunter2" not in text
    assert built.message.isprintable()


def test_name_with_a_lone_surrogate_can_be_encoded() -> None:
    (built,) = build_events(build_event(entities=EntitySet((Entity("a\ud800b"),), ("MESH",))), 5)
    assert built.to_json()["source"] == {"service": "a?b"}


names = st.text(max_size=300)


@given(metric=names, message=st.text(max_size=1500), value=st.text(max_size=2000), name=names, count=st.integers(1, 8))
def test_event_fits_the_columns_of_a_database(metric: str, message: str, value: str, name: str, count: int) -> None:
    event = build_event(Phase.FAILED, metric=metric, message=message, value=value, entities=instances(count))
    event = replace(event, run=replace(RUN, name=name[:253], owner_name=name[:253]))

    for built in build_events(event, 5):
        content = built.to_json()
        assert len(content["message"]) <= MAX_MESSAGE
        assert len(content["name"]) <= MAX_NAME
        assert len(gson(content["parameters"])) <= MAX_PARAMETERS
        assert content["startTime"] <= content["endTime"]
        assert content["message"].isprintable()
        assert json.loads(json.dumps(content)) == content


def gson(parameters: Mapping[str, str]) -> str:
    """Return the JSON that OAP stores: Gson escapes characters of HTML."""
    text = json.dumps(dict(parameters), ensure_ascii=False, separators=(",", ":"))
    return re.sub("[<>&='\u2028\u2029]", lambda match: f"\\u{ord(match[0]):04x}", text)


@given(st.dictionaries(st.text(max_size=9), st.text(st.characters(exclude_categories=["C"])), min_size=1))
def test_stored_length_is_that_of_gson(parameters: dict[str, str]) -> None:
    shown = {
        "".join(filter(str.isalnum, key)): "".join(filter(str.isprintable, text)) for key, text in parameters.items()
    }
    assert stored_length(shown) == len(gson(shown))


def test_longest_parameters_fit_the_column_and_keep_the_most_of_the_message() -> None:
    name = "n" * 253
    event = build_event(
        Phase.FAILED, metric="<" * 253, value="'" * 4000, message="&" * 1024, reason=Reason.FAILURE_CONDITION_MET
    )
    event = replace(event, run=replace(RUN, namespace="n" * 63, name=name, owner_name=name))

    (built,) = build_events(event, 5)

    assert MAX_PARAMETERS - 6 <= len(gson(built.parameters)) <= MAX_PARAMETERS


def test_message_beyond_the_limit_is_whole_in_the_parameters() -> None:
    message = f"CONDITION_NOT_MET {'x' * 800} · mostly POST /reviews"
    (built,) = build_events(build_event(Phase.FAILED, message=message), 5)
    (short,) = build_events(build_event(Phase.FAILED, message="short"), 5)

    assert len(built.message) == MAX_MESSAGE
    assert built.message.endswith("x…")
    assert built.parameters["message"] == f"success-rate Failed: {message}"
    assert "message" not in short.parameters
