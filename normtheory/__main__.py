"""``python -m normtheory`` is ``normtheory``."""

from normtheory.cli import main

if __name__ == "__main__":
    main()
