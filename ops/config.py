"""The recipe: one typed tree of settings, read once from `params.yaml` and the preset that it names.

`params.yaml` holds `preset: NAME` and, below it, whatever overrides `configs/NAME.yaml`. Unknown keys and impossible
sizes raise `ConfigError`, which names the file, the key and what would be right.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from fractions import Fraction
from itertools import pairwise
from math import gcd, isqrt
from pathlib import Path
from typing import Annotated, Any, Literal, NamedTuple, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from ops.runtime.files import replacing

HEADER = """\
# The recipe: a preset from configs/, and below it whatever you change, for example
#   dataset: {max_area: 16384}
"""
PIXELS_PER_TOKEN = 16  # a side: 8 (VAE) × 2 (patch), for every released model
Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[int, Field(gt=0)]


class ConfigError(ValueError):
    """A recipe that cannot be used; the message names the file, the key and the remedy."""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class VideoCollection(Section):
    """Where clips come from: a folder, a manifest of paths (.txt or .jsonl), or `package:NAME`."""

    path: str
    licence: str | None = None
    """Of every file that does not name its own; a package's metadata is asked where this is null."""


class ImageCollection(VideoCollection):
    collection: Literal["captioned", "text", "people"] = "captioned"
    """Captioned photographs, pictures with writing in them, or pictures of people: each has rules of its own."""


class Sources(Section):
    """Each of `videos` and `images` is a path, or a list of collections."""

    videos: tuple[VideoCollection, ...] = ()
    images: tuple[ImageCollection, ...] = ()
    captions: str | None = None
    """A JSON file {file name: caption or list of captions}; sidecars beside a file win over it."""

    @field_validator("videos", "images", mode="before")
    @classmethod
    def _a_path_is_a_collection(cls, value: Any) -> Any:
        if value is None:
            return ()
        collections = [value] if isinstance(value, str | Mapping) else value
        if not isinstance(collections, list | tuple):
            raise ValueError("must be a path, or a list such as [{path: films, licence: CC0-1.0}]")
        return tuple({"path": each} if isinstance(each, str) else each for each in collections)


class Slicing(Section):
    max_seconds: Annotated[float, Field(gt=0)] = 16.0


class Sampling(Section):
    """The frames that scorers see. Scores depend on both numbers, so both are stored beside each score."""

    frames_per_second: Annotated[float, Field(gt=0)] = 8.0
    short_side: Positive = 720
    """Frames larger than this are reduced while decoding; never enlarged."""


class Shots(Section):
    """Jump cuts as outliers of a series of distances (paper §4; `z` is in population standard deviations).

    `picture-change` needs no weights; what is far in LPIPS is far less in it, so the distances have defaults of its own
    (`PICTURE_CHANGE`), and the rules about motion need other bounds, such as 0.002 to 0.2.
    """

    scorer: Literal["lpips-alex", "lpips-vgg", "picture-change"] = "lpips-alex"
    short_side: Positive = 256
    candidate_z: float = 2.0
    sure_distance: float = 0.35
    strong_z: float = 3.2
    strong_distance: float = 0.2
    hard_ratio: Annotated[float, Field(ge=1)] = 2.0
    """A hard cut changes the picture this many times as much as any other frame between the two sampled ones."""
    flash_share: Share = 0.5
    """A change is a flash when what comes back differs by less than this share of it."""
    min_frames: Positive = 32
    max_frames: Positive = 512
    max_fps: Annotated[float, Field(gt=0)] = 32.0
    """A faster source counts as if reduced to this rate, at which the paper's 16 s are its 512 frames."""

    @model_validator(mode="before")
    @classmethod
    def _distances_of_the_scorer(cls, given: Any) -> Any:
        if isinstance(given, Mapping) and given.get("scorer") == "picture-change":
            return {**PICTURE_CHANGE, **given}
        return given


PICTURE_CHANGE = {"sure_distance": 0.14, "strong_distance": 0.07}
"""Of `picture-change`, whose distances are mean differences as a share of the range: chosen on the films of
`benchmarks/cut_quality`, where they find the cuts between different sources as LPIPS's distances do."""


class TextCrop(Section):
    """`none` looks for no text and crops nothing."""

    scorer: Literal["rapidocr", "easyocr", "none"] = "rapidocr"
    frames_per_second: Annotated[float, Field(gt=0)] = 1.0
    max_share: Annotated[float, Field(gt=0, lt=0.5)] = 0.2
    min_seen_frames: Positive = 2
    min_seen_share: Share = 0.2


