"""How numbers are written in figures and in text."""

MINUS = "\N{MINUS SIGN}"


def signed(value: float, digits: int = 0) -> str:
    """A change with its sign; without a sign where it rounds to zero."""
    text = f"{abs(value):.{digits}f}"
    return text if float(text) == 0 else ("+" if value > 0 else MINUS) + text
