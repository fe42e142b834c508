"""Training: optimisers, schedules, clipping, the loop, checkpoints."""

from chainrule.train.checkpoints import CheckpointError as CheckpointError
from chainrule.train.checkpoints import load as load
from chainrule.train.checkpoints import load_with_extra as load_with_extra
from chainrule.train.checkpoints import save as save
from chainrule.train.clipping import ClipNorm as ClipNorm
from chainrule.train.clipping import ClipValue as ClipValue
from chainrule.train.fitting import fit as fit
from chainrule.train.history import History as History
from chainrule.train.loop import Epoch as Epoch
from chainrule.train.optimisers import SGD as SGD
from chainrule.train.optimisers import Adagrad as Adagrad
from chainrule.train.optimisers import Adam as Adam
from chainrule.train.optimisers import AdamW as AdamW
from chainrule.train.optimisers import Momentum as Momentum
from chainrule.train.optimisers import Nesterov as Nesterov
from chainrule.train.optimisers import Optimiser as Optimiser
from chainrule.train.optimisers import RMSprop as RMSprop
from chainrule.train.prediction import predict as predict
from chainrule.train.schedules import Constant as Constant
from chainrule.train.schedules import Cosine as Cosine
from chainrule.train.schedules import Exponential as Exponential
from chainrule.train.schedules import ReduceOnPlateau as ReduceOnPlateau
from chainrule.train.schedules import StepDecay as StepDecay
from chainrule.train.schedules import WarmUp as WarmUp
