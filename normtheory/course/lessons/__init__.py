"""One lesson a file, with a module-level ``EXERCISES``; the registry finds it by its place."""

ORDER = (
    "one_pair",
    "any_loss",
    "norms_in_time",
    "many_points",
    "two_modalities",
    "interventions",
    "confidence",
    "your_model",
)
"""Of the course, as its pages are numbered."""
