"""Bridge between labelled data and the land model: the only place where xarray and JAX meet.

- ``running``: :func:`simulate`, forcing dataset -> blocks of cells -> CF dataset, the same on any number of workers;
  ``blocks`` cuts the cells, ``spinning`` makes the initial state, ``states`` keeps states as data.
- ``parameters``: read, replace and draw the parameters of a model.
- ``members``: a simulated dataset as conformed members, and as reduced members for the ensemble.
- ``outcome``, ``derivatives``: a number of a simulation, and its derivative with respect to parameters.
"""

from spread.simulate.derivatives import derivatives
from spread.simulate.labels import CLOSURE, FROM_KERNEL, on_field
from spread.simulate.members import as_member, conformed, step_means
from spread.simulate.outcome import Outcome, yearly_means
from spread.simulate.parameters import (
    brick,
    bricks_of,
    draws,
    number_of_draws,
    parameter_values,
    standard_model,
    with_parameters,
)  # fmt: skip
from spread.simulate.running import simulate
from spread.simulate.spinning import UNSPUN, SpinUp, spun_up_states

__all__ = [
    "CLOSURE", "FROM_KERNEL", "UNSPUN", "Outcome", "SpinUp", "as_member", "brick", "bricks_of", "conformed",
    "derivatives", "draws", "number_of_draws", "on_field", "parameter_values", "simulate", "spun_up_states",
    "standard_model", "step_means", "with_parameters", "yearly_means",
]  # fmt: skip
