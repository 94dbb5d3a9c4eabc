"""A network in one file outside the package: two convolutions that keep every second point, and one hidden layer.

Try it:  spectra-lib train --dataset laptop --plugin book/examples/my_net.py --model my_net
"""

from keras import KerasTensor, layers

import spectra_lib as sl


@sl.register_model(
    "my_net",
    reference="the page 'Add your network'",
    hidden_units=(64,),  # the fully-connected layers that the library puts behind ...
    hidden_activation="relu",
    dropout=0.3,
)
def my_net(x: KerasTensor, *, kernel: int = 15, filters: int = 16) -> KerasTensor:
    """... what this function makes of the spectrum; its keyword arguments become options."""
    x = layers.Conv1D(filters, kernel, strides=2, padding="same", activation="relu")(x)
    x = layers.MaxPooling1D(2)(x)
    x = layers.Conv1D(2 * filters, kernel, padding="same", activation="relu")(x)
    return layers.MaxPooling1D(2)(x)
