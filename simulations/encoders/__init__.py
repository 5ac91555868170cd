"""Small encoders and how they are trained, for the experiments on networks and real images.

One idea a file: :mod:`models`, :mod:`augmentations`, :mod:`data`, :mod:`objectives` (any loss of
the library on the outputs of a network), :mod:`training` (many runs in one compiled program),
:mod:`measures`, and :mod:`worlds` (the settings of the experiments on latent classes). Everything
is float32 and takes its random keys as arguments.
"""
