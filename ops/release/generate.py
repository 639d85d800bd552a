"""`soraflow generate`: the model that a name stands for makes videos of requests."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ops.generation import settings_file
from ops.generation.given_pixels import GivenPixels, read_given, require_condition
from ops.generation.lengths import fitted, require_continuation
from ops.generation.maker import Maker
from ops.generation.outputs import require_mp4
from ops.generation.parts import Parts, weights_of
from ops.generation.render import Video
from ops.generation.seams import Seam
from ops.release.adapter_name import chosen
from ops.release.model_name import last_on_given_frames, resolve
from ops.runtime.files import sha256
from ops.runtime.project import Project
from ops.sampling.chunks import chunks_of
from ops.sampling.request import Given, Request, SamplingError

OnStep = Callable[[int, int], None]


@dataclass(frozen=True)
class Generated:
    """A finished video: the file, its settings file, and what a person should know about it."""

    path: Path
    settings: Path
    model: str
    seconds: float
    """Of a batch, the share of one of its videos."""
    notes: tuple[str, ...]

    @property
    def seams(self) -> tuple[Seam, ...]:
        """Of a long video, where its chunks meet."""
        return settings_file.seams_of(self.path)


def generate(
    project: Project,
    request: Request,
    output: Path,
    checkpoint: str | None = None,
    ranks: int = 1,
    lora: Sequence[str] = (),
    preview: bool = False,
    on_step: OnStep = lambda done, total: None,
) -> Generated:
    """Write one video to `output`, in the place of what is there, and its settings to the same name with `.json`; for
    the rest, and errors, see `generate_all`."""
    (video,), parts, label = _prepared(project, [request], [output], checkpoint, lora)
    (made,) = Maker(project, parts, ranks, 1, preview).make([video], on_step)
    return _generated(label, *made)


def generate_all(
    project: Project,
    requests: Sequence[Request],
    outputs: Sequence[Path],
    checkpoint: str | None = None,
    ranks: int = 1,
    batch: int | None = None,
    lora: Sequence[str] = (),
    preview: bool = False,
    on_step: OnStep = lambda done, total: None,
) -> list[Generated]:
    """Write the videos of requests that may differ in prompts, seeds and given frames. What is there already and was
    made so stays, so that an interrupted call goes on.

    For `checkpoint` see `ops.release.model_name.resolve`. No name is the champion or, where frames are given or more
    are asked for than it was trained on, the last finished stage that was trained on given frames. `lora` are adapters
    as `ops.release.adapter_name` names them, of which no name means the model that they were trained on. `batch` videos
    are made together; None is one on the CPU, where that is no faster, and elsewhere as many as there is memory for. In
    a batch of another size a video has other last bits. Several `ranks` of this node, each on an accelerator of its
    own, make each video together. `on_step` hears of (done, total) denoising steps where there is one rank. A prompt
    that is too long is cut, with a note.

    Raises:
        SamplingError: something asked for cannot be made, or adapters are of another model; the message says what can.
            Nothing has been loaded then.
        MissingArtifact, UnknownVersion: there is no such model, for example no champion yet, or no stage on given
            frames.
    """
    videos, parts, label = _prepared(project, requests, outputs, checkpoint, lora)
    if batch is not None and batch < 1:
        raise SamplingError(f"batch is {batch}, but must be at least 1")
    kept = [each for each in videos if settings_file.is_of(each.output, each.request, parts)]
    wanted = [each for each in videos if each not in kept]
    if len(videos) > 1 and (there := [each.output for each in wanted if each.output.exists()]):
        raise SamplingError(
            f"{len(there)} of the videos would be written over others, such as {there[0]}: name another folder, or "
            "remove what is in this one"
        )
    made = Maker(project, parts, ranks, batch, preview).make(wanted, on_step)
    found = {each[0].output: _generated(label, *each) for each in made}
    for each in kept:
        already = ("it was there already, made by the same settings",)
        found[each.output] = Generated(each.output, settings_file.path_of(each.output), label, 0.0, already)
    return [found[each.output] for each in videos]


def again(
    project: Project,
    settings: Path,
    output: Path,
    given: Iterable[Path] = (),
    preview: bool = False,
    on_step: OnStep = lambda done, total: None,
) -> Generated:
    """Make the video of a settings file once more, to `output`: by the same checkpoint, computed in the same way. The
    bytes are the same on the same device with the same code; a note says whether they are.

    Given files are looked for among `given`, beside the settings, and in the working directory.

    Raises:
        SamplingError: the file is none of this version, or a given file is gone.
        MissingArtifact: the checkpoint, its VAE or adapters are gone.
    """
    require_mp4(output)
    before = settings_file.read(settings, given)
    parts, request = before.parts, before.request
    for folder in (parts.denoiser, parts.vae, *(each.folder for each in parts.adapters)):
        weights_of(project, folder, parts)
    checked, notes = request.checked()
    pixels = _pixels(checked)
    video = Video(checked, output, (*notes, *(pixels.notes if pixels else ())), pixels)
    finished = Maker(project, parts, preview=preview).one(video, before.computed, on_step)
    made = _generated(f"{parts.denoiser_asset} step {parts.step}", *finished)
    if sha256(output) == before.video:
        return replace(made, notes=(*made.notes, "the same bytes as before"))
    files = request.given.files if request.given else ()
    others = before.elsewhere(settings_file.read(made.settings, [file.path for file in files]))
    why = "; ".join(others) or "the same codec, device and code, so that a library must be another"
    return replace(made, notes=(*made.notes, f"other bytes than before: {why}"))


def _prepared(
    project: Project,
    requests: Sequence[Request],
    outputs: Sequence[Path],
    checkpoint: str | None,
    lora: Sequence[str],
) -> tuple[list[Video], Parts, str]:
    """All that can be known before weights are loaded: checked requests with their given frames, and which model."""
    if not requests:
        raise SamplingError("no video is asked for")
    for output in outputs:
        require_mp4(output)
    if len(set(outputs)) < len(outputs):
        raise SamplingError("several videos would be written to one file: ask for each prompt and seed once")
    if len({request.checked()[0].together for request in requests}) > 1:
        raise SamplingError("videos that are asked for together may differ in prompts, seeds and given frames alone")
    parts, label = _model(project, requests, checkpoint, lora)
    read: dict[Given | None, GivenPixels | None] = {}
    videos = []
    for asked, output in zip(requests, outputs, strict=True):
        request, notes = fitted(project, asked, parts)
        require_condition(project, parts, request)
        require_continuation(project, parts, request)
        if request.given not in read:
            read[request.given] = _pixels(request)
        pixels = read[request.given]
        videos.append(Video(request, output, (*notes, *(pixels.notes if pixels else ())), pixels))
    return videos, parts, label


def _model(
    project: Project, requests: Sequence[Request], checkpoint: str | None, lora: Sequence[str]
) -> tuple[Parts, str]:
    if checkpoint:
        return chosen(project, checkpoint, lora)
    if any(request.given for request in requests):
        return chosen(project, None, lora, default=last_on_given_frames(project))
    found = chosen(project, None, lora)
    if not lora and any(len(chunks_of(fitted(project, request, found[0])[0])) > 1 for request in requests):
        return resolve(project, last_on_given_frames(project))
    return found


def _generated(label: str, video: Video, notes: Sequence[str], seconds: float) -> Generated:
    return Generated(video.output, settings_file.path_of(video.output), label, seconds, tuple(notes))


def _pixels(request: Request) -> GivenPixels | None:
    return read_given(chunks_of(request)[0].request) if request.given else None
