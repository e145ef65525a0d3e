"""The rules of `lint`: id, severity and summary. An id is stable: comments, CI jobs and dashboards name it."""

from enum import StrEnum
from typing import Self


class Severity(StrEnum):
    """Severity of a rule, in ascending order."""

    WARNING = "warning"
    """The analysis runs, but its verdict can be wrong."""
    ERROR = "error"
    """The analysis does not run, or its verdict does not depend on the canary."""

    @property
    def rank(self) -> int:
        """Position in the order of severity."""
        return list(Severity).index(self)


class Rule(StrEnum):
    """A rule, by its id.

    Attributes:
        severity: Severity of its findings.
        summary: What the rule finds, in one sentence.
    """

    severity: Severity
    summary: str

    def __new__(cls, value: str, severity: Severity, summary: str) -> Self:
        member = str.__new__(cls, value)
        member._value_ = value
        member.severity = severity
        member.summary = summary
        return member

    FILE_UNREADABLE = "file-unreadable", Severity.ERROR, "The file or folder cannot be read."
    FILE_TOO_LARGE = "file-too-large", Severity.ERROR, "The file is larger than an analysis template can be."
    YAML_INVALID = "yaml-invalid", Severity.ERROR, "The file is not YAML."
    YAML_TOO_COMPLEX = "yaml-too-complex", Severity.ERROR, "Aliases or nesting expand beyond the limits."
    YAML_DUPLICATE_KEY = "yaml-duplicate-key", Severity.ERROR, "A map has the same key twice."
    HELM_TEMPLATE = "helm-template", Severity.ERROR, "The file is a Helm template that was not rendered."
    SUPPRESSION_INVALID = (
        "suppression-invalid",
        Severity.WARNING,
        "A suppression comment has an unknown id or no reason.",
    )
    SUPPRESSION_UNUSED = "suppression-unused", Severity.WARNING, "A suppression comment has no finding."

    ARGO_SCHEMA = "argo-schema", Severity.ERROR, "The API server rejects the template: a key or type is wrong."
    ARGO_UNKNOWN_KEY = "argo-unknown-key", Severity.WARNING, "Kubernetes removes a key that it does not know."
    ARGO_INVALID = "argo-invalid", Severity.ERROR, "Argo Rollouts rejects the template."
    ARGO_ARGUMENT = "argo-argument", Severity.ERROR, "Argo cannot replace an argument."
    ARGO_LIMIT_TEXT = "argo-limit-text", Severity.ERROR, "Argo reads a limit that is not a number as 0."
    ROLLOUT_ARGUMENT = "rollout-argument", Severity.ERROR, "A Rollout does not set the arguments of its templates."
    ROLLOUT_ENDLESS = "rollout-endless", Severity.ERROR, "A step of a Rollout waits for a metric without an end."
    PLUGIN_NAME = "plugin-name", Severity.WARNING, "The name of the plugin resembles the configured one."

    BLOCK_INVALID = "block-invalid", Severity.ERROR, "The provider rejects the block."
    BLOCK_SECRET = "block-secret", Severity.ERROR, "The block has a secret."
    BLOCK_BACKEND = "block-backend", Severity.ERROR, "No backend of the configuration has the name or address."
    BLOCK_HASH = "block-hash", Severity.WARNING, "A pod-template-hash is written out and selects one version only."
    BLOCK_NO_DATA = "block-no-data", Severity.WARNING, "A canary without data passes."
    BLOCK_SAME_SIDES = "block-same-sides", Severity.ERROR, "A judged block compares the canary with itself."

    QUERY_VARIABLE = "query-variable", Severity.ERROR, "A query needs a variable that nothing sets."
    METRIC_TYPE = "metric-type", Severity.ERROR, "A read does not suit the type of its metric."
    METRIC_LABEL = "metric-label", Severity.ERROR, "No version of OAP has the label of a percentile."
    METRIC_SCOPE = "metric-scope", Severity.ERROR, "OAP has no such metric for the selected entity."
    OAP_VERSION = "oap-version", Severity.ERROR, "The OAP of `--oap-version` lacks what the block uses."

    CONDITION_INVALID = "condition-invalid", Severity.ERROR, "A condition does not compile for its result."
    CONDITION_MISSING = "condition-missing", Severity.ERROR, "Without a condition every result is Successful."
    CONDITION_FIELD = "condition-field", Severity.ERROR, "A condition reads a field that the result does not have."
    CONDITION_CANNOT_FAIL = "condition-cannot-fail", Severity.ERROR, "No possible result fails."
    CONDITION_CANNOT_PASS = "condition-cannot-pass", Severity.ERROR, "No possible result passes."

    THRESHOLD_UNDECIDABLE = (
        "threshold-undecidable",
        Severity.ERROR,
        "No traffic of the declared window can decide the threshold.",
    )
    THRESHOLD_FIRST_NOISE = "threshold-first-noise", Severity.WARNING, "A single failed call aborts the rollout."

    INTERVAL_SHORT = "interval-short", Severity.WARNING, "The interval is shorter than a bucket of SkyWalking."
    LIMIT_UNREACHABLE = "limit-unreachable", Severity.ERROR, "The metric ends before its limit can be exceeded."
    LIMIT_OVERLAP = (
        "limit-overlap",
        Severity.WARNING,
        "One bad minute counts in more windows than failureLimit permits.",
    )
    LIMIT_FIRST_ERROR = "limit-first-error", Severity.WARNING, "A restart of the provider aborts the rollout."
    LIMIT_ENDLESS_ERRORS = (
        "limit-endless-errors",
        Severity.WARNING,
        "A metric that cannot be measured keeps the rollout waiting for hours.",
    )

    JUDGED_CONDITION = "judged-condition", Severity.WARNING, "A condition replaces the finding of a judged block."
    JUDGED_INTERVAL = "judged-interval", Severity.WARNING, "A judged block is measured less often than each minute."
    JUDGED_LIMIT = "judged-limit", Severity.WARNING, "failureLimit delays the abort that a judged block has proven."
