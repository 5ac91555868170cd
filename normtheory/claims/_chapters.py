"""The chapters of the theory: where each begins, and what it asks, finds and leads to."""

from __future__ import annotations

from typing import NamedTuple


class Chapter(NamedTuple):
    """A run of claims.

    Attributes:
        name: Its heading.
        introduction: The question it answers, what its claims together establish, and how it leads
            to the next, in Markdown.
    """

    name: str
    introduction: str


#: By the item that each begins with.
CHAPTERS = {
    1: Chapter(
        "Gradients",
        "How does the length of an embedding enter the gradient of a loss that sees directions "
        "alone? Always in the same way: the gradient lies across the embedding and falls as one "
        "over its norm, and curvature as one over the square. The other claims say what is left "
        "once the norm is taken out, for the cosine of a pair, InfoNCE, CLIP, NT-Xent and the "
        "decoupled loss: pulls, and the probabilities that they carry. A gradient across the "
        "embedding is what makes norms grow, which is the next chapter.",
    ),
    5: Chapter(
        "Growth of norms",
        "What becomes of norms, if the loss does not see them? Every step of SGD, with momentum "
        "too, goes across the embedding and so lengthens it, the fourth power in proportion to the "
        "number of updates, until weight decay balances the growth at one norm. The last claim "
        "says how much of that holds in a network: it does for the last layer's weights, and need "
        "not for the embeddings. Norms being what they are, the next chapter asks what they cost.",
    ),
    9: Chapter(
        "Convergence of a pair",
        "How many steps does it take two embeddings to agree? One step is an exact map of their "
        "angle and their two norms, and from that map follow which rates are stable, how much a "
        "step gains, and that steps grow with the square of the norm but only with the logarithm "
        "of the distance from the antipode. The scale theorem carries this over to any loss and "
        "optimizer: a scale of the start is a rate in disguise. The next chapter judges remedies "
        "by that measure.",
    ),
    13: Chapter(
        "Interventions and momentum",
        "Does it help to rescale gradients, to start from smaller weights, or to add momentum? "
        "GradScale changes the power of the norm in the number of steps and takes it away at "
        "p = 2; cut-initialisation is exactly another learning rate and decay; momentum speeds a "
        "pair up only while its effective rate is tiny. So an intervention is to be compared with "
        "a rate that is tuned as well. Steps were counted for pairs so far; the next chapter "
        "asks which clouds move like one.",
    ),
    16: Chapter(
        "Symmetric clouds",
        "When do many points behave like a single pair? A cloud whose cosines are all equal stays "
        "such a cloud and moves as a pair does, so that its whole way from collapse to the simplex "
        "has a closed form for the usual losses, and again takes steps in proportion to the "
        "squared norm. With the end of that way known, the next chapter asks what a temperature "
        "and a second modality change about it.",
    ),
    18: Chapter(
        "Modality gap and temperature",
        "Why do two modalities stay apart, and what sets the best temperature? While CLIP learns "
        "its scale, the gap closes only as a power of it, a smaller one for long embeddings; "
        "partners that are not aligned put a floor under the loss that is reached with a gap "
        "alone; and partners that are wrong leave one best scale, which tells how many of them "
        "there are. The law of the gap is for SGD, whose equilibria the next chapter sets beside "
        "those of other optimizers.",
    ),
    21: Chapter(
        "Equilibria by optimizer",
        "Which norm do embeddings settle at under weight decay, and what can be read from it? Each "
        "of momentum, AdamW, Adam with L2 and Lion has an equilibrium of its own in closed form; "
        "how strongly it tells how often a sample is seen, or how hard it is, depends on the "
        "optimizer. A steady pull along the embedding, as encoders have it, shifts it. These laws "
        "are of one embedding among fresh pulls; the last chapter is about what many points keep "
        "together.",
    ),
    26: Chapter(
        "Exact laws of many points",
        "What do many points obey together, however they are arranged? From rest a cloud under SGD "
        "never turns as a whole, points that are pulled to one vector keep the cross-ratios of "
        "their chords, and the outputs of a linear layer with white inputs grow in the mean as "
        "free embeddings do. Each is a sharp test of a training loop, and where it fails, it names "
        "what is missing from the theory of [gradients](gradients.md) that the book began with.",
    ),
}
