"""The measurements behind :mod:`normtheory.verify`: clouds, plain definitions, autodiff."""
