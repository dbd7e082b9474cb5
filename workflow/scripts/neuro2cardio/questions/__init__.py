"""Questions: read from their sources, validated, split, and cut into train sets and a test set."""
