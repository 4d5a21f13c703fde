"""Runs the command and leaves with its exit code; an error becomes one sentence."""

from __future__ import annotations

import atexit
import os
import sys
from typing import Any

import click

from salestrack.cli.group import cli
from salestrack.errors import BUSY, CANNOT_WRITE, IO, USAGE, SalestrackError


def console() -> None:
    """Runs the command and ends the process.

    The process ends at once after the exit functions have run: DuckDB's binding otherwise reports objects that are
    still alive when Python takes itself apart, on the user's terminal.
    """
    code: Any = 0
    try:
        main()
    except SystemExit as leaving:
        code = leaving.code
    atexit._run_exitfuncs()
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code if isinstance(code, int) else bool(code))


def main() -> None:
    """Runs the command; a deliberate error becomes one line on standard error and its exit code."""
    debug = "--debug" in sys.argv
    try:
        cli(standalone_mode=False)
    except SalestrackError as error:
        _leave(str(error), error.exit_code, debug)
    except click.exceptions.Exit as error:
        raise SystemExit(error.exit_code) from None
    except click.Abort:
        _leave("stopped", 130, debug)
    except click.ClickException as error:
        _leave(error.format_message(), USAGE, debug)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except PermissionError as error:
        _leave(f"{error.filename} cannot be read or written: check who may use it", CANNOT_WRITE, debug)
    except BlockingIOError:
        _leave("another run is at work in this folder: try again when it has ended", BUSY, debug)
    except OSError as error:
        _leave(
            f"{error.filename or 'the disk'}: {error.strerror or error}; make room or check the disk and run again",
            IO,
            debug,
        )


def _leave(sentence: str, code: int, debug: bool) -> None:
    if debug:
        import traceback

        traceback.print_exc()
    click.echo(f"salestrack: {sentence}", err=True)
    raise SystemExit(code)
