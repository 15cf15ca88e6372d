# Signals, such as that of Ctrl-C, between the parts of a long kernel.

cdef extern from "Python.h":
    # Without the check of errors that Cython would make: the GIL is given back first.
    int check_signals "PyErr_CheckSignals"() noexcept


cdef inline int handle_signals() noexcept with gil:
    """Whether to go on; if not, an error is pending, such as KeyboardInterrupt."""
    return check_signals() == 0


cdef inline int raise_pending_error() except -1:
    """Raise it, where a kernel has been told not to go on."""
    return -1
