"""All cores of the machine, as devices that experiments can spread their runs over."""

from __future__ import annotations

import os


def use_all_cores() -> None:
    """Make every core a device of JAX on the CPU.

    For commands, before they compute. Without effect once JAX has computed something, and where
    ``JAX_NUM_CPU_DEVICES`` or ``XLA_FLAGS`` says how many devices there are.
    """
    flags = os.environ.get("XLA_FLAGS", "")
    if "JAX_NUM_CPU_DEVICES" in os.environ or "host_platform_device_count" in flags:
        return
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on Linux
        cores = os.cpu_count() or 1
    import jax  # here: a list or a help needs none, and it takes a third of a second to import

    try:
        jax.config.update("jax_num_cpu_devices", cores)
    except RuntimeError:  # JAX has started
        return
