"""Neural networks: modules, layers, initialisers, losses and penalties."""

from chainrule.nn.activations import ELU as ELU
from chainrule.nn.activations import GELU as GELU
from chainrule.nn.activations import Activation as Activation
from chainrule.nn.activations import Function as Function
from chainrule.nn.activations import Identity as Identity
from chainrule.nn.activations import LeakyReLU as LeakyReLU
from chainrule.nn.activations import ReLU as ReLU
from chainrule.nn.activations import Sigmoid as Sigmoid
from chainrule.nn.activations import SiLU as SiLU
from chainrule.nn.activations import Softmax as Softmax
from chainrule.nn.activations import Softplus as Softplus
from chainrule.nn.activations import Tanh as Tanh
from chainrule.nn.activations import UnknownNameError as UnknownNameError
from chainrule.nn.activations import activation as activation
from chainrule.nn.checks import InputError as InputError
from chainrule.nn.containers import MLP as MLP
from chainrule.nn.containers import Sequential as Sequential
from chainrule.nn.initializers import initializer as initializer
from chainrule.nn.layers import BatchNorm as BatchNorm
from chainrule.nn.layers import Dense as Dense
from chainrule.nn.layers import Dropout as Dropout
from chainrule.nn.layers import Perceptron as Perceptron
from chainrule.nn.losses import TargetError as TargetError
from chainrule.nn.losses import binary_cross_entropy as binary_cross_entropy
from chainrule.nn.losses import (
    binary_cross_entropy_with_logits as binary_cross_entropy_with_logits,
)
from chainrule.nn.losses import categorical_cross_entropy as categorical_cross_entropy
from chainrule.nn.losses import (
    categorical_cross_entropy_with_logits as categorical_cross_entropy_with_logits,
)
from chainrule.nn.losses import hinge as hinge
from chainrule.nn.losses import huber as huber
from chainrule.nn.losses import mean_absolute_error as mean_absolute_error
from chainrule.nn.losses import mean_squared_error as mean_squared_error
from chainrule.nn.mode import evaluation as evaluation
from chainrule.nn.mode import training as training
from chainrule.nn.module import Module as Module
from chainrule.nn.recording import Run as Run
from chainrule.nn.regularisers import L1 as L1
from chainrule.nn.regularisers import L2 as L2
from chainrule.nn.regularisers import ElasticNet as ElasticNet
from chainrule.tracing.parameter import Parameter as Parameter
from chainrule.tracing.parameter import State as State
