"""Small encoders and how they are trained, for the experiments on networks and real images.

One idea a file: :mod:`models`, :mod:`augmentations`, :mod:`colour`, :mod:`data`, :mod:`reading`
(files of the user), :mod:`objectives` (any loss of the library on the outputs of a network),
:mod:`training` (many runs in one compiled program), :mod:`measures`, :mod:`worlds` (the settings of
the experiments on latent classes). For real images :mod:`image_settings`, :mod:`trained`,
:mod:`judged`, :mod:`buckets`, :mod:`controls`, :mod:`relations` (correlations with intervals),
:mod:`outcome`, and what goes out: :mod:`saved` (encoders in files), :mod:`handout`. Networks are
float32 and everything takes its random keys as arguments.
"""
