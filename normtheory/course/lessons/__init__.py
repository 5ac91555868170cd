"""One lesson a file, with a module-level ``EXERCISES``; the registry finds it by its place."""
