"""Neural networks you can see through: one graph whose every number can be read."""

from typing import Any as _Any

from chainrule import loading as _loading

_loading.begin()

from chainrule import functions as functions
from chainrule.api.checking import check_grads as check_grads
from chainrule.api.checking import numeric_grad as numeric_grad
from chainrule.api.compile import compile as compile
from chainrule.api.custom import custom as custom
from chainrule.api.expand import expand as expand
from chainrule.api.gradients import grad as grad
from chainrule.api.gradients import jvp as jvp
from chainrule.api.gradients import value_and_grad as value_and_grad
from chainrule.api.gradients import vjp as vjp
from chainrule.api.jacobians import hessian as hessian
from chainrule.api.jacobians import hvp as hvp
from chainrule.api.jacobians import jacobian as jacobian
from chainrule.api.symbolic import Expression as Expression
from chainrule.api.symbolic import from_sympy as from_sympy
from chainrule.api.symbolic import symbolic as symbolic
from chainrule.api.trace import trace as trace
from chainrule.run.threads import threads as threads
from chainrule.tracing.scan import scan as scan

__version__ = "0.1.0"


def __getattr__(name: str) -> _Any:
    """``cr.nn`` and ``cr.train``, loaded when they are first used."""
    if name in ("nn", "train"):
        from importlib import import_module

        return import_module(f"chainrule.{name}")
    raise AttributeError(f"module 'chainrule' has no attribute {name!r}")
