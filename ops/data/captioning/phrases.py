"""What training says of a sample besides its caption: how good it looks, by rules of the recipe.

Scores are told to the model in words, so that a prompt can ask for what scores high. The loader of Open-Sora Plan v1.3
adds one of ten sentences to a caption of high or of low aesthetics, before it or after it; its report describes one
fixed beginning. Both are rules of `denoiser.caption_phrases`.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Sequence

from ops.catalogue import Kind
from ops.config import CaptionPhrase, Denoiser
from ops.data.columns import SAMPLE_SCORES, Sample

GENERIC = "The {kind} showcases a scene with coherent and clear visuals."
"""What the trainer of v1.3's controller for images says of a sample in the place of its caption, now and then."""


def generic(kind: Kind) -> str:
    """That of a video or of an image."""
    return GENERIC.replace("{kind}", kind)


def wordings(sample: Sample, denoiser: Denoiser) -> tuple[str, ...]:
    """All that training may call a sample: its caption, or, where a rule holds for it, at most `phrase_draws` different
    wordings of caption and phrase, the same each time."""
    rule = _rule_of(sample, denoiser.caption_phrases)
    if rule is None:
        return (sample["caption"],)
    every = _with_phrases(sample, rule)
    chosen = random.Random(f"phrases:{sample['sample_id']}")
    return tuple(chosen.sample(every, min(denoiser.phrase_draws, len(every))))


def all_wordings(samples: Iterable[Sample], denoiser: Denoiser) -> set[str]:
    """Everything that training on these may say, and every plain caption: held-out samples are judged by theirs."""
    return {said for sample in samples for said in (sample["caption"], *wordings(sample, denoiser))}


def _rule_of(sample: Sample, rules: Sequence[CaptionPhrase]) -> CaptionPhrase | None:
    for rule in rules:
        value, scorer = sample.get(rule.score), sample.get(SAMPLE_SCORES[rule.score])
        if not isinstance(value, float) or scorer != rule.scorer:
            continue
        if (rule.minimum is None or value >= rule.minimum) and (rule.maximum is None or value <= rule.maximum):
            return rule
    return None


def _with_phrases(sample: Sample, rule: CaptionPhrase) -> list[str]:
    phrases = [phrase.replace("{kind}", sample["kind"]) for phrase in rule.phrases]
    before = [f"{phrase} {sample['caption']}" for phrase in phrases]
    after = [f"{sample['caption']} {phrase}" for phrase in phrases] if rule.place == "either" else []
    return list(dict.fromkeys([*before, *after]))
