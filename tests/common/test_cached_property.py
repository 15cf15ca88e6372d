"""Attributes that are computed when they are first read."""

import inspect
import threading

from sklearnx._cached_property import cached_property


class Squares:
    n_computed = 0

    def __init__(self, values, wait=lambda: None):
        self.values = values
        self.wait = wait

    @cached_property
    def total(self):
        """The sum of squares."""
        self.n_computed += 1
        self.wait()
        return sum(value * value for value in self.values)


def test_is_computed_once():
    squares = Squares([1, 2])
    assert (squares.total, squares.total) == (5, 5)
    assert squares.n_computed == 1
    assert inspect.getdoc(Squares.total) == "The sum of squares."


def test_another_instance_does_not_wait():
    # A forked process would wait for ever: for a thread that it does not have.
    has_begun, may_end = threading.Event(), threading.Event()

    def wait():
        has_begun.set()
        may_end.wait(60)

    slow = Squares([3], wait)
    thread = threading.Thread(target=lambda: slow.total)
    thread.start()
    assert has_begun.wait(60)
    other = []
    second = threading.Thread(target=lambda: other.append(Squares([1]).total))
    second.start()
    second.join(10)
    may_end.set()
    thread.join(60)
    assert other == [1]
    assert slow.total == 9
