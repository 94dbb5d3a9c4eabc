"""Commands of the networks: list, show."""

from __future__ import annotations

from typing import Annotated

import typer

from spectra_lib.cli.options import Activation, ModelName, Options, Plugins, on_one_line, read_options
from spectra_lib.cli.printing import print_table
from spectra_lib.networks.plugins import load_plugins, plugin_of

app = typer.Typer(no_args_is_help=True, help="List and describe networks.")


@app.command("list")
def list_models_command(plugin: Plugins = None) -> None:
    """List the networks.

    Examples:

        spectra-lib models list

        spectra-lib models list --plugin my_net.py
    """
    from spectra_lib.networks import list_models, network

    load_plugins(plugin or ())
    entries = [network(name) for name in list_models()]
    rows = [(e.name, e.reference, e.variant_of or "", e.hidden_activation or "", e.doi) for e in entries]
    print_table(("name", "reference", "variant of", "hidden layers", "doi"), rows)


@app.command("show")
def show_model_command(
    model: ModelName,
    points: Annotated[int, typer.Option(help="Points of a spectrum.")] = 5000,
    classes: Annotated[int, typer.Option(help="Number of classes.")] = 500,
    hidden_activation: Activation = None,
    option: Options = None,
    plugin: Plugins = None,
) -> None:
    """Describe a network as built: layers, parameters, cost, and the options it takes.

    Examples:

        spectra-lib models show cnn6

        spectra-lib models show cnn2 --classes 27 --hidden-activation relu --option hidden_units=[1000]
    """
    from dataclasses import asdict

    from spectra_lib.networks import describe_model, network

    load_plugins(plugin or ())
    found = describe_model(model, points, classes, hidden_activation, **read_options(option))
    rows = [(name, on_one_line(value)) for name, value in asdict(found).items()]
    origin = plugin_of(model)
    if origin is not None:
        rows += [("plugin", str(origin.file)), ("source SHA-256", origin.sha256)]
    options = ((f"option {name}", on_one_line(value)) for name, value in network(model).defaults.items())
    print_table(("property", "value"), [*rows, *options])
