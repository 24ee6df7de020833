"""``provider serve``: the embedded provider on loopback."""

from __future__ import annotations

import argparse


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    command = commands.add_parser("provider", help="the embedded provider")
    actions = command.add_subparsers(required=True, metavar="ACTION")
    serve = actions.add_parser("serve", help="serve on loopback until interrupted")
    serve.add_argument("--port", type=int, default=8765, metavar="PORT")
    serve.set_defaults(function=run)


def run(args: argparse.Namespace) -> int:
    """Serve until interrupted."""
    from aurora_prep.providers.embedded import serve

    serve(args.port)
    return 0
