"""The growth policies by name: which nodes of a tree are split next."""

from sklearnx._cython.boosting.depthwise import Depthwise
from sklearnx._cython.boosting.leafwise import Leafwise
from sklearnx._cython.boosting.symmetric import Symmetric

GROW_POLICIES = {
    "leafwise": Leafwise,
    "depthwise": Depthwise,
    "symmetric": Symmetric,
}
