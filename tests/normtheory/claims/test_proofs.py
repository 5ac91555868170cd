"""The sympy half of the claims: every residual is 0, every planted one is not."""

from __future__ import annotations

import itertools
import json
import pydoc
import re
import subprocess
import sys

import numpy as np
import pytest
import sympy as sp

from normtheory import claims
from normtheory.claims._chapters import CHAPTERS
from normtheory.claims._symbolic import (
    ArbitraryLoss,
    entries,
    gradient,
    reduce,
    square,
    vector,
)

NAMES = claims.list()

EXPECTED = {
    "inverse_norm_gradient",
    "hessian",
    "cosine_gradient",
    "info_nce_gradient",
    "clip_gradient",
    "nt_xent_gradient",
    "decoupled_gradient",
    "info_nce_bound",
    "high_temperature",
    "norm_growth",
    "norm_growth_momentum",
    "quartic_growth",
    "weight_decay",
    "encoder_drift",
    "step_map",
    "norm_equalising",
    "step_change",
    "stability",
    "norm_effect",
    "opposite_halves",
    "scale_theorem",
    "norm_budget",
    "gradscale",
    "cut_init",
    "optimizers",
    "equiangular",
    "simplex_steps",
    "modality_gap",
    "alignment_floor",
    "temperature",
    "radial_drift",
    "torque",
    "common_pull",
    "linear_encoder",
    "momentum_equilibrium",
    "adamw_equilibrium",
    "adam_equilibrium",
    "lion_equilibrium",
    "norm_and_frequency",
}


def test_the_theory_is_covered_in_its_order():
    assert set(NAMES) >= EXPECTED
    items = [[int(part) for part in claims.get(name).item.split(".")] for name in NAMES]
    assert items == sorted(items)


# Slow, because tests/normtheory/verify/test_verify.py runs the same proofs.
@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_residual_is_zero(name):
    residuals = claims.get(name).proof()
    assert residuals
    for key, value in residuals.items():
        found = entries(value)
        assert found, f"{key} proves nothing"
        assert all(e == 0 for e in found), f"{key}: {found}"


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_every_planted_residual_differs_from_zero(name):
    residuals = claims.get(name).planted_proof()
    assert residuals
    for key, value in residuals.items():
        assert any(e != 0 for e in entries(value)), f"{key} was not rejected"


@pytest.mark.parametrize("name", NAMES)
def test_a_claim_says_what_it_needs_to(name):
    claim = claims.get(name)
    assert claim.statement
    assert "$" not in claim.statement
    assert not re.search(r"\\qquad[A-Za-z]", claim.statement)  # TeX would read another name
    assert claim.assumptions
    assert claim.checks
    assert claim._repr_latex_() == f"$\\displaystyle {claim.statement}$"
    page = claim._repr_markdown_()
    assert claim.title in page
    assert all(assumption in page for assumption in claim.assumptions)
    for check in claim.checks:
        assert check.mistake
        assert check.reason
        assert check.formula is not check.planted


def test_a_claim_says_it_in_words_that_are_its_own():
    said = [(c.meaning, c.reason, c.consequence) for c in map(claims.get, NAMES)]
    sentences = [text for texts in said for text in texts]
    assert len(set(sentences)) == len(sentences) == 3 * len(NAMES)
    for text in sentences:
        assert text == " ".join(text.split())
        assert re.fullmatch(r"[A-Z$`].{20,398}[.]", text), text
        assert text.count("$") % 2 == 0, text
    named = re.findall(r"`([^`]+)`", " ".join(sentences))
    assert named
    assert all(callable(pydoc.locate(name)) for name in named), named


def test_a_claim_shows_its_meaning_before_its_formula_and_what_follows_last():
    claim = claims.get("norm_growth_momentum")
    page = claim._repr_markdown_()
    parts = (
        claim.title,
        claim.meaning,
        claim.statement,
        "; ".join(claim.assumptions),
        claim.conditions[0].counterexample,
        claim.reason,
        claim.consequence,
    )
    places = [page.index(part) for part in parts]
    assert places == sorted(places)
    assert page.endswith(claim.consequence)


