"""Encoding of a result as the JSON that the conditions are evaluated on."""

from skywalking_provider.support import go_json
from skywalking_provider.support.worker_thread import INLINE_SIZE, WorkerThread


async def encode_result(result: object, worker: WorkerThread) -> bytes:
    """Return a result as JSON. A large one is encoded in the worker thread.

    Raises:
        ValueError: The result contains NaN or an infinity, or is nested too deeply.
        TypeError: The result contains a type that JSON does not have.
    """
    size = go_json.approximate_size(result, INLINE_SIZE + 1)
    return await worker.run(size, go_json.dump if size <= INLINE_SIZE else go_json.dump_interruptibly, result)
