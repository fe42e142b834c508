"""``python -m chainrule_build``: bring an editable install's extension up to date.

``--check`` only says, by its exit status, whether this environment has all that this takes.
"""

import sys

from chainrule_build.compilers import Unavailable, usable_compilers
from chainrule_build.hooks import core_wanted, update_in_place
from chainrule_build.in_place import tools_missing


def _ready() -> bool:
    if core_wanted() is False:
        return True
    try:
        usable_compilers()
    except Unavailable:
        return False
    return not tools_missing()


if __name__ == "__main__":
    if sys.argv[1:] == ["--check"]:
        sys.exit(not _ready())
    update_in_place()
