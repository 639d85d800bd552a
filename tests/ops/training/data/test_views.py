"""What the VAE sees of a clip: short, perhaps mirrored, and the same whoever asks again."""

import torch

from ops.config import VaeViews
from ops.training.data.views import views
from ops.training.methods.method import Draw


def clips(count: int, frames: int = 17) -> torch.Tensor:
    numbers = torch.arange(count * frames * 4 * 6 * 3)
    return (numbers % 251).to(torch.uint8).reshape(count, frames, 4, 6, 3)


def draw(step: int = 1, first: int = 0) -> Draw:
    return Draw(seed=7, step=step, first_position=first, batch_size=4)


def test_a_view_is_a_window_of_the_clip() -> None:
    (clip,) = clips(1)
    windows = {tuple(clip[start : start + 5].flatten().tolist()) for start in range(13)}
    seen = {tuple(views(clip[None], VaeViews(frames=5), draw(step)).flatten().tolist()) for step in range(200)}
    assert seen == windows


def test_short_clips_and_images_stay_whole() -> None:
    whole = clips(2, frames=1)
    assert torch.equal(views(whole, VaeViews(frames=5), draw()), whole)


def test_flips_mirror_all_three_axes() -> None:
    (clip,) = clips(1, frames=5)
    axes = [[], [0], [1], [2], [0, 1], [0, 2], [1, 2], [0, 1, 2]]
    mirrored = {tuple(clip.flip(each).flatten().tolist()) for each in axes}
    settings = VaeViews(frames=5, flips=True)
    assert {tuple(views(clip[None], settings, draw(step)).flatten().tolist()) for step in range(100)} == mirrored


def test_two_ranks_see_what_one_sees() -> None:
    whole, settings = clips(4), VaeViews(frames=5, flips=True)
    halves = [views(whole[:2], settings, draw()), views(whole[2:], settings, draw(first=2))]
    assert torch.equal(torch.cat(halves), views(whole, settings, draw()))


def test_zoomed_views_are_windows_of_the_right_size() -> None:
    settings = VaeViews(frames=5, zoom=2)
    seen = [views(clips(2), settings, draw(step)) for step in range(20)]
    assert {tuple(view.shape) for view in seen} == {(2, 5, 2, 3, 3)}
    assert len({tuple(view.flatten().tolist()) for view in seen}) == 20
    assert torch.equal(seen[3], views(clips(2), settings, draw(3)))
