"""The pairs of networks that the paper's Table 2 compares, and all options in which they differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from spectra_lib.experiments.single_changes import ABLATIONS, Variant
from spectra_lib.networks.catalogue import PUBLISHED, facts, published_activation, relu_activation


@dataclass(frozen=True)
class Pair:
    """A pair of networks of the paper's Table 2.

    Attributes
    ----------
    published : Variant
        The original as it was published, which is what the paper compares with: CNN BN and VGG with linear hidden
        layers.
    modified : Variant
        The network that the paper made of it.
    simpler : str
        Which of the two networks is the one without batch normalisation or convolutional dropout.
    """

    published: Variant
    modified: Variant
    simpler: str

    @property
    def original(self) -> Variant:
        """The original with the activation of the modified network, as far as it has hidden layers.

        Against it a pair compares everything that was modified but the activation.
        """
        return relu_variant(self.published.model)

    def ordered(self, original: Variant) -> tuple[Variant, Variant]:
        """Give an original and the modified network, the simpler one last.

        Parameters
        ----------
        original : Variant
            The original network, as published or with ReLU.

        Returns
        -------
        (Variant, Variant)
        """
        both = original, self.modified
        return both if self.simpler == self.modified.model else both[::-1]


def changes_several(pair: Pair, original: Variant | None = None) -> bool:
    """Tell whether a pair differs in more than one option, by default from the original as published.

    Parameters
    ----------
    pair : Pair
        A pair of Table 2.
    original : Variant, optional
        Network to compare the modified one with.

    Returns
    -------
    bool

    Examples
    --------
    >>> [changes_several(pair) for pair in table_2()]
    [False, True, True, True, True]
    >>> [changes_several(pair, pair.original) for pair in table_2()]
    [False, True, False, True, True]
    """
    return len(differences(original or pair.published, pair.modified)) > 1


def table_2() -> tuple[Pair, ...]:
    """Pairs of the paper's Table 2: originals as published, and modified networks with ReLU.

    Returns
    -------
    tuple of Pair

    Examples
    --------
    >>> [(pair.published.model, pair.modified.model, pair.simpler) for pair in table_2()][1:3]
    [('cnn6', 'cnn6_convdo', 'cnn6'), ('cnn_bn', 'cnnbn_mod', 'cnnbn_mod')]
    """
    pairs = []
    for simple, other in ABLATIONS:
        original, modified = (simple, other) if simple in PUBLISHED else (other, simple)
        published = Variant(original, published_activation(original))
        pairs.append(Pair(published, relu_variant(modified), simple))
    return tuple(pairs)


def relu_variant(model: str) -> Variant:
    """Give a network with ReLU between its hidden layers, if it has any.

    Parameters
    ----------
    model : str
        Name of the network.

    Returns
    -------
    Variant

    Examples
    --------
    >>> relu_variant("vgg").hidden_activation, relu_variant("resnet").hidden_activation
    ('relu', None)
    """
    return Variant(model, relu_activation(model))


def differences(original: Variant, modified: Variant) -> dict[str, tuple[Any, Any]]:
    """Find all options in which two networks differ: what the first and the second have.

    Parameters
    ----------
    original, modified : Variant
        The two networks.

    Returns
    -------
    dict of str to (object, object)
        Both values, by option.

    Examples
    --------
    >>> differences(Variant("cnn6"), Variant("cnn6_convdo"))
    {'dropout': (0.7, 0.0), 'conv_dropout': (0.0, 0.2)}
    """
    first, second = ({**facts(v.model).defaults, **v.options} for v in (original, modified))
    found = {
        key: (_plain(first[key]), _plain(second[key])) for key in first if _plain(first[key]) != _plain(second[key])
    }
    if original.hidden_activation != modified.hidden_activation:
        found["hidden_activation"] = (original.hidden_activation, modified.hidden_activation)
    return found


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple | list) else value
