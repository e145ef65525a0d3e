"""Interface of the bets on the minutes of one kind."""

from typing import Protocol, TypeVar

from skywalking_provider.judgement.evidence import MinuteBets

Minute_contra = TypeVar("Minute_contra", contravariant=True)


class MinuteTest(Protocol[Minute_contra]):
    """Bets on the minutes of one kind. Implementations subclass it, and may keep earlier minutes."""

    def bets(self, minute: Minute_contra) -> MinuteBets:
        """Return the bets of the next minute."""
        ...

    def is_incident(self, minute: Minute_contra) -> bool:  # noqa: ARG002
        """Return whether stable itself fails so often in a minute that nothing should be promoted."""
        return False
