"""What does fine-tuning on one clinical specialty do to the others? The library of the workflow.

Modules import downwards only; the rules in ``workflow/rules`` call them through the thin commands
in ``workflow/scripts``.
"""

__version__ = "0.1.0"
