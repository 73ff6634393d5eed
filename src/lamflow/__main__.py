"""``python -m lamflow`` is ``lamflow``."""

from lamflow.cli.main import main

if __name__ == "__main__":
    main()
