"""How a score was made, as one object: scores made differently refuse to be compared."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated

from pydantic import JsonValue, PlainSerializer, PlainValidator

from ops.runtime.files import Document, digest
from ops.runtime.flat import flat
from ops.statistics.bootstrap import Interval


class ProtocolMismatch(ValueError):
    """Two scores that answer different questions; the message names what differs."""


@dataclass(frozen=True)
class Protocol:
    """Everything that a score depends on besides the model: data, sampling, geometry and the metrics' own weights.

    `terms` holds JSON values, such as the hash of the prompt list, the seeds or the number of frames; `metrics`
    maps a metric to its version, `weights` a metric to the hash of its weights. Two protocols are the same exactly
    when every field is: `id` is the name with a digest of them all.
    """

    name: str
    terms: Document
    metrics: dict[str, str] = field(default_factory=dict)
    weights: dict[str, str] = field(default_factory=dict)

    @property
    def id(self) -> str:
        return f"{self.name}#{digest(asdict(self))[:12]}"

    def as_json(self) -> dict[str, JsonValue]:
        return {**asdict(self), "id": self.id}

    @classmethod
    def of_json(cls, value: Document) -> Protocol:
        return cls(**{key: value[key] for key in ("name", "terms", "metrics", "weights")})

    def _fields(self) -> dict[str, object]:
        return flat({"name": self.name, **self.terms, "metrics": self.metrics, "weights": self.weights})

    def differences(self, other: Protocol) -> list[str]:
        """One sentence for each field that is not the same, such as 'steps: 20 here, 50 there'."""
        mine, theirs = self._fields(), other._fields()
        return [
            f"{key}: {mine.get(key, 'absent')} here, {theirs.get(key, 'absent')} there"
            for key in sorted(mine.keys() | theirs.keys())
            if mine.get(key) != theirs.get(key)
        ]

    def require_same(self, other: Protocol) -> None:
        """Raises ProtocolMismatch unless the scores of both may stand side by side."""
        if differences := self.differences(other):
            raise ProtocolMismatch(f"{self.id} and {other.id} differ: {'; '.join(differences)}")


KeptProtocol = Annotated[
    Protocol,
    PlainValidator(lambda value: value if isinstance(value, Protocol) else Protocol.of_json(value)),
    PlainSerializer(lambda protocol: protocol.as_json()),
]
"""A protocol among the results of an artifact."""


@dataclass(frozen=True)
class Score:
    """One metric's value under one protocol; without a value, the reason why."""

    metric: str
    value: float | None
    protocol: Protocol
    higher_is_better: bool
    reason: str | None = None

    def as_json(self) -> dict[str, object]:
        return {**asdict(self), "protocol": self.protocol.as_json()}

    @classmethod
    def of_json(cls, value: Document) -> Score:
        return cls(**{**value, "protocol": Protocol.of_json(value["protocol"])})

    def loss_against(self, other: Score) -> float:
        """How much worse this is than `other`, relative to it: 0.1 is ten per cent worse, negative is better.

        Raises:
            ProtocolMismatch: for another metric or another protocol.
            ValueError: when either has no value.
        """
        if self.metric != other.metric:
            raise ProtocolMismatch(f"'{self.metric}' and '{other.metric}' are different metrics")
        self.protocol.require_same(other.protocol)
        mine, theirs = self._measured(), other._measured()
        worse = theirs - mine if self.higher_is_better else mine - theirs
        if worse == 0:
            return 0.0
        return worse / abs(theirs) if theirs else float("inf") * (1 if worse > 0 else -1)

    def _measured(self) -> float:
        if self.value is None:
            raise ValueError(f"{self.metric} has no value: {self.reason}")
        return self.value


KeptScore = Annotated[
    Score,
    PlainValidator(lambda value: value if isinstance(value, Score) else Score.of_json(value)),
    PlainSerializer(lambda score: score.as_json()),
]
"""A score among the results of an artifact."""


@dataclass(frozen=True)
class MeasuredScore:
    """A metric's score of a set of videos, with its 95 % interval over them."""

    metric: str
    interval: Interval
    protocol: Protocol
    higher_is_better: bool


@dataclass(frozen=True)
class Judged:
    """What an asset of scores says of the videos of one checkpoint: of all together, and `values` of each, by its file
    and the metric's name."""

    scores: tuple[MeasuredScore, ...]
    values: Mapping[str, Mapping[str, float]]
