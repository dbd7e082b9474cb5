"""From predictions to effects, with intervals, tests and figures."""
