"""What all tests share."""

import asyncio

# Up to Python 3.13 whoever asks for "the current loop" where there is none makes one that nobody closes. There is none.
asyncio.set_event_loop(None)
