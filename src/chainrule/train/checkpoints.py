"""Saving: a network, or a training that is under way, as one ``.safetensors`` file.

The arrays are the file's tensors; the architecture is JSON in its header: for every module the
name of its class and its attributes. Loading looks the classes up among those the program has
defined and calls no code that a file could name. Nothing is ever pickled.
"""

from __future__ import annotations

import dataclasses
import difflib
import json
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from chainrule.errors import ChainruleError
from chainrule.files import written_whole
from chainrule.nn.module import Module, classes_named
from chainrule.tracing.parameter import Parameter, State

MODEL_FORMAT = "chainrule model 1"
TRAINING_FORMAT = "chainrule training 2"


class CheckpointError(ChainruleError, ValueError):
    """A file that cannot be saved, read, or continued from."""


def save(net: Module, path: str | os.PathLike[str], extra: Any = None) -> None:
    """Write a network to one file, in place of what was there, or not at all.

    Args:
        net: its settings must be plain values: a Python function in it cannot be saved.
        path: usually ending in ``.safetensors``.
        extra: anything that JSON holds (preprocessing, names); ``load_with_extra`` returns it.

    Raises:
        CheckpointError: naming the attribute that cannot be saved.

    >>> import tempfile
    >>> from chainrule import nn
    >>> folder = tempfile.mkdtemp()
    >>> net = nn.MLP(2, [3], 1, seed=0)
    >>> save(net, Path(folder, "net.safetensors"))
    >>> x = np.ones((1, 2), np.float32)
    >>> bool((load(Path(folder, "net.safetensors"))(x) == net(x)).all())
    True
    """
    arrays = {p: part.value for p, part in {**net.parameters(), **net.states()}.items()}
    header = {"architecture": encode(net), "extra": extra}
    write_arrays(path, arrays, MODEL_FORMAT, header)


def load(path: str | os.PathLike[str], classes: Iterable[type[Module]] = ()) -> Module:
    """Read a network that ``save`` wrote.

    Args:
        path: of the file.
        classes: module classes to use where the program has several of one name, or to be sure.

    Raises:
        CheckpointError: where the file is missing, damaged, or needs a class that is not defined.
    """
    return load_with_extra(path, classes)[0]


def load_with_extra(
    path: str | os.PathLike[str], classes: Iterable[type[Module]] = ()
) -> tuple[Module, Any]:
    """Read a network and what was saved beside it."""
    arrays, header = read_arrays(path, MODEL_FORMAT)
    try:
        net = decode(header["architecture"], arrays, classes)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (KeyError, TypeError, AttributeError) as error:
        raise CheckpointError(f"{path}: its architecture is damaged ({error!r})") from None
    return net, header.get("extra")


# ----- architecture as JSON -----------------------------------------------------------------------


def encode(net: Module) -> Any:
    """The architecture: classes and attributes, with parameters by path, shape and dtype."""
    paths = {id(part): path for path, part in {**net.parameters(), **net.states()}.items()}
    modules: dict[int, int] = {}

    def value_of(value: Any, path: str) -> Any:
        if isinstance(value, Module):
            if id(value) in modules:
                return {"shared": modules[id(value)]}
            modules[id(value)] = len(modules)
            attributes = {}
            for name, item in vars(value).items():
                try:
                    attributes[name] = value_of(item, f"{path}.{name}" if path else name)
                except CheckpointError:
                    if name not in value.unsaved:
                        raise
                    attributes[name] = None
            return {"module": type(value).__name__, "attributes": attributes}
        if isinstance(value, Parameter):
            kind = "state" if isinstance(value, State) else "parameter"
            return {
                kind: paths[id(value)],
                "shape": list(value.shape),
                "dtype": str(value.dtype),
                "trainable": value.trainable,
            }
        if isinstance(value, list | tuple):
            items = [value_of(item, f"{path}[{i}]") for i, item in enumerate(value)]
            return {"list" if isinstance(value, list) else "tuple": items}
        if isinstance(value, dict):
            return {"dict": [[k, value_of(v, f"{path}[{k!r}]")] for k, v in value.items()]}
        if isinstance(value, np.bool_ | np.integer | np.floating):
            return value.item()
        if isinstance(value, bool | int | float | str) or value is None:
            return value
        advice = "write it as a module class with plain attributes"
        if isinstance(value, np.ndarray):
            advice = "wrap it: nn.Parameter(array, trainable=False)"
        raise CheckpointError(
            f"{path or type(net).__name__} is {value!r:.60} of type {type(value).__name__}, which "
            f"a file cannot hold; {advice}"
        )

    return value_of(net, "")


