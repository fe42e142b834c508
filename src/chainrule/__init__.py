"""Neural networks you can see through: one graph whose every number can be read."""

from chainrule.api.compile import compile as compile
from chainrule.api.gradients import grad as grad
from chainrule.api.gradients import jvp as jvp
from chainrule.api.gradients import value_and_grad as value_and_grad
from chainrule.api.gradients import vjp as vjp

__version__ = "0.1.0"
