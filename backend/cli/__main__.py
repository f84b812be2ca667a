"""``python -m backend.cli``: the same as the console script, wherever it is installed."""

from backend.cli import main

if __name__ == "__main__":
    main(prog_name="dynamite")