class Aesthetics(Section):
    scorer: Literal["laion-v2", "colourfulness"]
    frames: Positive = 5


LOWER_IS_BETTER = ("brisque", "niqe", "blur-and-blocks")
"""Scorers of technical quality that measure damage, so more is worse; DOVER measures quality, so less is."""


class TechnicalQuality(Section):
    """`blur-and-blocks` needs no weights: 0 to 1, and 0.6 is visibly blurred or in blocks."""

    scorer: Literal["dover", "brisque", "niqe", "blur-and-blocks"]
    frames: Positive = 3


Bound = Literal["minimum", "maximum"]


class RuledScore(NamedTuple):
    """A raw score that a rule may decide by: the step that measures it, and the bounds that mean something."""

    step: str
    bounds: tuple[Bound, ...]


RULED_SCORES = {
    "motion": RuledScore("motion", ("minimum", "maximum")),
    "central_text": RuledScore("text_crop", ("maximum",)),
    "aesthetic": RuledScore("aesthetics", ("minimum",)),
    "technical": RuledScore("technical_quality", ("minimum", "maximum")),
    "motion_cropped": RuledScore("motion_recheck", ("minimum", "maximum")),
}
"""By column of the tables, in the order in which they are measured."""


class Rule(Section):
    """Keep what has this score within these bounds; a clip exactly at a bound stays. `aesthetic` and `technical` hold
    for images, too."""

    score: Literal["motion", "central_text", "aesthetic", "technical", "motion_cropped"]
    minimum: Annotated[float, Field(allow_inf_nan=False)] | None = None
    maximum: Annotated[float, Field(allow_inf_nan=False)] | None = None

    @property
    def bounds(self) -> dict[Bound, float]:
        """Those that are set."""
        both: dict[Bound, float | None] = {"minimum": self.minimum, "maximum": self.maximum}
        return {bound: value for bound, value in both.items() if value is not None}

    @model_validator(mode="after")
    def _can_reject(self) -> Rule:
        possible = RULED_SCORES[self.score].bounds
        if not self.bounds:
            raise ValueError(f"has no bound: set {' or '.join(possible)}, or leave the rule out")
        for bound in self.bounds:
            if bound not in possible:
                raise ValueError(f"cannot have a {bound}: {self.score} has a {possible[0]} only")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError(f"keeps nothing: minimum {self.minimum:g} is above maximum {self.maximum:g}")
        return self


class ImageCollectionRules(Section):
    """What a picture of one collection must be besides what all pictures must; null asks for nothing."""

    min_side: Positive = 1
    """Pixels of the short side."""
    min_aesthetic: float | None = None
    """In place of `curation.rules.aesthetic.minimum`."""
    max_watermark: Share | None = None
    """By the probability that came with the picture (`pwatermark`); where none came, it is rejected."""
    english_only: bool = False
    """Of captions that came with it, and of what is written in it."""


class TextImageRules(ImageCollectionRules):
    min_side: Positive = 512
    english_only: bool = True
    min_confidence: Share = 0.5
    """Lines that the recogniser reads less surely are left out of the caption."""
    min_characters: Positive = 2


class PeopleImageRules(ImageCollectionRules):
    min_side: Positive = 512
    max_watermark: Share | None = 0.5
    must_be_named: bool = True
    """Captions that came with a picture must speak of a person."""


class NearDuplicates(Section):
    """Clips are near-duplicates when the perceptual hashes of all their frames differ in at most `max_distance` of 64
    bits: mostly 0 to 4 after another encoding, about 32 between different pictures."""

    enabled: bool = True
    scorer: Literal["phash"] = "phash"
    frames: Positive = 4
    max_distance: Annotated[int, Field(ge=0, le=12)] = 6


class ImageRules(Section):
    min_side: Positive = 64
    """Of every picture, whatever its collection."""
    captioned: ImageCollectionRules = ImageCollectionRules()
    text: TextImageRules = TextImageRules()
    people: PeopleImageRules = PeopleImageRules()


