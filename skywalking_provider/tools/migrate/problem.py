"""What is wrong with a file that is to be migrated."""


class MigrationError(Exception):
    """A file that cannot be migrated as it is.

    Args:
        line: Where, counted from 1.
        message: What is wrong, and the remedy.
    """

    def __init__(self, line: int, message: str) -> None:
        self.line = line
        self.message = message
        super().__init__(f"line {line}: {message}")
