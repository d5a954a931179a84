"""Round values to few bits of mantissa, so that a small archive compresses to a smaller one."""

import numpy as np

__all__ = ["rounded"]


def rounded(values: np.ndarray, bits: int) -> np.ndarray:
    """Round float32 values to the nearest with `bits` of mantissa kept, so that they compress.

    Parameters
    ----------
    values : ndarray
    bits : int
        Mantissa bits kept, of 23.

    Returns
    -------
    ndarray
        float32; NaN stays NaN.

    Source
    ------
    Kloewer et al. 2021, doi:10.1038/s43588-021-00156-2 (round to nearest, ties to even).
    """
    values = np.asarray(values, np.float32)
    if bits >= 23:
        return values
    raw, drop = values.view(np.uint32), 23 - bits
    half = np.uint32((1 << (drop - 1)) - 1)
    mask = np.uint32(0xFFFFFFFF ^ ((1 << drop) - 1))
    out = ((raw + half + ((raw >> np.uint32(drop)) & np.uint32(1))) & mask).view(np.float32)
    return np.where(np.isfinite(values), out, values)
