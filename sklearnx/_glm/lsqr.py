"""LSQR: damped least squares from products with the table alone.

References
----------
C. C. Paige and M. A. Saunders (1982), "LSQR: an algorithm for sparse linear equations
and sparse least squares", ACM Transactions on Mathematical Software 8, sections 2 to 5
and 8.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

EPS = np.finfo(np.float64).eps


@dataclass(frozen=True)
class LsqrSolution:
    """Where LSQR ended.

    Attributes
    ----------
    coef : ndarray of shape (n_columns, n_outputs)
    n_iter : ndarray of shape (n_outputs,), int32
    has_converged : ndarray of shape (n_outputs,), bool
    """

    coef: np.ndarray
    n_iter: np.ndarray
    has_converged: np.ndarray


def solve_lsqr(A, B, alphas, *, tol, max_iter, stop_by_gradient=False):
    """Minimise |A x - b|^2 + alpha |x|^2 for each column b of B.

    From zero it goes to the solution of minimum norm. All outputs share the products.

    Parameters
    ----------
    A : CentredDesign

    B : ndarray of shape (n_rows, n_outputs)

    alphas : ndarray of shape (n_outputs,)
        Not negative.

    tol : float
        The two tolerances of Paige and Saunders: it stops where
        |r| <= tol (|b| + |A| |x|) or |A'r - alpha x| <= tol |A| |r|.

    max_iter : int

    stop_by_gradient : bool, default=False
        Whether to stop where |A'r - alpha x| <= tol |A'b| instead.

    Returns
    -------
    solution : LsqrSolution
    """
    n_outputs = B.shape[1]
    coef = np.zeros((A.n_columns, n_outputs))
    n_iter = np.zeros(n_outputs, dtype=np.int32)
    has_converged = np.zeros(n_outputs, dtype=bool)
    state = _Bidiagonalisation(A, B, np.sqrt(alphas))
    # Where A'b = 0 the solution is zero.
    state.keep(state.alpha > 0)
    has_converged[:] = True
    has_converged[state.outputs] = False
    for iteration in range(1, max_iter + 1):
        if len(state.outputs) == 0:
            break
        state.advance()
        n_iter[state.outputs] = iteration
        is_done = state.is_exact() | (
            state.has_small_gradient(tol) if stop_by_gradient else state.is_solved(tol)
        )
        if is_done.any():
            finished = state.outputs[is_done]
            coef[:, finished] = state.x[:, is_done]
            has_converged[finished] = True
            state.keep(~is_done)
    coef[:, state.outputs] = state.x
    return LsqrSolution(coef, n_iter, has_converged)


class _Bidiagonalisation:
    """The state of Golub and Kahan's process, a column an output still at work.

    Names are those of the paper, section 4 and 5.
    """

    def __init__(self, A, B, damp):
        self.A = A
        self.outputs = np.arange(B.shape[1])
        self.damp = damp
        self.beta, self.u = _normalise(B)
        self.alpha, self.v = _normalise(A.t_dot(self.u))
        self.w = self.v.copy()
        self.x = np.zeros_like(self.v)
        self.rho_bar = self.alpha.copy()
        self.phi_bar = self.beta.copy()
        self.b_norm = self.beta.copy()
        self.start = self.alpha * self.beta
        self.a_norm_squared = np.zeros_like(damp)
        self.damped_residual = np.zeros_like(damp)
        self.r_norm = self.beta.copy()
        self.gradient = self.start.copy()

    def keep(self, mask):
        """Drop the outputs out of the mask."""
        for name in ("outputs", "damp", "beta", "alpha", "rho_bar", "phi_bar"):
            setattr(self, name, getattr(self, name)[mask])
        for name in ("b_norm", "start", "a_norm_squared", "damped_residual"):
            setattr(self, name, getattr(self, name)[mask])
        for name in ("r_norm", "gradient"):
            setattr(self, name, getattr(self, name)[mask])
        for name in ("u", "v", "w", "x"):
            setattr(self, name, np.ascontiguousarray(getattr(self, name)[:, mask]))

    def advance(self):
        """One more step of the process and of the solution."""
        alpha, damp = self.alpha, self.damp
        self.beta, self.u = _normalise(self.A.dot(self.v) - alpha * self.u)
        self.a_norm_squared += alpha**2 + self.beta**2 + damp**2
        self.alpha, self.v = _normalise(self.A.t_dot(self.u) - self.beta * self.v)
        # A rotation takes the damping away, a second one beta.
        rho_damped = np.hypot(self.rho_bar, damp)
        psi = damp / rho_damped * self.phi_bar
        phi_bar = self.rho_bar / rho_damped * self.phi_bar
        rho = np.hypot(rho_damped, self.beta)
        c, s = rho_damped / rho, self.beta / rho
        theta = s * self.alpha
        self.rho_bar = -c * self.alpha
        phi = c * phi_bar
        self.phi_bar = s * phi_bar
        self.x += phi / rho * self.w
        self.w = self.v - theta / rho * self.w
        self.damped_residual += psi**2
        self.r_norm = np.sqrt(self.phi_bar**2 + self.damped_residual)
        self.gradient = self.alpha * np.abs(s * phi)

    def is_solved(self, tol):
        """The first two rules of section 6."""
        a_norm = np.sqrt(self.a_norm_squared)
        x_norm = np.sqrt(np.einsum("ij,ij->j", self.x, self.x))
        fits = self.r_norm <= tol * (self.b_norm + a_norm * x_norm)
        return fits | (self.gradient <= tol * a_norm * self.r_norm)

    def is_exact(self):
        """Whether rounding allows no further progress."""
        return self.is_solved(EPS) | (self.alpha == 0)

    def has_small_gradient(self, tol):
        return self.gradient <= tol * self.start


def _normalise(vectors):
    """The norms of the columns, and the columns over their norms."""
    norms = np.sqrt(np.einsum("ij,ij->j", vectors, vectors))
    return norms, vectors / np.where(norms > 0, norms, 1.0)
