"""`functools.cached_property` as it is from Python 3.12 on, without a lock.

Before, all instances of a class shared one lock, held while a value was computed: fits
in several threads waited for each other, and a process that was forked meanwhile hung.
"""

from __future__ import annotations

import sys

if sys.version_info >= (3, 12):
    from functools import cached_property
else:

    class cached_property:
        """An attribute that is computed when it is first read."""

        def __init__(self, compute):
            self._compute = compute
            self.__doc__ = compute.__doc__

        def __set_name__(self, owner, name):
            self._name = name

        def __get__(self, instance, owner=None):
            if instance is None:
                return self
            # Found there from now on, without a call.
            value = instance.__dict__[self._name] = self._compute(instance)
            return value


__all__ = ["cached_property"]
