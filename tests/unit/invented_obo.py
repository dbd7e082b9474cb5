"""A small ontology in OBO form, made up for tests: no term of it is of any real ontology."""

_TERMS = {
    "X:0": ("Everything", "", []),
    "X:1": ("Trouble of the blarf", "Any trouble that the blarf can be in.", ["X:0"]),
    "X:2": ("Trouble of the snoot", "Any trouble that the snoot can be in.", ["X:0"]),
    "X:10": ("Blue blarf", "A colour of this organ like that of a clear sky", ["X:1"]),
    "X:11": ("Wobbly blarf", "An organ that moves to and fro without being touched.", ["X:1"]),
    "X:12": ("Silent blarf", "No sound comes out of the organ when it is struck.", ["X:1"]),
    "X:13": ("Loud blarf", "A loud blarf is heard across the street.", ["X:1"]),
    "X:14": ("Very blue blarf", "A colour of this organ like that of the deep sea.", ["X:10"]),
    "X:20": ("Bent snoot", "An angle in the middle of the nose of more than ten degrees.", ["X:2"]),
    "X:21": ("Snootblarf", "Both organs have grown together into one of them.", ["X:1", "X:2"]),
    "X:22": ("Snoot of old age", "Too brief.", ["X:20"]),
}


def text(extra: str = "") -> str:
    """The ontology's OBO text, with any more stanzas appended."""
    stanzas = [
        "\n".join(
            [
                "[Term]",
                f"id: {key}",
                f"name: {name}",
                *([f'def: "{definition}" [made:up]'] if definition else []),
                *(f"is_a: {parent} ! {_TERMS[parent][0]}" for parent in parents),
            ]
        )
        for key, (name, definition, parents) in _TERMS.items()
    ]
    return "\n\n".join(["format-version: 1.2\ndata-version: made/up/2020-02-02", *stanzas, extra]) + "\n"
