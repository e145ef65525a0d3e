"""Verdict of a collected sample: missing data, a judgement, or evaluated conditions. No I/O."""

from skywalking_provider.analysis import message
from skywalking_provider.analysis import verdict as verdicts
from skywalking_provider.analysis.evaluation import MetricConditions
from skywalking_provider.analysis.judgement_message import describe_undecided, describe_worse
from skywalking_provider.analysis.judging import Judgement
from skywalking_provider.analysis.verdict import Verdict, WaitBudget
from skywalking_provider.block import Spec
from skywalking_provider.conditions import Evaluation
from skywalking_provider.errors import Reason
from skywalking_provider.judgement import Finding
from skywalking_provider.model import Phase
from skywalking_provider.queries import CollectedSample, Diagnosis


def decides_without_data(conditions: MetricConditions, collected: CollectedSample) -> bool:
    """Return whether a sample has a verdict even if it has no data: an alarm fired, and there are no conditions."""
    alarms = collected.sample.alarms
    return alarms is not None and not alarms.empty and not conditions.written


def depends_on_wait(verdict: Verdict, collected: CollectedSample) -> bool:
    """Return whether a verdict on the same sample is another one while there is time to wait."""
    alarms = collected.sample.alarms
    return verdict.reason is Reason.UNDECIDED or (
        verdict.reason is Reason.ALARM_FIRED and alarms is not None and not alarms.fired
    )


def missing_data_verdict(
    spec: Spec, origin: message.Origin, collected: CollectedSample, diagnosis: Diagnosis, wait_budget: WaitBudget
) -> Verdict | None:
    """Return the verdict of a sample without data or with too few calls; None for any other sample."""
    sample = collected.sample
    if sample.empty_series or (sample.sides is not None and not sample.sides.counted):
        detail = message.no_data(sample, collected.subject, origin, diagnosis.text)
        return verdicts.on_missing_data(Reason.NO_DATA, detail, spec.on_no_data, wait_budget)
    if spec.required_calls > (sample.calls or 0):
        detail = message.too_few_calls(sample, spec.required_calls, collected.subject, origin, diagnosis.text)
        return verdicts.on_missing_data(Reason.TOO_FEW_CALLS, detail, spec.on_no_data, wait_budget)
    return None


def judgement_verdict(judgement: Judgement, origin: message.Origin, wait_budget: WaitBudget) -> Verdict:
    """Return the verdict of a judgement without conditions."""
    match judgement.finding:
        case Finding.WORSE:
            reason = Reason.OBJECTIVE_MISSED if judgement.stable is None else Reason.WORSE_THAN_STABLE
            return Verdict(Phase.FAILED, reason, describe_worse(judgement, origin))
        case Finding.FINE:
            return Verdict(Phase.SUCCESSFUL)
        case Finding.OPEN:
            return verdicts.on_undecided(describe_undecided(judgement, origin), wait_budget)


def condition_verdict(
    conditions: MetricConditions, origin: message.Origin, collected: CollectedSample, evaluation: Evaluation
) -> Verdict:
    """Return the verdict of evaluated conditions."""
    success, failure = conditions.success, conditions.failure
    reason = verdicts.select_reason(evaluation.phase, success=bool(success), failure=bool(failure))
    if reason in (None, Reason.CONDITION_ERROR):
        return Verdict(evaluation.phase, reason, evaluation.message)
    detail = message.describe_sample(
        collected.sample, message.format_conditions(success, failure), collected.subject, origin
    )
    return Verdict(evaluation.phase, reason, detail)