class Curation(Section):
    engine: Literal["pool", "ray"] = "pool"
    workers: Annotated[int, Field(ge=0)] = 0
    """Processes at most; 0 takes one per core, or on Ray as many as there is room for."""
    ray_address: str | None = None
    time_limit_seconds: Annotated[float, Field(gt=0)] = 3600.0
    """What one task may take: a file to be looked at, or at most 32 clips of a source to be measured. Then its process
    is killed, and the file or its clips are rejected as `too_slow`."""
    memory_limit_gib: Annotated[float, Field(gt=0)] = 8.0
    """Data that one process may hold; a file or clips that need more are rejected. Ray counts it as a worker's size."""
    decoding_threads: Annotated[int, Field(ge=0)] = 1
    """Of each decoder; 0 takes as many as there are cores. The pool has a process on every core already, so that more
    than 1 helps when there are fewer sources than cores."""
    accelerator: bool = False
    """Run the networks of scorers on the GPU or NPU that a process sees. Each process of the pool then holds its
    networks there: their memory, times `workers`, has to fit."""
    hardware_decoding: Literal["none", "auto", "cuda", "vaapi", "qsv", "d3d11va", "videotoolbox"] = "none"
    """The device that decodes sources for the scorers; where it cannot, the CPU does. Its pixels may differ slightly,
    so scores are kept apart from those of the CPU."""
    max_attempts: Positive = 3
    """What has failed, or was under way when its run was killed, this many times in all is parked: rejected with its
    error and not tried again (`soraflow curate parked`, `soraflow curate retry`)."""
    max_parked_share: Share = 0.1
    """A step that has more than this share of its inputs parked fails."""
    clips: Slicing = Slicing()
    sampling: Sampling = Sampling()
    shots: Shots = Shots()
    text_crop: TextCrop = TextCrop()
    aesthetics: Aesthetics
    technical_quality: TechnicalQuality
    near_duplicates: NearDuplicates = NearDuplicates()
    rules: tuple[Rule, ...]
    """From scores to keep or drop, in the order in which the scores are measured: the first that says no is the reason.
    A score without a rule is measured and recorded, and rejects nothing."""
    images: ImageRules = ImageRules()
    exclude_licences: tuple[str, ...] = ()
    """Sources under a licence that matches one of these are rejected unopened: `CC-BY-NC*` is any name that begins so,
    whatever its case, and `unknown` is a source that names none."""

    def rule(self, score: str) -> Rule | None:
        """The rule about a score, if there is one."""
        return next((rule for rule in self.rules if rule.score == score), None)

    @field_validator("rules")
    @classmethod
    def _in_order(cls, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        scores = [rule.score for rule in rules]
        if twice := sorted({score for score in scores if scores.count(score) > 1}):
            raise ValueError(f"'{twice[0]}' has two rules: write its minimum and maximum into one")
        order = list(RULED_SCORES)
        for before, after in pairwise(scores):
            if order.index(before) > order.index(after):
                raise ValueError(f"'{after}' is measured before '{before}': put its rule first")
        return rules

    @model_validator(mode="after")
    def _text_is_looked_for(self) -> Curation:
        if self.text_crop.scorer == "none" and self.rule("central_text") is not None:
            raise ValueError(
                "rules.central_text needs text to be looked for, but text_crop.scorer is 'none': set rapidocr or "
                "easyocr, or rules.central_text=null"
            )
        return self

    @model_validator(mode="after")
    def _technical_bound_fits(self) -> Curation:
        """A bound on the wrong side would keep the bad and drop the good."""
        rule, scorer = self.rule("technical"), self.technical_quality.scorer
        wrong: Bound = "minimum" if scorer in LOWER_IS_BETTER else "maximum"
        if rule is not None and wrong in rule.bounds:
            right, means = ("maximum", "damage") if wrong == "minimum" else ("minimum", "quality")
            raise ValueError(
                f"rules.technical.{wrong} is {rule.bounds[wrong]:g}, but {scorer} measures {means}: set {right} "
                f"instead, and {wrong} to null"
            )
        return self


class CaptionRequests(Section):
    """How a server is asked (captioner `endpoint`)."""

    workers: Positive = 8
    """Requests that are under way at once."""
    timeout_seconds: Annotated[float, Field(gt=0)] = 120.0
    """Of one request, from its start to the last byte of the answer."""
    tries: Positive = 4
    pause_seconds: Annotated[float, Field(ge=0)] = 1.0
    """Before the second try; doubled before each further one, and never shorter than the server's Retry-After."""
    give_up_after: Positive = 16
    """So many items in a row without a caption are taken for a fault of the server, and end the step."""
    input_price: Annotated[float, Field(ge=0)] | None = None
    """Of a million tokens; with both prices the cost of each caption is recorded."""
    output_price: Annotated[float, Field(ge=0)] | None = None


class LocalCaptions(Section):
    """How a model runs here (captioner `transformers`)."""

    batch_size: Positive = 4
    dtype: Literal["float32", "bfloat16", "float16"] = "bfloat16"
    device: Literal["cpu", "cuda", "npu"] | None = None
    """`launch.accelerator`, if null."""


class Captions(Section):
    captioner: Literal["sidecar", "endpoint", "transformers"] = "sidecar"
    endpoint: str | None = None
    """Base URL of an OpenAI-compatible vision-language server; its key is read from SORAFLOW_CAPTION_KEY."""
    model: str | None = None
    """The server's name of it; for `transformers`, a folder in Hugging Face's layout with safetensors."""
    prompt: str = (
        "Describe this video in as much detail as possible: objects, scenery, animals, people and camera movement, "
        "with changes in the order in which they happen. Begin directly with the content, in a single line."
    )
    image_prompt: str = "Analyze the image in a comprehensive and detailed manner."
    text_prompt: str = (
        'Combine this rough caption: "{caption}", analyze the image in a comprehensive and detailed manner. "{text}" '
        "can be recognized in the image."
    )
    """For images with writing in them (`collection: text`) that came with a caption."""
    keep_given: tuple[Literal["video", "captioned", "text", "people"], ...] = ("captioned",)
    """Videos, or collections of images, of which captions that came with the files are taken as they are; only items
    without one are shown to the model."""
    frames: Positive = 8
    """Of a clip, evenly spread."""
    side: Positive = 448
    """Frames are reduced to this many pixels of their longer side."""
    max_tokens: Positive = 512
    requests: CaptionRequests = CaptionRequests()
    local: LocalCaptions = LocalCaptions()

    @model_validator(mode="after")
    def _is_complete(self) -> Captions:
        if self.captioner == "endpoint" and not (self.endpoint and self.model):
            raise ValueError("captioner 'endpoint' needs 'endpoint' and 'model'")
        if self.captioner == "transformers" and not self.model:
            raise ValueError("captioner 'transformers' needs 'model', the folder of a vision-language model")
        if missing := [place for place in ("{caption}", "{text}") if place not in self.text_prompt]:
            raise ValueError(f"text_prompt has no place for {' and '.join(missing)}")
        return self


def one_plus_four_n(frames: int) -> int:
    if frames % 4 != 1:
        below = max(frames - (frames - 1) % 4, 1)
        raise ValueError(f"is {frames}, but the VAE takes 1 + 4n frames: use {below} or {below + 4}")
    return frames


class Dataset(Section):
    """Buckets by tokens (mmdit's min-max rule): each ratio h:w gets the largest size within `max_area` pixels."""

    num_frames: Positive = 93
    min_frames: Positive = 29
    fps: Annotated[float, Field(gt=0)] = 16.0
    max_area: Positive
    ratios: tuple[str, ...] = ("1:1", "3:4", "4:3", "9:16", "16:9")
    windows_per_clip: Positive = 1
    held_out_share: Annotated[float, Field(gt=0, lt=1)] = 0.1
    max_dropped_share: Share = 0.5
    """More than this share of the curated items dropped by the buckets is an error."""

    @field_validator("num_frames", "min_frames")
    @classmethod
    def _one_plus_four_n(cls, value: int) -> int:
        if value % 4 != 1:
            below = value - (value - 1) % 4
            raise ValueError(f"is {value}, but the VAE takes 1 + 4n frames: use {max(below, 1)} or {max(below, 1) + 4}")
        return value

    @model_validator(mode="after")
    def _sizes_exist(self) -> Dataset:
        if self.min_frames > self.num_frames:
            raise ValueError(f"min_frames {self.min_frames} exceeds num_frames {self.num_frames}")
        self.sizes()
        return self

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Ratio → (height, width) in pixels, both multiples of 16."""
        return {ratio: _largest_size(ratio, self.max_area) for ratio in self.ratios}


def _largest_size(ratio: str, max_area: int) -> tuple[int, int]:
    match = re.fullmatch(r"([1-9]\d*):([1-9]\d*)", ratio)
    if not match:
        raise ValueError(f"ratio '{ratio}' is not of the form height:width, such as 9:16")
    height, width = int(match[1]), int(match[2])
    divisor = gcd(height, width)
    height, width = height // divisor, width // divisor
    unit = height * width * PIXELS_PER_TOKEN**2
    k = isqrt(max_area // unit)
    if k == 0:
        raise ValueError(
            f"max_area {max_area} is too small for ratio {ratio}, whose smallest size is "
            f"{height * PIXELS_PER_TOKEN}x{width * PIXELS_PER_TOKEN} = {unit} pixels"
        )
    return height * k * PIXELS_PER_TOKEN, width * k * PIXELS_PER_TOKEN


class TextEncoder(Section):
    weights: str
    """An entry of the weights registry (`soraflow weights list`)."""
    max_tokens: Positive = 512
    width: Positive = 4096
    """Channels of the encoder's last hidden state."""
    clean_captions: bool = False
    """Put captions and prompts into lower case and take out what web pages leave in them, before they are encoded.
    Open-Sora Plan v1.3 does so with captions only, so that prompts there are written as training never saw them."""


class Optimizer(Section):
    learning_rate: Annotated[float, Field(gt=0)]
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 1e-2
    eps: float = 1e-15
    warmup_steps: Annotated[int, Field(ge=0)] = 0


class Clipping(Section):
    """`fixed` clips the global norm to `max_norm`; `ema` to mean + 3σ of its own running statistics
    (Open-Sora Plan v1.5), never above `max_norm` in the first step."""

    method: Literal["fixed", "ema"] = "ema"
    max_norm: Annotated[float, Field(gt=0)] = 1.0
    decay: Share = 0.99


class Schedule(Section):
    """How long a training runs and what it leaves behind. All numbers count optimizer steps."""

    steps: Positive
    batch_size: Positive
    """Samples a step over all ranks."""
    checkpoint_every: Positive
    validate_every: Positive
    keep_last: Positive = 3
    ema_decay: Annotated[float, Field(ge=0, lt=1)] = 0.9999
    optimizer: Optimizer
    clipping: Clipping = Clipping()


class VaeModel(Section):
    """Fields of `spec/wfvae` under our names; the defaults are WF-VAE-S with 8 channels."""

    base_channels: Positive = 128
    latent_channels: Positive = 8
    encoder_flow_channels: Positive = 128
    decoder_flow_channels: Positive = 128
    encoder_blocks: Positive = 2
    decoder_blocks: Positive = 2
    flow_blocks: Positive = 1
    attention: bool = True
    norm: Literal["layernorm", "groupnorm"] = "layernorm"
    temporal_upsampling: Literal["trilinear", "nearest"] = "trilinear"


class VaeLosses(Section):
    lpips_weight: float = 1.0
    lpips_net: Literal["alex", "vgg"] = "vgg"
    kl_weight: float = 1e-6
    wavelet_weight: float = 0.1
    adversarial_weight: float = 0.5
    discriminator_start: Annotated[int, Field(ge=0)] = 0
    """The first step with the adversarial loss; at or past `steps` leaves the discriminator out."""
    discriminator_width: Positive = 64
    discriminator_layers: Positive = 4


class VaeViews(Section):
    """What the VAE sees of a sample in one step, drawn anew each time: short windows, as in the paper (25 frames of
    93), and for small datasets mirrored ones, too."""

    frames: Positive = 25
    flips: bool = False
    """Mirror left to right, top to bottom and in time, each with probability ½."""
    zoom: Positive = 1
    """Read samples at this many times their bucket's size and take a window of it at a random scale, from the whole
    frame down to 1/zoom of its sides: a few large pictures hold many small ones. 1 shows whole frames, as the paper."""

    @field_validator("frames")
    @classmethod
    def _one_plus_four_n(cls, value: int) -> int:
        return one_plus_four_n(value)


class Vae(Section):
    architecture: Literal["wfvae", "causalvae"] = "wfvae"
    released: str | None = None
    """A folder or registry entry with finished weights; set, nothing is trained and these are registered."""
    model: VaeModel = VaeModel()
    views: VaeViews = VaeViews()
    losses: VaeLosses = VaeLosses()
    schedule: Schedule


class DenoiserModel(Section):
    layers: Positive = 32
    heads: Positive = 24
    head_width: Positive = 96
    sparse_ratio: Positive = 4

    @model_validator(mode="after")
    def _rope_fits(self) -> DenoiserModel:
        if self.head_width % 6:
            raise ValueError(
                f"head_width {self.head_width} must be a multiple of 6: rotary positions split it over three axes, "
                "in pairs"
            )
        return self


class Diffusion(Section):
    """The v1.3 defaults (`spec/dit` §4); changing one makes a new protocol, so each is recorded."""

    train_timesteps: Positive = 1000
    beta_start: float = 1e-4
    beta_end: float = 0.02
    beta_schedule: Literal["linear", "scaled_linear"] = "linear"
    prediction: Literal["v_prediction", "epsilon"] = "v_prediction"
    zero_terminal_snr: bool = True
    min_snr_gamma: float | None = 5.0
    noise_offset: float = 0.0
    caption_dropout: Share = 0.1


class CaptionPhrase(Section):
    """What training adds to the caption of a sample whose score lies within the bounds, both included."""

    score: Literal["aesthetic", "technical"]
    scorer: str
    """By whose scale the bounds are meant; scores of others add nothing."""
    minimum: float | None = None
    maximum: float | None = None
    phrases: Annotated[tuple[str, ...], Field(min_length=1)]
    """One is drawn; `{kind}` becomes `video` or `image`."""
    place: Literal["before", "either"] = "either"
    """`either` is before the caption or after it, by equal chance."""

    @model_validator(mode="after")
    def _is_bounded(self) -> CaptionPhrase:
        if self.minimum is None and self.maximum is None:
            raise ValueError("needs a minimum, a maximum, or both")
        return self


class Denoiser(Section):
    caption_phrases: tuple[CaptionPhrase, ...] = ()
    """The first that a sample's scores meet counts."""
    phrase_draws: Positive = 4
    """How many different wordings of such a sample training may draw from; each is encoded once."""
    architecture: Literal["skiparse", "latte"] = "skiparse"
    model: DenoiserModel = DenoiserModel()
    diffusion: Diffusion = Diffusion()


class Stage(Section):
    """One training stage of the denoiser; it starts from the stage before it in the list."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kinds: tuple[Literal["image", "video"], ...]
    sparse_ratio: Positive | None = None
    """Overrides the model's for this stage: 1 is full attention (paper: image training starts dense)."""
    schedule: Schedule


class Launch(Section):
    """`torchrun` starts ranks on this node; the others are DeepSpeed's launchers for several nodes."""

    launcher: Literal["torchrun", "slurm", "pdsh", "openmpi"] = "torchrun"
    accelerator: Literal["cpu", "cuda", "npu"] = "cuda"
    nodes: Positive = 1
    ranks_per_node: Positive = 1
    hostfile: str | None = None
    deepspeed: str = "configs/deepspeed/zero2.json"
    heartbeat_seconds: Positive = 1800
    """A training job silent for longer is ended and reported."""
    max_restarts: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _nodes_fit_launcher(self) -> Launch:
        if self.launcher == "torchrun" and self.nodes > 1:
            raise ValueError(f"launcher 'torchrun' is for one node, but nodes is {self.nodes}: use slurm or pdsh")
        return self


class Evaluation(Section):
    """The protocol of every generation score; its hash travels with the scores."""

    prompts: tuple[str, ...]
    seeds: tuple[int, ...] = (0,)
    sampler: Literal["ddim", "euler_ancestral"] = "ddim"
    steps: Positive = 50
    guidance: float = 7.5
    negative_prompt: str = ""
    num_frames: Positive = 93
    height: Positive = 352
    width: Positive = 640
    fps: Positive = 18
    reconstruction_frames: Positive = 33
    reconstruction_size: Positive = 256
    checkpoints: Positive = 3
    """How many kept checkpoints of the last stage are sampled and scored."""

    @model_validator(mode="after")
    def _sizes_fit(self) -> Evaluation:
        for name in ("num_frames", "reconstruction_frames"):
            if getattr(self, name) % 4 != 1:
                raise ValueError(f"{name} is {getattr(self, name)}, but the VAE takes 1 + 4n frames")
        for name in ("height", "width"):
            if getattr(self, name) % PIXELS_PER_TOKEN:
                raise ValueError(f"{name} is {getattr(self, name)}, not a multiple of {PIXELS_PER_TOKEN}")
        if self.reconstruction_size % 8:
            raise ValueError(f"reconstruction_size is {self.reconstruction_size}, not a multiple of 8")
        return self


class Release(Section):
    registered_model: str = "soraflow"
    metric: Literal["held_out_loss", "temporal_flickering"] = "held_out_loss"
    """What ranks checkpoints, and what a candidate must not lose against the champion."""
    tolerance: float = 0.0
    """By how much, relative to the champion, a candidate may be worse and still replace it."""
    exclude_licences: tuple[str, ...] = ()
    """Licences, as in `curation.exclude_licences`, under which neither data nor scorers of a release may be."""
    on_excluded_licence: Literal["refuse", "warn"] = "refuse"


class Automation(Section):
    schedule: str = "0 3 * * 1"
    min_new_items: Positive = 100
    """Fewer new curated clips and images than this since the last training: not worth retraining."""
    on_new_data: bool = False
    """Train as soon as a new data version has passed its checks, instead of at the next weekly tick."""
    watch_seconds: Positive = 300


class Settings(Section):
    name: str
    seed: int = 1234
    sources: Sources = Sources()
    curation: Curation
    captions: Captions = Captions()
    dataset: Dataset
    text_encoder: TextEncoder
    vae: Vae
    denoiser: Denoiser = Denoiser()
    stages: tuple[Stage, ...]
    launch: Launch = Launch()
    evaluation: Evaluation
    release: Release = Release()
    automation: Automation = Automation()

    @model_validator(mode="after")
    def _stages_are_distinct(self) -> Settings:
        if not self.stages:
            raise ValueError("stages is empty: name at least one")
        names = [stage.name for stage in self.stages]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"stages: the name {twice[0]!r} is used twice")
        return self


