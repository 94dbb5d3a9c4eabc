"""Networks from outside the package: a file named on the command line, or an installed package's entry point.

A plugin is a Python module that registers networks (`spectra_lib.register_model`). Loading it executes
it, with all the rights of the user who does so: load only what you trust. A run of such a network keeps
the SHA-256 of the module's source, so that a record tells exactly what was trained, and the same name with
other code is another run.
"""

from __future__ import annotations

import hashlib
import importlib.abc
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from types import CodeType

from spectra_lib._base.errors import SpectraError
from spectra_lib.networks.registry import forget, registered

GROUP = "spectra_lib.models"
"""Entry point group; each entry names a module that registers networks when it is imported."""


class PluginError(SpectraError):
    """A plugin that cannot be loaded."""


@dataclass(frozen=True)
class Plugin:
    """A module that registered networks.

    Attributes
    ----------
    origin : str
        File name, or package and module of an entry point.
    file : Path
        Its source.
    sha256 : str
        Hexadecimal SHA-256 of the source.
    models : tuple of str
        Names of the networks that it registered.
    """

    origin: str
    file: Path
    sha256: str
    models: tuple[str, ...]


_LOADED: dict[Path, Plugin] = {}


class _Source(importlib.abc.InspectLoader):
    """Executes source that is in memory already: what runs is what was hashed, and no cache is written."""

    def __init__(self, text: str, file: Path) -> None:
        self._text, self._file = text, file

    def get_source(self, fullname: str) -> str:
        return self._text

    def get_filename(self, fullname: str) -> str:
        return str(self._file)

    def get_code(self, fullname: str) -> CodeType:
        return self.source_to_code(self._text, str(self._file))


def load_plugin(path: str | Path) -> Plugin:
    """Execute a Python file that registers networks.

    Parameters
    ----------
    path : str or Path
        The file. Loading it again does nothing.

    Returns
    -------
    Plugin

    Raises
    ------
    PluginError
        If there is no such file, it fails, registers no network, or has changed since it was loaded.

    Examples
    --------
    >>> load_plugin("no_such_net.py")
    Traceback (most recent call last):
    ...
    spectra_lib.networks.plugins.PluginError: there is no file no_such_net.py; --plugin takes the path of ...
    """
    file = Path(path).resolve()
    if not file.is_file():
        raise PluginError(f"there is no file {path}; --plugin takes the path of a Python file that registers networks")
    content = file.read_bytes()
    digest = hashlib.sha256(content).hexdigest()
    if file in _LOADED:
        if _LOADED[file].sha256 != digest:
            raise PluginError(f"{path} has changed since this process loaded it; start a new one")
        return _LOADED[file]

    def execute() -> None:
        name = f"spectra_lib_plugin_{digest[:16]}"
        loader = _Source(content.decode("utf-8"), file)
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader(name, loader, origin=str(file)))  # type: ignore[arg-type]
        module.__file__ = str(file)
        sys.modules[name] = module
        loader.exec_module(module)

    return _register(file.name, file, digest, execute)


def load_plugins(paths: Iterable[str | Path]) -> None:
    """Load several files; see `load_plugin`.

    Parameters
    ----------
    paths : iterable of str or Path
        The files.

    Raises
    ------
    PluginError
        If one cannot be loaded; those before it stay loaded.
    """
    for path in paths:
        load_plugin(path)


def load_installed_plugins() -> None:
    """Import the modules that installed packages name in the entry point group; one that fails is a warning.

    `spectra_lib.networks.models` calls this once, for the list of networks and for one that is not the package's own.
    """
    for entry in metadata.entry_points(group=GROUP):
        origin = f"{entry.dist.name if entry.dist else 'unknown package'}: {entry.value}"
        try:
            file = _file_of(entry.module)
            digest = hashlib.sha256(file.read_bytes()).hexdigest()
            _register(origin, file, digest, entry.load)
        except PluginError as error:
            warnings.warn(f"{error}; its networks are not available", stacklevel=2)


def _file_of(module: str) -> Path:
    try:
        found = importlib.util.find_spec(module)
    except ImportError as error:
        raise PluginError(f"plugin {module!r} is not installed whole: {error}") from error
    if found is None or found.origin is None or not Path(found.origin).is_file():
        raise PluginError(f"plugin {module!r} has no source file")
    return Path(found.origin).resolve()


def _register(origin: str, file: Path, digest: str, execute: Callable[[], object]) -> Plugin:
    before = set(registered())
    try:
        execute()
        added = tuple(name for name in registered() if name not in before)
        if not added:
            raise PluginError("it registers no network; decorate a function with spectra_lib.register_model")
    except Exception as error:  # the plugin is other people's code: anything may come out of it
        forget(set(registered()) - before)
        text = str(error) if isinstance(error, SpectraError) else f"{type(error).__name__}: {error}"
        raise PluginError(f"plugin {origin}: {text}") from error
    plugin = _LOADED[file] = Plugin(origin, file, digest, added)
    return plugin


def loaded_plugins() -> tuple[Plugin, ...]:
    """Plugins loaded so far, installed ones among them.

    Returns
    -------
    tuple of Plugin
        In the order of loading.
    """
    return tuple(_LOADED.values())


def plugin_of(model: str) -> Plugin | None:
    """Plugin that registered a network; None for one of the package's own.

    Parameters
    ----------
    model : str
        Name of a network.

    Returns
    -------
    Plugin or None

    Examples
    --------
    >>> plugin_of("cnn2") is None
    True
    """
    return next((plugin for plugin in _LOADED.values() if model in plugin.models), None)


def source_of(model: str) -> str | None:
    """SHA-256 of the source that defines a network from outside; None for one of the package's own.

    Parameters
    ----------
    model : str
        Name of a network.

    Returns
    -------
    str or None
        64 hexadecimal digits.
    """
    plugin = plugin_of(model)
    return plugin.sha256 if plugin else None
