"""The entry of the `kvraft` command. Imports nothing that a plain install lacks."""

import sys


def main() -> None:
    """Run the command line, or say what is missing for it."""
    if sys.argv[1:2] == ["serve"]:  # a node needs no typer
        from kvraft.cli.serve import main as serve  # noqa: PLC0415

        sys.exit(serve(sys.argv[2:]))
    try:
        from kvraft.cli.app import app  # noqa: PLC0415 - typer is in an extra
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "kvraft":
            raise
        text = f"the command line needs {error.name}: pip install 'kvraft[cli]'"
        print(f"kvraft: error: {text}", file=sys.stderr)  # noqa: T201 - a command's output
        sys.exit(1)
    app()


if __name__ == "__main__":
    main()
