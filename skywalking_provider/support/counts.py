"""Numbers with their nouns, in the singular and the plural."""


def format_count(number: int, noun: str, plural: str = "") -> str:
    """Return a number with its noun, such as "1 minute" and "2 minutes".

    Args:
        number: The number.
        noun: The noun in the singular; the last word gets an "s" for the plural.
        plural: The plural, where it is another.
    """
    return f"{number} {noun if number == 1 else plural or f'{noun}s'}"
