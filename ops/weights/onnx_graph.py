"""Constants and nodes of an ONNX file, which is a protocol buffer (numbers of fields as in onnx.proto, version 9)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

GRAPH = 7
"""Of a model."""
NODE, INITIALIZER = 1, 5
"""Of a graph."""
INPUT, OUTPUT, OPERATION = 1, 2, 4
"""Of a node."""
DIMENSIONS, DATA_TYPE, NAME, RAW_DATA = 1, 2, 8, 9
"""Of a tensor."""
TYPES: dict[int | memoryview, str] = {1: "<f4", 7: "<i8"}


@dataclass(frozen=True)
class Node:
    operation: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def read_graph(content: bytes) -> tuple[dict[str, np.ndarray], list[Node]]:
    """(constants by name, nodes in order).

    Raises:
        ValueError: not one graph, or a constant that is kept in another form than raw float32 or int64.
    """
    graphs = _grouped(memoryview(content))[GRAPH]
    if len(graphs) != 1:
        raise ValueError(f"expected an ONNX model with one graph, found {len(graphs)}")
    parts = _grouped(_bytes(graphs[0]))
    return dict(_tensor(_bytes(each)) for each in parts[INITIALIZER]), [_node(_bytes(each)) for each in parts[NODE]]


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """(number, value) of each field of a protocol buffer: a whole number, or bytes, in little-endian order where they
    stand for a number.

    Raises:
        ValueError: it breaks off, or has fields of no known kind.
    """
    place = 0
    while place < len(message):
        key, place = _number(message, place)
        value: int | memoryview
        match key & 7:
            case 0:
                value, place = _number(message, place)
            case 1 | 5 as kind:
                size = 8 if kind == 1 else 4
                value, place = message[place : place + size], place + size
            case 2:
                size, place = _number(message, place)
                value, place = message[place : place + size], place + size
            case kind:
                raise ValueError(f"a protocol buffer has no fields of kind {kind}")
        if place > len(message):
            raise ValueError("a protocol buffer breaks off within a field")
        yield key >> 3, value


def _number(message: memoryview, place: int) -> tuple[int, int]:
    """(value, place after it) of a number in groups of seven bits, the lowest first."""
    value = shift = 0
    while place < len(message):
        byte = message[place]
        value, shift, place = value | (byte & 127) << shift, shift + 7, place + 1
        if byte < 128:
            return value, place
    raise ValueError("a protocol buffer breaks off within a number")


def _grouped(message: memoryview) -> defaultdict[int, list[int | memoryview]]:
    found = defaultdict(list)
    for number, value in fields(message):
        found[number].append(value)
    return found


def _tensor(message: memoryview) -> tuple[str, np.ndarray]:
    parts = _grouped(message)
    name = "".join(map(_text, parts[NAME]))
    kinds, contents = parts[DATA_TYPE], parts[RAW_DATA]
    if len(contents) != 1 or len(kinds) != 1 or kinds[0] not in TYPES:
        raise ValueError(f"the constant '{name}' is not kept as raw float32 or int64")
    shape = [side for each in parts[DIMENSIONS] for side in _numbers(each)]
    return name, np.frombuffer(_bytes(contents[0]), TYPES[kinds[0]]).reshape(shape)


def _node(message: memoryview) -> Node:
    parts = _grouped(message)
    inputs, outputs = (tuple(map(_text, parts[number])) for number in (INPUT, OUTPUT))
    return Node("".join(map(_text, parts[OPERATION])), inputs, outputs)


def _numbers(value: int | memoryview) -> list[int]:
    """Of a repeated field: one of them, or all together."""
    if isinstance(value, int):
        return [value]
    place, found = 0, []
    while place < len(value):
        number, place = _number(value, place)
        found.append(number)
    return found


def _bytes(value: int | memoryview) -> memoryview:
    if isinstance(value, int):
        raise ValueError("a protocol buffer has a number where it should have bytes")
    return value


def _text(value: int | memoryview) -> str:
    return bytes(_bytes(value)).decode()
