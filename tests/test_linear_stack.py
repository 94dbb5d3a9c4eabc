"""Stacked linear layers are one linear layer, in every network that has them."""

import numpy as np
import pytest

from spectra_lib._base.errors import SpectraError
from spectra_lib.networks import build_model
from spectra_lib.networks.linear_stack import collapse_dense_stack, predict_collapsed


@pytest.mark.parametrize("name", ["cnn2", "vgg", "cnn_bn"])
def test_collapsed_network_predicts_the_same(name):
    model = build_model(name, n_points=300, n_classes=7, hidden_activation="linear", hidden_units=(40, 30))
    rng = np.random.default_rng(0)
    model.set_weights([np.abs(rng.normal(0, 0.1, w.shape)) for w in model.get_weights()])
    spectra = rng.uniform(0, 1, (5, 300)).astype(np.float32)
    weights, bias = collapse_dense_stack(model)
    assert weights.shape[1] == bias.shape[0] == 7 and np.abs(bias).max() > 0
    expected = model.predict(spectra[..., None], verbose=0)
    assert np.allclose(predict_collapsed(model, spectra), expected, atol=1e-4)


def test_a_stack_with_a_nonlinearity_is_refused():
    model = build_model("cnn2", n_points=300, n_classes=7, hidden_activation="relu")
    with pytest.raises(SpectraError, match="layer 'hidden_1' of network 'cnn2' has the activation relu"):
        collapse_dense_stack(model)
