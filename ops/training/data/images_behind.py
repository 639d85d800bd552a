"""Which images ride behind the videos of a step."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ops.catalogue import Kind
from ops.data.buckets import Bucket
from ops.training.data.batch_sizes import NoBatches
from ops.training.data.data_order import DataOrder

IMAGES: tuple[Kind, ...] = ("image",)


@dataclass(frozen=True)
class ImagesBehind:
    """`each` of them behind every video, of its size. They come in an order of their own, in which every image is seen
    before one is seen again; like that of the videos it is a pure function of the step."""

    each: int
    orders: Mapping[str, DataOrder]
    """By the videos' bucket."""

    @classmethod
    def of(
        cls,
        each: int,
        videos: Mapping[str, int],
        images: Mapping[str, Sequence[str]],
        seed: int,
        dataset_version: str,
    ) -> ImagesBehind:
        """`videos` are the batch sizes of their buckets, `images` the ids of each bucket.

        Raises:
            NoBatches: as `require_images` says.
        """
        require_images(each, videos, images)
        beside = {name: _of_one_frame(name) for name in videos}
        orders = {
            name: DataOrder({beside[name]: images[beside[name]]}, {beside[name]: each * size}, seed, dataset_version)
            for name, size in videos.items()
        }
        return cls(each, orders)

    def batch(self, step: int, bucket: str, left_out: Collection[str] = ()) -> tuple[str, ...]:
        """The images of a step whose videos are of this bucket: those of the first video, then those of the second."""
        return self.orders[bucket].batch(step, left_out)

    @property
    def count(self) -> int:
        """Of all the images."""
        buckets = {name: len(ids) for order in self.orders.values() for name, ids in order.buckets.items()}
        return sum(buckets.values())


def require_images(each: int, videos: Collection[str], images: Collection[str]) -> None:
    """That each of the videos' buckets has one of images.

    Raises:
        NoBatches: where there is none of the size of some videos.
    """
    if lacking := sorted({_of_one_frame(name) for name in videos} - set(images)):
        raise NoBatches(
            f"joint_images is {each}, but no image to train on is of the size of the videos ({', '.join(lacking)}): "
            "add such images to sources.images, or set it to 0"
        )


def _of_one_frame(bucket: str) -> str:
    return str(replace(Bucket.parse(bucket), frames=1))
