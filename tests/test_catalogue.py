"""What the catalogue says of networks is what Keras builds, and saying it needs no Keras."""

import subprocess
import sys
from dataclasses import replace

import keras
import pytest

from spectra_lib._base.errors import SpecificationError, UnknownNameError
from spectra_lib.experiments.peaknet_variants import VARIANTS
from spectra_lib.experiments.single_changes import SINGLE_CHANGES, Variant, variants
from spectra_lib.networks import build_model, catalogue, list_models
from spectra_lib.networks.catalogue import CATALOGUE, MODIFIED, OWN, PUBLISHED, facts
from spectra_lib.networks.description import measure_model
from spectra_lib.networks.facts import keyword_options
from spectra_lib.networks.peaknet import peaknet, prototypes
from spectra_lib.networks.sizes import Size, size_of

EVERY = [*map(Variant, CATALOGUE), *(v for v in (*variants(SINGLE_CHANGES), *VARIANTS) if v.options)]


def as_built(name: str, n_points: int, n_classes: int, **options: object) -> Size:
    with keras.StatelessScope(initialize_variables=False):
        model = build_model(name, n_points, n_classes, **options)
    keras.utils.clear_session(free_memory=False)
    return measure_model(model)


def in_one_order(size: Size) -> Size:
    """Keras lists the layers of parallel branches by their depth."""
    return replace(size, kernel_sizes=tuple(sorted(size.kernel_sizes)))


@pytest.mark.parametrize("variant", EVERY, ids=lambda v: f"{v.model} {dict(v.options)}")
def test_sizes_are_those_of_what_keras_builds(variant):
    for shape in ((5000, 27), (1003, 5)):
        listed, built = (size(variant.model, *shape, **variant.options) for size in (size_of, as_built))
        assert in_one_order(listed) == in_one_order(built)


def test_every_network_is_in_one_group():
    assert sorted((*PUBLISHED, *MODIFIED, OWN)) == sorted(CATALOGUE) == sorted(list_models())
    assert all(facts(name).variant_of in PUBLISHED for name in MODIFIED)
    assert len({entry.display_name for entry in CATALOGUE.values()}) == len(CATALOGUE)


def test_options_of_our_network_are_those_that_it_takes():
    assert keyword_options(peaknet) | keyword_options(prototypes) == facts(OWN).options


def test_a_network_without_hidden_layers_has_no_activation():
    without = [name for name in CATALOGUE if not catalogue.has_hidden_layers(name)]
    assert without == ["resnet", "peaknet"]
    assert all(catalogue.activations(name) == (None,) for name in without)
    assert {catalogue.published_activation(name) for name in CATALOGUE if name not in without} == {"linear", "relu"}


def test_what_is_refused():
    with pytest.raises(UnknownNameError, match="Did you mean 'cnn6'"):
        size_of("cnn7")
    with pytest.raises(UnknownNameError, match="Did you mean 'kernel'"):
        size_of("vgg", kernal=3)
    with pytest.raises(SpecificationError, match="'vgg' does not fit n_points=2: .*pools the spectrum to nothing"):
        size_of("vgg", n_points=2)


def test_specifying_runs_and_judging_claims_loads_no_keras():
    script = (
        "import sys, spectra_lib as sl, spectra_lib.claims\n"
        "from spectra_lib.experiments.campaign import campaign\n"
        "campaign(), sl.RunSpec(dataset='smoke', model='cnn6', options={'dropout': 0.1}), sl.list_models()\n"
        "print(*(name for name in ('keras', 'tensorflow', 'jax', 'torch') if name in sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == []
