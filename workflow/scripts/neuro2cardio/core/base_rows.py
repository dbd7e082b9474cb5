"""Names of the rows of a model without an adapter, in tables and paths. It imports nothing: the Snakefile reads it."""

BASE = "base"
"""Recipe and train set of the model without an adapter."""
FEW_SHOT = "few-shot"
"""In place of the train set, where it reads worked examples before each question."""
BEST_PROMPT = "best-prompt"
"""In place of the train set, where it reads the wording with which it answers the validation questions best."""
BASE_ROWS = (FEW_SHOT, BEST_PROMPT)
"""Rows that cost no training, beside `BASE`."""
