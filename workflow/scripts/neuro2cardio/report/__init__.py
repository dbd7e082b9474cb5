"""The page that a run ends in: from the verdict down to the single question."""