def load(root: Path) -> Settings:
    """The settings of the project in `root`, from its `params.yaml` and preset."""
    params = read_yaml(root / "params.yaml")
    preset = params.pop("preset", None)
    if not isinstance(preset, str):
        raise ConfigError(f"{root / 'params.yaml'}: 'preset' is missing; write one of: {', '.join(presets(root))}")
    return resolve(root, preset, params)


def resolve(root: Path, preset: str, overrides: Mapping[str, Any]) -> Settings:
    """A preset with overrides laid over it, validated."""
    if preset not in presets(root):
        raise ConfigError(f"preset '{preset}' is unknown; configs/ has: {', '.join(presets(root))}")
    path = root / "configs" / f"{preset}.yaml"
    tree = merge({"name": preset, **read_yaml(path)}, overrides)
    try:
        return Settings.model_validate(tree)
    except ValidationError as error:
        raise ConfigError(_explain(error, tree, path, overrides, root / "params.yaml")) from None


def change(root: Path, preset: str | None, assignments: list[str]) -> Settings:
    """Write a preset and `a.b.c=value` assignments into `params.yaml`, once the result is known to be valid.

    Naming another preset drops the overrides made for the old one.
    """
    path = root / "params.yaml"
    params = read_yaml(path)
    old = params.pop("preset", None)
    if preset not in (None, old):
        params = {}
    for assignment in assignments:
        assign(params, assignment)
    chosen = preset or old
    if not isinstance(chosen, str):
        raise ConfigError(f"{path}: 'preset' is missing; write one of: {', '.join(presets(root))}")
    settings = resolve(root, chosen, params)
    text = HEADER + yaml.safe_dump({"preset": chosen, **params}, sort_keys=False)
    if yaml.safe_load(path.read_text()) != yaml.safe_load(text):
        with replacing(path) as temporary:
            temporary.write_text(text)
    return settings


