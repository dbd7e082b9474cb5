"""The configuration, one file for each of its parts."""
