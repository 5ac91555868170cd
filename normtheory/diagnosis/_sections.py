"""The report in parts that text and HTML both render: lines with their sources, tables, notes."""

from __future__ import annotations

from collections.abc import Sequence

from normtheory._text import shown
from normtheory.diagnosis._comparisons import beside
from normtheory.diagnosis._correlation import RESAMPLES
from normtheory.diagnosis._findings import Findings
from normtheory.diagnosis._parts import WIDEST, Section, Table, lines_of, number

_SHOWN = 12

FREE = (
    "As free embeddings: an encoder moves embeddings through shared weights, so their motion need "
    "not be orthogonal to them and their norms can change either way. (Norm growth and equilibrium "
    "do hold for its weight matrices, if it has no biases.) Read these numbers as a comparison "
    "between norms, not as a forecast."
)

_NO_FORECAST = "As free embeddings: a comparison between norms, and no forecast for an encoder."

_RESAMPLED = f"Intervals take the samples as independent draws (95 %, {RESAMPLES} resamples)."
_OTHER_CLASSES = (
    "Intervals of correlations are for other classes, since samples of a class are no independent "
    "draws: each is left out once (95 %, jackknife). Those of accuracies take them as independent."
)


def sections(report: Findings) -> list[Section]:
    """All parts that there is something to say in."""
    return [
        _suggestions(report),
        Section("norms", "Norms", lines_of(report.norms), []),
        _turning(report),
        _neighbours(report),
        *_classes(report),
        *_views(report),
        *beside(report),
        Section("directions", "Directions", lines_of(report.directions), []),
        _unexpected(report),
        *_for_free(report),
    ]


def _turning(report: Findings) -> Section:
    turning, options = report.turning, report.options
    notes, footnotes = [], []
    if options.adaptive and options.learning_rate is not None:
        notes.append(_NO_FORECAST)
        footnotes += [
            FREE,
            f"{options.optimizer} divides by the size of the gradient: embeddings turn at the pace "
            "η/ρ, whatever the batch, its reduction and the temperature. No closed form of the "
            "steps of a pair is known.",
        ]
    elif options.adaptive:
        notes.append("Paces: give learning_rate; with weight_decay, the equilibrium.")
    elif turning.pair_rate is not None:
        notes.append(_NO_FORECAST)
        footnotes.append(FREE)
    elif options.learning_rate is not None:
        notes.append(
            "The effective rate is η ρ^(p-2), that of a sum loss; a mean over n pairs divides it "
            "by n. Steps and equilibrium: give batch_size and reduction."
        )
    else:
        notes.append(
            "Effective rates and steps: give learning_rate, batch_size and reduction "
            "(for a loss with a temperature τ, that too, or learning_rate / τ)."
        )
    if turning.pair_rate is not None and turning.steps_from_right_angle is None:
        notes.append(
            "No steps: where x_i + x_j > (1-√α)² momentum alone sets the pace, √α a step (claim "
            "optimizers)."
        )
    if turning.equilibrium_norm is not None and options.optimizer == "sgd":
        footnotes.append(
            "The equilibrium is that of an embedding pulled in every step by a fresh random "
            "partner, E[sin²φ] = (d-1)/d; pulled in a share q of the steps it is q^(1/(4-2p)) of "
            "that. An optimizer decays by ηλ, while a mean over n pairs pulls with η/n."
        )
    elif turning.equilibrium_norm is not None:
        footnotes.append(
            f"The equilibrium is that of {options.optimizer}, for an embedding with a fresh "
            "gradient in every step."
        )
    if turning.equilibrium_note:
        notes.append(f"Equilibrium: {turning.equilibrium_note}.")
    return Section("turning", "Speed of turning", lines_of(turning), [], notes, footnotes)


def _neighbours(report: Findings) -> Section:
    found = report.neighbours
    tables, notes = [], []
    if found.buckets:
        rows = [
            (
                f"{number(b.low)} to {number(b.high)}",
                str(b.n),
                f"{b.accuracy:.3f}",
                f"[{b.accuracy_low:.3f}, {b.accuracy_high:.3f}]",
            )
            for b in found.buckets
        ]
        header = ("norm", "n", "accuracy", "95 % interval")
        tables.append(
            Table("kNN accuracy by norm", header, rows, "buckets of equal size; Wilson 1927")
        )
    if found.norm_and_accuracy is not None and found.norm_and_accuracy.low is not None:
        notes.append(
            {
                1: "Larger norms are classified better here, as for a norm that tells confidence.",
                -1: "Larger norms are classified worse here: the norm does not tell confidence.",
                0: "No relation of norm and accuracy shows here: the interval holds 0.",
            }[found.norm_and_accuracy.sign]
        )
    if found.sample < report.n:
        notes.append(
            f"Done on {found.sample} of {report.n} embeddings, drawn with seed "
            f"{report.options.seed}."
        )
    footnotes = [_RESAMPLED if report.classes is None else _OTHER_CLASSES]
    return Section("neighbours", "Neighbours", lines_of(found), tables, notes, footnotes)


