"""Shapes of the diffusion core: one sample at a time; batches are made by ``jax.vmap`` outside."""

from typing import Any

from jaxtyping import Array, Float

Sample = Float[Array, "*sample"]
"""One sample of any shape."""

Samples = Float[Array, "batch *sample"]
"""Samples of the same shape, along the first axis."""

Level = Float[Array, ""]
"""Standard deviation of the noise in one sample, in the units of the sample."""

Values = Float[Array, "*observations"]
"""Observations of one sample, of any shape."""

Condition = Any
"""What a denoiser is given besides the noisy sample: any pytree, or None."""
