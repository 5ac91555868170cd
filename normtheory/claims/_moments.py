"""Stationary second moments of a linear recursion with fresh noise, solved in sympy."""

from __future__ import annotations

from typing import Any

import sympy as sp


def stationary(step: Any, push: Any, size: Any) -> sp.Matrix:
    """The matrix of second moments that a step leaves as it is.

    The state x' = M x + N g is a list of vectors in R^d, here z and its momentum; g has mean zero
    given the past, so that E x'x'ᵀ = M E xxᵀ Mᵀ + N Nᵀ E‖g‖² whatever else its law is.

    Args:
        step: M, shape (m, m).
        push: N, shape (m,).
        size: E‖g‖².

    Returns:
        E x_i·x_j, shape (m, m).
    """
    step, push = sp.Matrix(step), sp.Matrix(push)
    m = step.shape[0]
    moments = sp.Matrix(m, m, lambda i, j: sp.Symbol(f"E{min(i, j)}{max(i, j)}"))
    unknown = sorted(moments.free_symbols, key=str)
    balance = step * moments * step.T + push * push.T * size - moments
    solution = sp.solve([balance[i, j] for i in range(m) for j in range(i, m)], unknown, dict=True)
    return moments.subs(solution[0]).applyfunc(sp.factor)


def later(step: Any, moments: sp.Matrix, steps: int) -> Any:
    """E x_0·x_0 after so many steps, over E x_0·x_0 now."""
    return sp.factor((sp.Matrix(step) ** steps * moments)[0, 0] / moments[0, 0])
