"""What a fit of a mixture prints."""

from __future__ import annotations

import time


class ProgressLog:
    """What `verbose` prints."""

    def __init__(self, verbose, interval):
        self.verbose = verbose
        self.interval = interval

    def begin(self, start):
        if self.verbose:
            print(f"Initialization {start}")
            self.start_time = self.iteration_time = time.perf_counter()

    def iterate(self, n_iter, change):
        if n_iter % self.interval != 0:
            return
        if self.verbose == 1:
            print(f"  Iteration {n_iter}")
            return
        now = time.perf_counter()
        print(
            f"  Iteration {n_iter}\t time lapse {now - self.iteration_time:.5f}s"
            f"\t ll change {change:.5f}"
        )
        self.iteration_time = now

    def end(self, fitted):
        if not self.verbose:
            return
        outcome = "converged" if fitted.has_converged else "did not converge"
        if self.verbose == 1:
            print(f"Initialization {outcome}.")
            return
        lapse = time.perf_counter() - self.start_time
        print(
            f"Initialization {outcome}. time lapse {lapse:.5f}s\t lower bound "
            f"{fitted.lower_bounds[-1]:.5f}."
        )
