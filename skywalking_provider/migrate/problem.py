"""What is wrong with a file that is to be migrated."""


class MigrationError(Exception):
    """A file that cannot be migrated as it is.

    Args:
        line: Where, counted from 1.
        what: What is wrong, and the remedy.
    """

    def __init__(self, line: int, what: str) -> None:
        self.line = line
        self.what = what
        super().__init__(f"line {line}: {what}")
