"""One loss a file, with a module-level ``LOSS``; the registry finds it by its place."""
