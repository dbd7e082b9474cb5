"""How numbers are written in figures and in text."""

from collections.abc import Collection

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 0) -> str:
    """A change with its sign; without a sign where it rounds to zero."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text


def span(counts: Collection[int]) -> str:
    """Smallest and largest of some counts; one number where they are equal."""
    low, high = min(counts), max(counts)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"
