"""``python -m spectra_lib``: the command line."""

from spectra_lib.cli.app import app

if __name__ == "__main__":
    app()
