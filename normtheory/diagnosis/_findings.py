"""What a diagnosis is made of: data that the warnings, the text and the page are written from."""

from __future__ import annotations

from dataclasses import dataclass

from normtheory.diagnosis._advice import Advice
from normtheory.diagnosis._change import ChangeSummary
from normtheory.diagnosis._classes import ClassSummary
from normtheory.diagnosis._directions import DirectionSummary
from normtheory.diagnosis._neighbours import NeighbourSummary
from normtheory.diagnosis._norms import NormSummary, Unexpected
from normtheory.diagnosis._options import Options
from normtheory.diagnosis._popularity import Popularity
from normtheory.diagnosis._proxy import ProxySummary
from normtheory.diagnosis._retrieval import RetrievalSummary
from normtheory.diagnosis._tokens import TokenSummary
from normtheory.diagnosis._turning import Turning
from normtheory.diagnosis._views import ViewSummary


@dataclass(frozen=True)
class Findings:
    """What was found; :class:`normtheory.Diagnosis`, which is these, says what each is."""

    n: int
    dimension: int
    dtype: str
    dropped: tuple[int, ...]
    options: Options
    norms: NormSummary
    turning: Turning
    neighbours: NeighbourSummary
    classes: ClassSummary | None
    views: ViewSummary | None
    directions: DirectionSummary
    unexpected: Unexpected
    advice: Advice
    retrieval: RetrievalSummary
    proxy: ProxySummary | None = None
    popularity: Popularity | None = None
    change: ChangeSummary | None = None
    tokens: TokenSummary | None = None
    warnings: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def headline(self) -> str:
        """What was looked at, in a line."""
        return (
            f"normtheory diagnosis: {self.n} embeddings, {self.dimension} dimensions, {self.dtype}"
        )
