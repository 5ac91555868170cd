"""A diagnosis in about five lines: what was found, and what to do."""

from __future__ import annotations

from normtheory.diagnosis._alarms import STABLE, collapsed, normalised, rates
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import number


def summarise(report: Findings) -> tuple[str, ...]:
    """The lines; what a warning says already is none of them."""
    found = {
        "Norms": "" if normalised(report) else _norms(report),
        "Learning rate": "" if rates(report) else _rate(report),
        "Meaning": _meaning(report),
        "Directions": "" if collapsed(report) else _directions(report),
        "To do": "; ".join(_actions(report)),
    }
    return tuple(f"{name}: {said}" for name, said in found.items() if said)


def _norms(report: Findings) -> str:
    slowdown = report.turning.slowdown
    enough = " at most" if slowdown <= report.advice.target_slowdown else ""
    return (
        f"a factor of {report.norms.range_ratio:.3g} from the 5th to the 95th percentile; the "
        f"largest tenth turns{enough} {slowdown:.1f} times slower than the smallest"
    )


def _rate(report: Findings) -> str:
    rate = report.turning.effective_rates
    if report.turning.pair_rate is None or rate is None:
        return ""
    slow = report.advice.cut_factor is not None and report.advice.cut_factor > 1
    verdict = "below the target of" if slow else "not below the target of"
    return (
        f"effective rate {number(rate['50'])} at the median norm, {verdict} "
        f"{report.advice.target_rate:g}"
    )


def _meaning(report: Findings) -> str:
    if report.proxy is not None and report.proxy.verdict is not None:
        return report.proxy.verdict.sentence
    found = report.neighbours.norm_and_accuracy
    if found is None:
        return "unknown; labels, or a target, would tell whether norms say anything of the samples"
    if found.low is None:
        return f"can't tell whether norms go with right neighbours: {found.why_not}"
    return {
        1: "larger norms are classified better, as for a norm that tells confidence",
        -1: "larger norms are classified worse: the norm does not tell confidence",
        0: "no relation of norms and right neighbours shows",
    }[found.sign]


def _directions(report: Findings) -> str:
    found = report.directions
    return (
        f"not collapsed: they vary in {found.participation:.0f} of {found.possible} dimensions, "
        f"around a mean of length {found.resultant:.2f}"
    )


def _actions(report: Findings) -> list[str]:
    """What an encoder's user can do, the first thing first."""
    if normalised(report):
        return ["save the embeddings before they are normalised, and ask again"]
    if collapsed(report):
        return ["mend the collapse first: it is not the norms that are wrong"]
    advice, turning, options = report.advice, report.turning, report.options
    said = []
    if turning.effective_rates and turning.pair_rate and turning.effective_rates["5"] >= STABLE:
        said.append("try smaller learning rates")
    elif advice.cut_factor is not None and advice.cut_factor > 1:
        said.append("try larger learning rates")
    if options.adaptive:
        said.append(f"nothing is known to even out speeds under {options.optimizer}")
    elif advice.gradscale > options.gradscale:
        said.append(f"GradScale with p = {advice.gradscale:.2f} would even out the speeds")
    elif advice.gradscale < options.gradscale:
        said.append(f"a GradScale of p = {advice.gradscale:.2f} would do")
    if not said:
        said.append("nothing about the norms")
    if turning.pair_rate is None and not options.adaptive:
        said.append("give learning_rate, batch_size and reduction to judge their level too")
    return said
