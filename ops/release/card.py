"""The model card: what a released version is, in Markdown."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from ops.evaluation.protocol import Score
from ops.release.gate import Verdict
from ops.release.registry import Version
from ops.release.trace import Adoption, Source, Trace
from ops.runtime.licences import UNKNOWN
from ops.weights import entry
from ops.weights.registry import ENTRIES

FILE = "model_card.md"
SOURCES_LISTED = 20


def card(version: Version, trace: Trace, verdict: Verdict, promoted: bool) -> str:
    """The whole card; it says what is unknown rather than leaving it out."""
    sections = (
        _head(version, trace, promoted, verdict),
        _use(version),
        _scores(version),
        _trainings(trace),
        _data(trace),
        _licences(version, trace),
        _parts(version),
        _limits(version, trace),
    )
    return "\n\n".join(sections) + "\n"


def _head(version: Version, trace: Trace, promoted: bool, verdict: Verdict) -> str:
    made = datetime.fromtimestamp(version.created_at / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")
    outcome = "became champion" if promoted else "stayed candidate"
    reasons = "\n".join(f"- {reason}" for reason in verdict.reasons)
    return (
        f"# {version.model}, version {version.number}\n\n"
        f"A text-to-video diffusion model, made by soraflow with preset `{trace.settings['name']}` and registered on "
        f"{made}. It {outcome}:\n\n{reasons}"
    )


def _use(version: Version) -> str:
    here = f'```\nsoraflow generate "a prompt" --checkpoint {version.number}\n```'
    place = f"models:/{version.model}/{version.number}"
    elsewhere = f'```\nmlflow.pyfunc.load_model("{place}").predict(["a prompt"])\n```'
    return (
        f"## Use\n\nIn the project that made it:\n\n{here}\n\nElsewhere, with its weights from MLflow:\n\n{elsewhere}"
    )


def _scores(version: Version) -> str:
    measured = [score for score in version.scores.values() if score.value is not None]
    missing = [score for score in version.scores.values() if score.value is None]
    rows = [(score.metric, f"{score.value:.6g}", _direction(score), f"`{score.protocol.id}`") for score in measured]
    text = f"## Scores\n\n{_table(('metric', 'value', 'better', 'protocol'), rows)}"
    if missing:
        text += "\n\nNot measured:\n\n" + "\n".join(f"- {score.metric}: {score.reason}" for score in missing)
    return text


def _direction(score: Score) -> str:
    return "higher" if score.higher_is_better else "lower"


def _trainings(trace: Trace) -> str:
    header = ("stage", "metric", "at the start", "best", "at step", "steps", "seconds", "MLflow run")
    rows = [
        (
            each.asset,
            each.metric,
            f"{each.first:.4g}",
            f"{each.best:.4g}",
            str(each.best_step),
            str(each.steps),
            f"{each.seconds:.0f}",
            f"`{each.mlflow_run_id}`",
        )
        for each in trace.trainings
    ]
    adopted = "".join(
        f"\n\n{each.asset} was not trained: its weights were adopted from {each.source or 'elsewhere'}."
        for each in trace.adopted
    )
    return f"## Training\n\nMeasured on held-out data.\n\n{_table(header, rows)}{adopted}"


def _data(trace: Trace) -> str:
    versions = _table(("step", "DVC version"), [(name, f"`{value}`") for name, value in trace.datasets.items()])
    samples = ", ".join(f"{count} {split}" for split, count in sorted(trace.samples.items())) or "unknown"
    text = f"## Data\n\n{trace.clips} clips and {trace.images} images; samples: {samples}.\n\n{versions}"
    if trace.dataset_note:
        text += f"\n\nNote: {trace.dataset_note}."
    return f"{text}\n\n### Sources\n\n{_sources(trace.sources)}"


def _sources(sources: Sequence[Source]) -> str:
    shown = sources[:SOURCES_LISTED]
    rows = [(each.path, each.kind, str(each.items), each.licence or UNKNOWN, f"`{each.sha256[:16]}`") for each in shown]
    rest = len(sources) - len(shown)
    more = f"\n\nand {rest} more, listed in lineage.json" if rest else ""
    return _table(("file", "kind", "items", "licence", "sha256"), rows) + more


def _licences(version: Version, trace: Trace) -> str:
    """Of the data, by licence; of the scorers that chose it; of the text encoder that is needed to use the model."""
    licences = Counter(each.licence or UNKNOWN for each in trace.sources)
    items = {
        licence: sum(each.items for each in trace.sources if (each.licence or UNKNOWN) == licence)
        for licence in licences
    }
    data = [(name, f"{licences[name]} sources, {items[name]} items") for name in sorted(licences)]
    encoder = version.parts.text_encoder
    parts = [
        *((licence, f"scorer {name}") for name, licence in sorted(trace.scorers.items())),
        (entry(encoder).licence, f"text encoder {encoder}"),
        *((_licence_of(each), f"adopted weights of {each.asset}") for each in trace.adopted),
    ]
    return f"## Licences\n\n{_table(('licence', 'of'), [*(data or [(UNKNOWN, 'the dataset')]), *parts])}"


def _licence_of(adoption: Adoption) -> str:
    """Of adopted weights; known of those that are in the registry of weights."""
    known = {each.name: each.licence for each in ENTRIES}
    return known.get(adoption.source or "", UNKNOWN)


def _parts(version: Version) -> str:
    parts = version.parts
    rows = [
        ("denoiser", f"{parts.denoiser_asset}, step {parts.step}", f"`{parts.denoiser_version}`"),
        *(("adapters", f"times {each.scale:g}, merged into `{parts.denoiser}`", "") for each in parts.adapters),
        ("VAE", parts.vae_asset, f"`{parts.vae_version}`"),
        ("latents", "their shift and scale", f"`{parts.latents_version}`"),
        ("text encoder", f"{parts.text_encoder}, {parts.max_tokens} tokens", f"`{parts.text_encoder_version}`"),
    ]
    return f"## Parts\n\n{_table(('part', 'what', 'version'), rows)}"


def _limits(version: Version, trace: Trace) -> str:
    dataset = trace.settings["dataset"]
    changed = ", with changes that were not committed" if trace.changed == "true" else ""
    return (
        "## Limits\n\n"
        f"- Trained on clips of up to {dataset['num_frames']} frames at {dataset['fps']:g} frames a second and "
        f"{dataset['max_area']} pixels; what lies beyond is untested.\n"
        f"- It knows what the {trace.clips} clips and {trace.images} images above show, and their biases.\n"
        "- Scores of another protocol must not be compared with those above.\n"
        f"- Code: commit `{trace.commit}`{changed}."
    )


def _table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines)
