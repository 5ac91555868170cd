"""Numerators of rational expressions, in sympy's arithmetic of sparse polynomials.

The same as putting an expression over its denominators and expanding it, ten times as fast: a
polynomial is a dictionary of exponents, where an expanded expression is a tree to be sorted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import sympy as sp
from sympy.polys.orderings import lex
from sympy.polys.rings import PolyRing

#: A numerator, and the factors of its denominator with their powers.
_Quotient = tuple[Any, Counter[Any]]


def numerator(expression: Any, roots: Mapping[Any, Any]) -> sp.Expr | None:
    """Numerator of an expression modulo root² = square.

    Args:
        expression: Of symbols, rational numbers, and powers of a symbol or of e with any exponent
            that has no root.
        roots: Symbols and their squares, rational expressions.

    Returns:
        0 exactly if the expression is 0; None if it is none of these.
    """
    try:
        powers = _powers(expression, roots)
        expression = expression.xreplace(powers)
        symbols = set().union(*(e.free_symbols for e in (expression, *roots.values())), roots)
        field = _Quotients(sorted(symbols, key=lambda symbol: symbol.sort_key()))
        top = field.of(expression)[0]
        for root, squared in roots.items():
            top = field.reduced(top, root, *field.of(squared))
    except _NotRationalError:
        return None
    back = {name: power for power, name in powers.items() if name.is_Symbol}
    return top.as_expr().xreplace(back)


def _powers(expression: Any, roots: Mapping[Any, Any]) -> dict[Any, Any]:
    """What powers with symbols in their exponents are, each term of an exponent with its own name.

    ρ^(2p−1) is (ρ^p)²/ρ, and ρ^p no algebraic function of ρ and p; likewise for e^x.
    """
    names: dict[Any, Any] = {}
    found: dict[Any, Any] = {}
    for power in expression.atoms(sp.Pow, sp.exp):
        base, exponent = power.as_base_exp()
        if exponent.is_Integer:
            continue
        if not (base.is_Symbol or base is sp.E) or exponent.has(*roots):
            raise _NotRationalError
        value = sp.S.One
        for term in sp.Add.make_args(sp.expand(exponent)):
            count, rest = term.as_coeff_Mul()
            if not count.is_Integer:
                raise _NotRationalError
            if rest is not sp.S.One:
                names[base**rest] = names.get(base**rest, sp.Dummy(positive=True))
                value *= names[base**rest] ** count
            else:
                value *= base**count
        found[power] = value
    return found | names


class _NotRationalError(Exception):
    """An expression with more in it than symbols, rational numbers, sums, products and powers."""


class _Quotients:
    """Expressions as quotients; what occurs in them more than once is computed once."""

    def __init__(self, symbols: list[Any]) -> None:
        self.ring = PolyRing(symbols, sp.QQ, lex)
        self.place = {symbol: k for k, symbol in enumerate(symbols)}
        self.known: dict[Any, _Quotient] = {}

    def of(self, expression: Any) -> _Quotient:
        """An expression's numerator and denominator."""
        if expression not in self.known:
            self.known[expression] = self._of(expression)
        return self.known[expression]

    def _of(self, e: Any) -> _Quotient:
        if e.is_Symbol:
            return self.ring.gens[self.place[e]], Counter()
        if e.is_Rational:
            return self.ring(sp.QQ(e.p, e.q)), Counter()
        if e.is_Add:
            return self._sum([self.of(part) for part in e.args])
        if e.is_Mul:
            return self._product([self.of(part) for part in e.args])
        if e.is_Pow and e.exp.is_Integer:
            top, bottom = self.of(e.base)
            if e.exp < 0:
                top, bottom = self._inverse(top, bottom)
            power = abs(int(e.exp))
            return top**power, Counter({factor: k * power for factor, k in bottom.items()})
        raise _NotRationalError

    def _sum(self, parts: list[_Quotient]) -> _Quotient:
        common: Counter[Any] = Counter()
        for _, bottom in parts:
            common |= bottom
        total = self.ring.zero
        for top, bottom in parts:
            total = total + self._times(top, common - bottom)
        return total, common

    def _product(self, parts: list[_Quotient]) -> _Quotient:
        total, below = self.ring.one, Counter()
        for top, bottom in parts:
            total, below = total * top, below + bottom
        for factor in [f for f in below if f.is_generator]:
            k = self.ring.index(factor)
            power = min(below[factor], min((m[k] for m in total), default=0))
            if power:
                total, below = self._lowered(total, k, power), below - Counter({factor: power})
        return total, below

    def _inverse(self, top: Any, bottom: Counter[Any]) -> _Quotient:
        if not top:
            raise ZeroDivisionError("expected no expression over 0")
        scale, powers = top.LC, top.LM
        if len(top) == 1:
            factors = {self.ring.gens[k]: power for k, power in enumerate(powers) if power}
        else:
            factors = {top.mul_ground(1 / scale): 1}
        return self._times(self.ring(1 / scale), bottom), Counter(factors)

    def _times(self, top: Any, factors: Counter[Any]) -> Any:
        for factor, power in factors.items():
            top = top * factor**power
        return top

    def _lowered(self, top: Any, k: int, power: int) -> Any:
        """Divided by a power of symbol k, which all terms have."""
        return self.ring.from_dict({(*m[:k], m[k] - power, *m[k + 1 :]): c for m, c in top.terms()})

    def reduced(self, top: Any, root: Any, square: Any, below: Counter[Any]) -> Any:
        """A numerator in which root² is square/below and the root has no power above 1."""
        k = self.place[root]
        parts: dict[int, dict[Any, Any]] = {}
        for m, c in top.terms():
            single = (*m[:k], m[k] % 2, *m[k + 1 :])
            parts.setdefault(m[k] // 2, {})[single] = c
        if not parts:
            return top
        most = max(parts)  # all goes over this power of the square's denominator
        total = self.ring.zero
        for power, terms in parts.items():
            part = self.ring.from_dict(terms) * square**power
            rest = Counter({factor: n * (most - power) for factor, n in below.items()})
            total = total + self._times(part, rest)
        return total
