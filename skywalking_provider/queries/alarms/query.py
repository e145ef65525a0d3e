"""The query type `alarms`. `result` has the numbers of alarms and the names of their rules."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from skywalking_provider.block import AlarmsSpec, IndicatorName
from skywalking_provider.errors import ProviderError, Reason
from skywalking_provider.model import Deadline, Window
from skywalking_provider.oap import Backend
from skywalking_provider.oap.api.alarms import MAX_PAGES, PAGE_SIZE
from skywalking_provider.queries.alarms.reads import read_alarms
from skywalking_provider.queries.alarms.report import AlarmReport, SelectedAlarm, alarm_window, build_report
from skywalking_provider.queries.alarms.selection import RULE_TAG, AlarmSelection, select_alarms, select_targets
from skywalking_provider.queries.base import CollectedSample, Diagnosis, QueryDescription
from skywalking_provider.queries.causes.target import CauseTarget
from skywalking_provider.queries.entities import describe_selection, describe_subject, services_by_name
from skywalking_provider.queries.indicators.query import read_indicator
from skywalking_provider.queries.indicators.registry import indicator_for
from skywalking_provider.queries.sample import Sample
from skywalking_provider.support.counts import format_count
from skywalking_provider.support.printable import printable_line

MAX_ENTITIES: Final = 100
"""Entities that one request names; alarms of more are selected from all that the OAP has."""
_ALARM_CHARACTERS: Final = 500  # of one alarm in a response, approximately
_MAX_QUOTED: Final = 80


@dataclass(frozen=True, slots=True)
class AlarmsQuery:
    """Alarms of the selected entities. Their calls decide whether there are data."""

    spec: AlarmsSpec

    async def collect(self, backend: Backend, window: Window, deadline: Deadline) -> CollectedSample:
        """See `Query.collect`."""
        throughput = indicator_for(IndicatorName.THROUGHPUT)
        calls, entities, requests = await read_indicator(self.spec, throughput, backend, window, deadline)
        targets = select_targets(self.spec, entities)
        features = await backend.connection.alarm_features(deadline)
        pages = await read_alarms(
            self.spec.alarm_scopes,
            self.spec.alarms.rules,
            targets.entities if len(targets.entities) <= MAX_ENTITIES else (),
            features,
            backend,
            alarm_window(window, self.spec.alarms.silence_period, self._settle(backend)),
            deadline,
        )
        selection = await backend.process(
            _ALARM_CHARACTERS * len(pages.alarms),
            select_alarms,
            self.spec,
            targets,
            pages.alarms,
            backend.connection.redactor,
        )
        report = evaluate_alarms(
            selection,
            window,
            self.spec.alarms.silence_period,
            complete=pages.complete,
            reports_recovery=features.reports_recovery,
        )
        return CollectedSample(
            build_sample(report, calls), describe_subject(entities), (*requests, *pages.requests), entities
        )

    async def diagnose(self, sample: Sample, backend: Backend, deadline: Deadline) -> Diagnosis:  # noqa: ARG002
        """See `Query.diagnose`. The entity and its calls' metric exist, so missing calls are the only cause."""
        return Diagnosis()

    def services_by_name(self, backend: Backend) -> tuple[str, ...]:
        """See `Query.services_by_name`."""
        return services_by_name(self.spec, backend)

    def select_cause_target(self, backend: Backend) -> CauseTarget | None:  # noqa: ARG002
        """See `Query.select_cause_target`. The message of the alarm is the cause."""
        return None

    def describe(self, backend: Backend | None) -> QueryDescription:
        """See `Query.describe`."""
        return replace(describe_selection(self.spec, backend), alarms=self.spec.describe_alarms())

    def _settle(self, backend: Backend) -> timedelta:
        return backend.connection.config.settle if self.spec.settle is None else self.spec.settle


def evaluate_alarms(
    selection: AlarmSelection, window: Window, silence_period: timedelta, *, complete: bool, reports_recovery: bool
) -> AlarmReport:
    """Return the alarms that count for a block.

    Args:
        selection: Alarms of the block's entities, tags and rules.
        window: Window of the measurement.
        silence_period: Longest silence period of the rules.
        complete: Whether all alarms of the time were read.
        reports_recovery: Whether the OAP reports recoveries.

    Raises:
        ProviderError: QUERY_INVALID: none of the alarms that are known to count fired, and of others it is not known
            whether they count.
    """
    report = build_report(selection.alarms, window, silence_period, reports_recovery=reports_recovery)
    if report.fired:
        return report
    others = build_report(
        map(SelectedAlarm, selection.unknown_rule), window, silence_period, reports_recovery=reports_recovery
    )
    if others.newest is not None:
        message = printable_line(others.newest.alarm.message[:_MAX_QUOTED])
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"alarms.rules: an OAP before 11 does not report the rule of an alarm, and {message!r} names none",
            f"Add the tag {RULE_TAG} with its name to each rule in the OAP's alarm-settings.yml, or remove rules",
        )
    if not complete:
        raise ProviderError(
            Reason.QUERY_INVALID,
            f"alarms: the OAP has more than {MAX_PAGES * PAGE_SIZE} alarms in the time of the window",
            "Shorten window and alarms.silencePeriod, or remove rules of other services from the OAP",
        )
    return report


def build_sample(report: AlarmReport, calls: Sample) -> Sample:
    """Return the sample of alarms.

    Args:
        report: Alarms that count.
        calls: Sample of the entities' calls.
    """
    return replace(calls, result=report.result(), summary=summarize(report), alarms=report)


def summarize(report: AlarmReport) -> str:
    """Return the numbers of alarms for messages: "2 alarms fired, 1 recovered, 1 firing"."""
    parts = [f"{format_count(len(report.fired), 'alarm')} fired"]
    if report.recovered:
        parts.append(f"{report.recovered} recovered")
    if report.firing:
        parts.append(f"{len(report.firing)} firing")
    return ", ".join(parts)