def decode(
    architecture: Any, arrays: Mapping[str, np.ndarray], classes: Iterable[type[Module]] = ()
) -> Module:
    """The network that ``encode`` described, around ``arrays``."""
    given = {cls.__name__: cls for cls in classes}
    modules: list[Any] = []
    parameters: dict[str, Parameter] = {}

    def parameter_of(code: Any, kind: str) -> Parameter:
        path = code[kind]
        if path not in parameters:
            if path not in arrays:
                raise CheckpointError(f"the array of {path} is missing from the file")
            array = arrays[path]
            if list(array.shape) != code["shape"] or str(array.dtype) != code["dtype"]:
                raise CheckpointError(
                    f"{path} should be {code['dtype']} of shape {tuple(code['shape'])}, but the "
                    f"file holds {array.dtype} of shape {array.shape}"
                )
            parameters[path] = (
                State(array) if kind == "state" else Parameter(array, code["trainable"])
            )
        return parameters[path]

    def module_of(code: Any) -> Module:
        cls = given.get(code["module"]) or _class_named(code["module"])
        module = object.__new__(cls)
        modules.append(module)
        if dataclasses.is_dataclass(cls):
            wanted = {f.name for f in dataclasses.fields(cls)}
            if wanted != set(code["attributes"]):
                differing = ", ".join(sorted(wanted ^ set(code["attributes"])))
                raise CheckpointError(
                    f"the class {cls.__name__} has changed since the file was written: its "
                    f"attributes and the file's differ in {differing}"
                )
        for name, item in code["attributes"].items():
            module.__dict__[name] = value_of(item)
        for name, shape in module.expected_shapes().items():
            found = np.shape(module.__dict__.get(name, ()))
            if found != shape:
                raise CheckpointError(
                    f"{module.description()} needs a {name} of shape {shape}, but the file holds "
                    f"one of shape {found}"
                )
        return module

    def value_of(code: Any) -> Any:
        if not isinstance(code, dict):
            return code
        if "module" in code:
            return module_of(code)
        if "shared" in code:
            return modules[code["shared"]]
        for kind in ("parameter", "state"):
            if kind in code:
                return parameter_of(code, kind)
        if "list" in code:
            return [value_of(item) for item in code["list"]]
        if "tuple" in code:
            return tuple(value_of(item) for item in code["tuple"])
        return {key: value_of(item) for key, item in code["dict"]}

    return module_of(architecture)


def _class_named(name: str) -> type[Module]:
    known = classes_named(name)
    if len(known) == 1:
        return known[0]
    if known:
        places = ", ".join(f"{cls.__module__}.{cls.__qualname__}" for cls in known)
        raise CheckpointError(
            f"several module classes are called {name} ({places}); say which with classes=[...]"
        )
    from chainrule import nn

    near = difflib.get_close_matches(name, [n for n in dir(nn) if n[0].isupper()], 1)
    hint = f" (similar: {near[0]})" if near else ""
    raise CheckpointError(
        f"the network has a module of the class {name}, which is not defined here{hint}; import "
        "the Python module that defines it before loading"
    )


# ----- files --------------------------------------------------------------------------------------


def write_arrays(
    path: str | os.PathLike[str], arrays: Mapping[str, Any], format_name: str, header: Any
) -> None:
    """Write arrays and a JSON header to ``path``: all of it, or nothing."""
    from safetensors.numpy import save as to_bytes

    try:
        text = json.dumps(header)
    except TypeError as error:
        raise CheckpointError(
            f"what is saved beside the arrays must be plain JSON: {error}"
        ) from None
    content = to_bytes(
        {name: np.array(array, order="C") for name, array in arrays.items()},
        metadata={"format": format_name, "header": text},
    )
    with written_whole(path, "wb") as file:
        file.write(content)


def read_arrays(
    path: str | os.PathLike[str], format_name: str
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """The arrays and the header of a file that ``write_arrays`` wrote in this format.

    Raises:
        CheckpointError: where the file is missing, damaged, or of another kind.
    """
    return _read(path, format_name, True)


def read_header(path: str | os.PathLike[str], format_name: str) -> dict[str, Any]:
    """The header of such a file alone, its arrays unread; errors are those of ``read_arrays``."""
    return _read(path, format_name, False)[1]


def _read(
    path: str | os.PathLike[str], format_name: str, with_arrays: bool
) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    from safetensors import SafetensorError, safe_open

    if not Path(path).is_file():
        raise CheckpointError(f"{path}: there is no such file")
    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
            names = file.keys() if with_arrays else ()
            arrays = {name: file.get_tensor(name) for name in names}
    except (SafetensorError, OSError, ValueError) as error:
        raise CheckpointError(
            f"{path} is not a complete .safetensors file ({error}); was it cut off, or is it of "
            "another kind?"
        ) from None
    found = metadata.get("format", "")
    if found != format_name:
        what = f"holds a {found}" if found else "was not written by chainrule"
        same_kind = found.rpartition(" ")[0] == format_name.rpartition(" ")[0]
        advice = "; another version of chainrule wrote it: use that one, or begin a new file"
        raise CheckpointError(f"{path} {what}, not a {format_name}{advice if same_kind else ''}")
    try:
        return arrays, json.loads(metadata["header"])
    except (KeyError, ValueError):
        raise CheckpointError(f"{path}: its header is damaged") from None