def presets(root: Path) -> list[str]:
    return sorted(path.stem for path in (root / "configs").glob("*.yaml"))


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        tree = yaml.safe_load(path.read_text())
    except FileNotFoundError:
        raise ConfigError(f"{path} does not exist; run soraflow inside a project, or set SORAFLOW_PROJECT") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    if not isinstance(tree, dict):
        raise ConfigError(f"{path} must hold a mapping, but holds {type(tree).__name__}")
    return tree


def merge(base: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `overrides` laid over it, mapping by mapping.

    A list is replaced whole, or, where its items have names, changed item by item: `stages.video.schedule.steps`,
    `curation.rules.aesthetic.minimum`. An item that is set to null is left out; a rule that the list lacks is added.
    """
    return {**base, **{key: _laid_over(key, base.get(key), value) for key, value in overrides.items()}}


def _laid_over(key: str, old: Any, value: Any) -> Any:
    if isinstance(old, Mapping) and isinstance(value, Mapping):
        return merge(old, value)
    if not isinstance(old, list | tuple) or not isinstance(value, Mapping):
        return value
    names = [_name(item) for item in old]
    strange = [name for name in value if name not in names]
    if strange and key == "rules" and set(strange) <= set(RULED_SCORES):
        order = dict(zip(RULED_SCORES, range(len(RULED_SCORES)), strict=True))
        old = sorted([*old, *({"score": name} for name in strange)], key=lambda rule: order.get(_name(rule), 99))
        names = [_name(item) for item in old]
    elif strange:
        known = ", ".join(name for name in names if name) or "they have no names, so write the whole list"
        if key == "rules":
            strange, known = [name for name in strange if name not in RULED_SCORES], ", ".join(RULED_SCORES)
        raise ConfigError(f"{key}: '{strange[0]}' is none of its items: {known}")
    pairs = zip(names, old, strict=True)
    laid = [_laid_over(name, item, value[name]) if name in value else item for name, item in pairs]
    return [item for item in laid if item is not None]


def _name(item: Any) -> str:
    """What an item of a list goes by: a stage's name, the score of a rule."""
    return str(item.get("name") or item.get("score") or "") if isinstance(item, Mapping) else ""


def assign(tree: dict[str, Any], assignment: str) -> None:
    """Lay one `a.b.c=value` (value as YAML) into a tree of overrides, in place."""
    key, separator, text = assignment.partition("=")
    if not separator or not key:
        raise ConfigError(f"'{assignment}' is not of the form key.of.setting=value")
    *parents, leaf = key.split(".")
    for parent in parents:
        tree = tree.setdefault(parent, {})
        if not isinstance(tree, dict):
            raise ConfigError(f"'{key}': '{parent}' is a value, not a group of settings")
    try:
        tree[leaf] = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ConfigError(f"'{assignment}': the value is not valid YAML: {error}") from None


def ratio_of(ratio: str) -> Fraction:
    """'9:16' → 9/16, height over width."""
    height, width = ratio.split(":")
    return Fraction(int(height), int(width))


MOVED = {
    "curation.motion": "curation.rules.motion and, inside the crop, curation.rules.motion_cropped",
    "curation.aesthetics.minimum": "curation.rules.aesthetic.minimum",
    "curation.technical_quality.threshold": "curation.rules.technical.maximum (brisque, niqe) or .minimum (dover)",
}
"""Limits that were settings of their own before there was a list of rules."""


def _explain(
    error: ValidationError, tree: Mapping[str, Any], preset: Path, overrides: Mapping[str, Any], params: Path
) -> str:
    lines = []
    for problem in error.errors():
        keys = [str(part) for part in problem["loc"]]
        named = _named(tree, problem["loc"])
        file = params if _has(overrides, keys) or _has(overrides, named) else preset
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            close = difflib.get_close_matches(keys[-1], _known_keys(keys[:-1]), n=1)
            message = "unknown key" + (f" (did you mean '{close[0]}'?)" if close else "")
            if moved := MOVED.get(".".join(keys)):
                message = f"is a rule now: set {moved}"
        elif problem["type"] == "missing":
            message = "missing; it has no default"
        lines.append(f"{file}: {'.'.join(named) or 'settings'}: {message}")
    return "\n".join(lines)


def _named(tree: Any, place: tuple[int | str, ...]) -> list[str]:
    """A place in the tree as its key, with the names of items in place of their numbers."""
    keys = []
    for part in place:
        inner = isinstance(tree, list) and isinstance(part, int) and part < len(tree)
        tree = tree[part] if inner else tree.get(part) if isinstance(tree, Mapping) else None
        keys.append((_name(tree) if inner else "") or str(part))
    return keys


def _has(tree: Any, keys: list[str]) -> bool:
    for key in keys:
        if not isinstance(tree, Mapping) or key not in tree:
            return False
        tree = tree[key]
    return bool(keys)


def _known_keys(keys: list[str]) -> list[str]:
    model: Any = Settings
    for key in keys:
        if key.isdigit():
            continue
        annotation = model.model_fields[key].annotation
        models = [part for part in (annotation, *get_args(annotation)) if isinstance(part, type)]
        model = next((part for part in models if issubclass(part, BaseModel)), None)
        if model is None:
            return []
    return list(model.model_fields)