def _classes(report: Findings) -> list[Section]:
    if report.classes is None:
        return []
    rows = [
        (
            shown(row.label, WIDEST),
            str(row.n),
            number(row.median),
            f"{number(row.low)} to {number(row.high)}",
        )
        for row in report.classes.by_norm
    ]
    notes = []
    footnotes = ["Sizes are those of this file; the theory speaks of frequencies in training."]
    if len(rows) > 2 * _SHOWN:
        notes.append(f"Of {report.classes.count} classes the first and last {_SHOWN} are shown.")
        rows = [*rows[:_SHOWN], *rows[-_SHOWN:]]
    if report.classes.left_out:
        notes.append(
            f"The diagnosis and its JSON list {len(report.classes.by_norm)}, half of them from "
            f"each end, and leave out {report.classes.left_out}."
        )
    if report.classes.count > report.options.sample:
        notes.append(
            f"The correlation is over {report.classes.frequency_and_norm.n} classes, drawn with "
            f"seed {report.options.seed}."
        )
    header = ("class", "n", "median norm", "middle half")
    table = Table("Norms by class, smallest first", header, rows, "percentiles of ρ")
    return [Section("classes", "Classes", lines_of(report.classes), [table], notes, footnotes)]


def _views(report: Findings) -> list[Section]:
    if report.views is None:
        return []
    rows = [
        (f"{number(row.low)} to {number(row.high)}", str(row.n), f"{row.cosine:.4f}")
        for row in report.views.by_norm
    ]
    header = ("norm", "n", "mean cosine")
    table = Table("Agreement by norm of the first view", header, rows, "buckets of equal size")
    return [Section("views", "Two views", lines_of(report.views), [table])]


def _unexpected(report: Findings) -> Section:
    found = report.unexpected
    header: tuple[str, ...] = ("row", "norm")
    columns: list[Sequence[str]] = [
        [str(row) for row in found.rows],
        [number(norm) for norm in found.norms],
    ]
    if found.labels is not None:
        header, columns = (*header, "class"), [*columns, [shown(x, WIDEST) for x in found.labels]]
    table = Table(
        "The smallest norms",
        header,
        list(zip(*columns, strict=True)),
        "norms grow with the number and consistency of updates; claim quartic_growth",
    )
    note = (
        "A small norm marks what training met rarely or inconsistently, if nothing else in the "
        "encoder sets the norm (such as the length of a pooled text)."
    )
    return Section("unexpected", "Most unexpected samples", [], [table], footnotes=[note])


_SPEEDS = ("target_slowdown", "gradscale", "gradscale_rate_factor")


def _suggestions(report: Findings) -> Section:
    """What can be done about an encoder."""
    advice, power = report.advice, report.options.gradscale
    notes, footnotes = [], []
    if report.options.adaptive:
        notes.append(
            "No cut factor and no GradScale: of effective rates both speak, and under "
            f"{report.options.optimizer} embeddings turn at the pace η/ρ."
        )
        footnotes.append(
            "As free embeddings: dividing them by c does what a rate c times as large with the "
            "decay divided by c does (Adam with L2: by c²)."
        )
    elif advice.gradscale == power:
        notes.append("The power of GradScale in use suits the spread.")
    elif advice.gradscale == 0:
        notes.append("The spread needs no GradScale.")
    else:
        notes.append(
            f"GradScale with p = {advice.gradscale:.2f}, z = nt.grad_scale(z, "
            f"{advice.gradscale:.2f}) in JAX or PyTorch, brings the slowdown of the largest decile "
            f"to {advice.target_slowdown:g}; the factor for the learning rate keeps the median "
            "embedding at its speed, so that powers compare fairly."
        )
    if advice.cut_factor is None and not report.options.adaptive:
        why = "p = 2 is blind to the norm" if power == 2 else "it needs learning_rate, batch_size "
        notes.append(f"No cut factor: {why}{'' if power == 2 else 'and reduction'}.")
    elif advice.cut_factor == 1:
        notes.append("No cut: the median is as fast as the target already.")
    elif advice.cut_factor is not None:
        notes.append(
            "The median is slower than the target: try larger learning rates first. A cut concerns "
            "the start of training: diagnose the untrained encoder with these options, and divide "
            "the weights of its last layer by the factor c found there, nt.cut_init(model, c, "
            'part="last") in JAX or PyTorch.'
        )
    names = () if report.options.adaptive else _SPEEDS
    return Section("advice", "Suggestions", lines_of(report.advice, names), [], notes, footnotes)


def _for_free(report: Findings) -> list[Section]:
    """What would do the same to embeddings that are trained themselves: no advice for others."""
    if report.advice.cut_factor is None:
        return []
    names = ("target_rate", "cut_factor", "same_as_learning_rate", "same_as_weight_decay")
    notes = [
        "Of embeddings that are trained themselves, such as those of words or items. For an "
        "encoder c is no factor for weights, and its learning rate none to be multiplied like this."
    ]
    footnotes = [
        "As free embeddings, cutting is the same as tuning the learning rate: dividing them by c "
        "does what a rate c^(2-p) times as large with the decay divided by it does (SGD, "
        "momentum).",
        "A bias-free ReLU network of L layers shrinks its output by c where each weight matrix is "
        "divided by c^(1/L), or the last alone by c; nt.cut_init(model, c) divides all by c, and "
        "so the output by c^L.",
    ]
    title = "The target for free embeddings"
    return [Section("cut", title, lines_of(report.advice, names), [], notes, footnotes)]
