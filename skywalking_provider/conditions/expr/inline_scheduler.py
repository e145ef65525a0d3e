"""Scheduler for a process that does nothing but evaluate conditions, such as a command-line tool: without threads."""

from contextlib import suppress

from skywalking_provider.conditions.expr.instance import InstancePool, Sandbox, WasmCall
from skywalking_provider.conditions.limits import Limits, StoppedError, StopReason
from skywalking_provider.model import Deadline


class InlineScheduler:
    """Executes each call in the caller's thread, with the full limits. It blocks the event loop meanwhile.

    A call that exceeds a limit in the instance of earlier calls is executed again in a new one, as in the isolated
    tier.

    Args:
        limits: Limits of one evaluation.
    """

    def __init__(self, limits: Limits) -> None:
        self._sandbox = Sandbox(limits.memory_bytes)
        self._warm = InstancePool(self._sandbox.new_instance, seconds=limits.slice_seconds, reuse=True)
        self._fresh = InstancePool(self._sandbox.new_instance, seconds=limits.seconds, reuse=False)
        self._closed = False

    @property
    def healthy(self) -> bool:
        """Whether an instance could be started the last time."""
        return not self._sandbox.start_problem

    async def recover(self) -> None:
        """Try to start an instance, if that failed the last time."""
        if not self.healthy:
            with suppress(StoppedError):
                self._sandbox.new_instance().close()

    async def execute(self, call: WasmCall, namespace: str, deadline: Deadline) -> list[bytes]:  # noqa: ARG002 - one caller
        """Execute a call and return the fields of its response.

        Args:
            call: The call.
            namespace: Not used: there is no other namespace.
            deadline: Deadline of the caller.

        Raises:
            StoppedError: A limit of the evaluation was exceeded, the deadline passed, or the scheduler is closed.
        """
        if self._closed:
            raise StoppedError(StopReason.CLOSED)
        try:
            return self._warm.execute(call, deadline)
        except StoppedError as error:
            if error.reason.not_evaluated:
                raise
        return self._fresh.execute(call, deadline)

    async def close(self) -> None:
        """Stop the instances. May be called twice."""
        if not self._closed:
            self._closed = True
            self._warm.close()
            self._sandbox.close()