def test_a_chapter_is_a_run_of_items():
    chapters = [claims.get(name).chapter for name in NAMES]
    every = [chapter.name for chapter in CHAPTERS.values()]
    assert [*dict.fromkeys(chapters)] == every
    assert [chapter for chapter, _ in itertools.groupby(chapters)] == every
    assert claims.get("encoder_drift").chapter == "Growth of norms"  # item 8, the last before 9
    assert claims.get("fixed_keys").chapter == "Convergence of a pair"  # 12.2


def test_a_chapter_is_introduced_by_a_question_in_a_few_sentences():
    for chapter in CHAPTERS.values():
        sentences = re.findall(r"[^.?!]+[.?!](?= |$)", chapter.introduction)
        assert 2 <= len(sentences) <= 4, chapter.name
        assert sentences[0].endswith("?"), chapter.name
    texts = {chapter.introduction for chapter in CHAPTERS.values()}
    assert len(texts) == len(CHAPTERS)


def test_an_unknown_claim_is_told_with_close_matches():
    with pytest.raises(
        ValueError, match=r"no claim is called 'norm_grwth'; did you mean norm_grow"
    ):
        claims.get("norm_grwth")
    with pytest.raises(ValueError, match=r"known: .*hessian"):
        claims.get("xyzzy")


def test_claims_load_without_jax():
    code = (
        "import sys, json; from normtheory import claims; claims.list(); "
        "print(json.dumps([m for m in sys.modules if m == 'jax' or m.endswith('.verify')]))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert json.loads(found.stdout) == []


def test_a_norm_symbol_knows_its_derivative():
    z = vector("z", 3)
    rho = sp.Symbol("rho", positive=True)
    roots = {rho: square(z)}
    assert entries(reduce(gradient(rho, z, roots) - z / rho, roots)) == [0, 0, 0]
    # The same through explicit square roots, which sympy differentiates by itself.
    explicit = sp.sqrt(square(z))
    direct = [sp.diff(z[0] / explicit, x) for x in z]
    ours = [e.subs(rho, explicit) for e in gradient(z[0] / rho, z, roots)]
    assert [sp.simplify(a - b) for a, b in zip(ours, direct, strict=True)] == [0, 0, 0]


def test_reduction_doesn_t_turn_a_wrong_identity_into_zero():
    z = vector("z", 2)
    rho = sp.Symbol("rho", positive=True)
    roots = {rho: square(z)}
    assert reduce(1 / rho**2 - 1 / square(z), roots) == 0
    assert reduce(rho - z[0], roots) != 0
    assert reduce(rho**3 - rho * square(z), roots) == 0


def test_an_arbitrary_loss_is_really_arbitrary():
    """Put a concrete ℓ into the general gradient and compare with plain differentiation."""
    loss = ArbitraryLoss.create(2)
    (z,), (u,), (rho,) = loss.points, loss.directions, loss.norms
    concrete = sp.exp(u[0]) * u[1] ** 3 + u[0]
    general = loss.gradient()
    here = [
        e.subs(loss.value, concrete).doit().subs(loss.definitions).subs(rho, sp.sqrt(square(z)))
        for e in general
    ]
    root = sp.sqrt(square(z))
    plain = concrete.subs(dict(zip(u, z / root, strict=True)))
    at = dict(zip(z, (sp.Rational(3, 7), sp.Rational(-5, 4)), strict=True))
    for ours, x in zip(here, z, strict=True):
        exact = sp.diff(plain, x).subs(at).evalf(30)
        assert abs(ours.subs(at).evalf(30) - exact) < 1e-25


def test_entries_flattens_everything():
    x = sp.Symbol("x")
    nested = {"a": [x, sp.Matrix([[1, x]])], "b": np.array([x, 0], dtype=object)}
    assert entries(nested) == [x, 1, x, x, 0]


# Rational expressions and others go different ways.
@pytest.mark.parametrize("factor", [sp.S.One, sp.exp(sp.Symbol("x", positive=True))])
def test_a_root_is_reduced_by_its_square_and_an_odd_one_is_left(factor):
    rho, x = sp.symbols("rho x", positive=True)
    roots = {rho: x + 1}
    assert reduce(factor * (rho**3 - rho * (x + 1)), roots) == 0
    assert reduce(factor * (rho**4 - (x + 1) ** 2), roots) == 0
    # ρ³ is no polynomial in x: one root stays.
    assert sp.expand(reduce(factor * rho**3, roots) - factor * rho * (x + 1)) == 0
