"""What does not change from step to step is computed once, before the loop.

XLA computes the body of a loop as it is written: the offset of a phenology, a polynomial in the logarithm of a
parameter, would be computed in every step of every cell. Bricks need not know of this: the operations of a step that
depend on nothing that changes are found in its jaxpr and moved out.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.extend.core import ClosedJaxpr, Literal, jaxpr_as_fun


def hoisted(function: Callable[..., Any], fixed: Any, *changing: Any) -> Callable[..., Any]:
    """A function of what changes, with all that depends only on what is fixed computed now.

    Parameters
    ----------
    function : callable
        ``function(fixed, *changing)`` on pytrees of arrays, without side effects.
    fixed : pytree of arrays
        What does not change.
    *changing : pytree
        An example of what does: shapes and dtypes count.

    Returns
    -------
    callable
        ``f(*changing)``, equal to ``function(fixed, *changing)``. It may be differentiated with respect to both.
    """
    closed, shape = jax.make_jaxpr(function, return_shape=True)(fixed, *changing)
    whole, leaves = closed.jaxpr, jax.tree.leaves(fixed)
    inputs, moving = whole.invars[: len(leaves)], whole.invars[len(leaves) :]
    known, early, late = {*whole.constvars, *inputs}, [], []
    for equation in whole.eqns:
        if not equation.effects and all(isinstance(v, Literal) or v in known for v in equation.invars):
            known.update(equation.outvars)
            early.append(equation)
        else:
            late.append(equation)
    read = [v for equation in late for v in equation.invars] + list(whole.outvars)
    kept = list(dict.fromkeys(v for v in read if not isinstance(v, Literal) and v in known))
    before = _part(whole, [*whole.constvars, *inputs], early, kept)
    after = _part(whole, [*kept, *moving], late, whole.outvars)
    values = before(*closed.consts, *leaves)

    def rest(*changed: Any) -> Any:
        return jax.tree.unflatten(jax.tree.structure(shape), after(*values, *jax.tree.leaves(changed)))

    return rest


def _part(whole: Any, inputs: list[Any], equations: list[Any], outputs: list[Any]) -> Callable[..., list[Any]]:
    unnamed = whole.debug_info.with_unknown_names()
    jaxpr = whole.replace(constvars=[], invars=inputs, eqns=equations, outvars=outputs, debug_info=unnamed)
    return jaxpr_as_fun(ClosedJaxpr(jaxpr, []))
