"""`python -m kvraft`: the `kvraft` command, for where no script was installed."""

from kvraft.cli.main import main

if __name__ == "__main__":
    main()
