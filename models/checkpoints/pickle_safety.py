"""The pickle inside a checkpoint of PyTorch, read as data: nothing is imported, looked up or called.

A pickle is a program that names functions. PyTorch's weights-only loader runs a part of it, and claims the memory that
it asks for: ``bytearray(2**31)``, or a numpy scalar of 2 GB. Here a name stays a name: a tensor becomes a note of what
the file says about it, and what is not a weight (arguments, scores) a note of its kind. Work and memory are linear in
the bytes read.
"""

import pickletools
import struct
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from ..errors import PrimeSVTError

# A hundred thousand tensors take thirty operations each.
MAX_OPERATIONS = 1_000_000
MAX_DIMENSIONS = 64


@dataclass(frozen=True, slots=True)
class Name:
    """A function, class or type that the pickle names, such as ``torch.FloatStorage``."""

    path: str


@dataclass(frozen=True, slots=True)
class StoredStorage:
    """A record of numbers: its type, its name in the archive, and how many the pickle says there are."""

    kind: str
    key: str
    numel: int


@dataclass(frozen=True, slots=True)
class StoredTensor:
    """A view of a storage, as the pickle describes it; only types are checked, the numbers may lie."""

    storage: StoredStorage
    kind: str
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Other:
    """Anything else, by the name of what would have made it; its content is dropped."""

    kind: str


def read_pickle(content: bytes) -> Any:
    """What a pickle holds, with notes in place of tensors and objects.

    Raises:
        PrimeSVTError: It names something that no state dict needs, or is damaged.
    """
    try:
        with warnings.catch_warnings():
            # Of escape sequences in damaged text.
            warnings.simplefilter("ignore")
            return _run(content)
    except (ValueError, IndexError, KeyError, TypeError, OverflowError, struct.error) as error:
        raise PrimeSVTError(f"its pickle is damaged ({type(error).__name__}); get the file again.") from error


def _run(content: bytes) -> Any:
    machine = _Machine()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if count == MAX_OPERATIONS:
            raise PrimeSVTError(f"its pickle has more than {MAX_OPERATIONS} operations; save a state dict alone.")
        if opcode.name == "STOP":
            break
        action = _ACTIONS.get(opcode.name)
        if action is None:
            raise PrimeSVTError(f"its pickle uses {opcode.name}, which PyTorch does not write; it is damaged.")
        action(machine, argument)
    return machine.stack.pop()


class _Machine:
    """The stack machine that a pickle is written for, without the part that calls."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}

    def go_on(self, _: Any) -> None:
        pass

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def mark(self, _: Any) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def pop_mark(self) -> list[Any]:
        items, self.stack = self.stack, self.marks.pop()
        return items

    def pop(self, count: int) -> list[Any]:
        if len(self.stack) < count:
            raise ValueError("the stack is empty")
        items = self.stack[-count:]
        del self.stack[-count:]
        return items

    def put(self, index: Any) -> None:
        self.memo[len(self.memo) if index is None else index] = self.stack[-1]

    def get(self, index: int) -> None:
        self.push(self.memo[index])

    def name(self, argument: str) -> None:
        self.push(_allowed(argument.replace(" ", ".")))

    def stack_name(self, _: Any) -> None:
        self.push(_allowed(".".join(self.pop(2))))

    def make(self, _: Any) -> None:
        function, arguments = self.pop(2)
        if type(function) is not Name or type(arguments) is not tuple:
            raise ValueError("only what was named can be called")
        builder = _BUILDERS.get(function.path)
        self.push(builder(arguments) if builder else Other(function.path))

    def build(self, _: Any) -> None:
        self.pop(1)
        if type(self.stack[-1]) not in (dict, Other):
            raise ValueError("this has no state")

    def storage(self, _: Any) -> None:
        tag, kind, key, _location, numel = self.pop(1)[0]
        if (tag, type(kind), type(key), type(numel)) != ("storage", Name, str, int):
            raise ValueError("no storage")
        self.push(StoredStorage(kind.path, key, numel))

    def extend(self, items: list[Any]) -> None:
        if type(self.stack[-1]) is not list:
            raise ValueError("this is no list")
        self.stack[-1].extend(items)

    def update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is not dict or len(items) % 2:
            raise ValueError("this is no dict")
        for key, value in zip(items[::2], items[1::2], strict=True):
            # The hash of a nested tuple may take years.
            if not isinstance(key, (str, int, float, bytes, type(None))):
                raise PrimeSVTError(f"it has a key of type {type(key).__name__}; save a state dict alone.")
            if isinstance(key, str) and key in target:
                raise PrimeSVTError(f"it has the key {key[:100]!r} twice; get the file again.")
            target[key] = value

    def add_items(self, _: Any) -> None:
        self.pop_mark()
        if type(self.stack[-1]) is not Other:
            raise ValueError("this is no set")


def _push_constant(value: Any, machine: _Machine, _: Any) -> None:
    machine.push(value)


_CONSTANTS = {"NONE": None, "NEWTRUE": True, "NEWFALSE": False, "EMPTY_TUPLE": ()}
_LITERALS = (
    *("BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
    *("BINSTRING", "SHORT_BINSTRING", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8"),
)
_ACTIONS: dict[str, Callable[[_Machine, Any], None]] = {
    **{name: partial(_push_constant, value) for name, value in _CONSTANTS.items()},
    **dict.fromkeys(_LITERALS, _Machine.push),
    **dict.fromkeys(("PROTO", "FRAME"), _Machine.go_on),
    **dict.fromkeys(("BINPUT", "LONG_BINPUT", "MEMOIZE"), _Machine.put),
    **dict.fromkeys(("BINGET", "LONG_BINGET"), _Machine.get),
    # INST would call as well; it is here for the name in the message.
    **dict.fromkeys(("GLOBAL", "INST"), _Machine.name),
    **dict.fromkeys(("REDUCE", "NEWOBJ"), _Machine.make),
    "STACK_GLOBAL": _Machine.stack_name,
    "BUILD": _Machine.build,
    "BINPERSID": _Machine.storage,
    "MARK": _Machine.mark,
    "EMPTY_LIST": lambda machine, _: machine.push([]),
    "EMPTY_DICT": lambda machine, _: machine.push({}),
    "EMPTY_SET": lambda machine, _: machine.push(Other("builtins.set")),
    "TUPLE": lambda machine, _: machine.push(tuple(machine.pop_mark())),
    "TUPLE1": lambda machine, _: machine.push(tuple(machine.pop(1))),
    "TUPLE2": lambda machine, _: machine.push(tuple(machine.pop(2))),
    "TUPLE3": lambda machine, _: machine.push(tuple(machine.pop(3))),
    "APPEND": lambda machine, _: machine.extend(machine.pop(1)),
    "APPENDS": lambda machine, _: machine.extend(machine.pop_mark()),
    "SETITEM": lambda machine, _: machine.update(machine.pop(2)),
    "SETITEMS": lambda machine, _: machine.update(machine.pop_mark()),
    "ADDITEMS": _Machine.add_items,
}


def _tensor(arguments: tuple[Any, ...], kind: Any = None) -> StoredTensor:
    storage, offset, size, stride = arguments[:4]
    if type(storage) is not StoredStorage or type(size) is not tuple or type(stride) is not tuple:
        raise ValueError("no tensor")
    if len(size) != len(stride) or len(size) > MAX_DIMENSIONS:
        raise ValueError("no shape")
    if any(type(number) is not int or number < 0 for number in (storage.numel, offset, *size, *stride)):
        raise ValueError("no shape")
    return StoredTensor(storage, storage.kind if kind is None else kind, offset, size, stride)


def _tensor_v2(arguments: tuple[Any, ...]) -> StoredTensor | Other:
    # The seventh argument says that the values are to be negated or conjugated.
    return Other("a negated or conjugated view") if any(arguments[6:]) else _tensor(arguments)


def _tensor_v3(arguments: tuple[Any, ...]) -> StoredTensor | Other:
    if any(arguments[7:]):
        return Other("a negated or conjugated view")
    if type(arguments[6]) is not Name:
        raise ValueError("no type")
    return _tensor(arguments, arguments[6].path)


def _subclass(arguments: tuple[Any, ...]) -> StoredTensor | Other:
    function, kind, inner = arguments[:3]
    if type(function) is not Name or type(kind) is not Name or type(inner) is not tuple:
        raise ValueError("no tensor")
    plain = kind.path == "torch.Tensor" and function.path == "torch._utils._rebuild_tensor_v2"
    return _tensor_v2(inner) if plain else Other(kind.path)


def _first(arguments: tuple[Any, ...]) -> Any:
    return arguments[0]


_BUILDERS: dict[str, Callable[[tuple[Any, ...]], Any]] = {
    # With arguments it would copy them, every time it is called.
    "collections.OrderedDict": lambda arguments: Other("collections.OrderedDict") if arguments else {},
    "collections.defaultdict": lambda _arguments: {},
    "torch.Size": _first,
    "torch._utils._rebuild_parameter": _first,
    "torch._utils._rebuild_parameter_with_state": _first,
    "torch._utils._rebuild_tensor": _tensor,
    "torch._utils._rebuild_tensor_v2": _tensor_v2,
    "torch._utils._rebuild_tensor_v3": _tensor_v3,
    "torch._tensor._rebuild_from_type_v2": _subclass,
}

# What PyTorch's weights-only loader allows, the arguments of a training script with its paths, and numpy's data.
_TYPES = (
    *("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool", "bfloat16"),
    *("float16", "float32", "float64", "complex32", "complex64", "complex128", "qint8", "quint8", "qint32"),
    *("float8_e5m2", "float8_e4m3fn", "float8_e5m2fnuz", "float8_e4m3fnuz", "float8_e8m0fnu", "float4_e2m1fn_x2"),
)
_STORAGES = (
    *("Float", "Double", "Half", "BFloat16", "Long", "Int", "Short", "Char", "Byte", "Bool", "ComplexFloat"),
    *("ComplexDouble", "QInt8", "QUInt8", "QInt32", "QUInt4x2", "QUInt2x4"),
)
_REBUILDERS = (
    *("sparse_tensor", "qtensor", "nested_tensor", "meta_tensor_no_storage", "wrapper_subclass"),
    *("device_tensor_from_numpy", "device_tensor_from_cpu_tensor"),
)
_SCHEMES = ("tensor_affine", "tensor_symmetric", "channel_affine", "channel_symmetric", "channel_affine_float_qparams")
_NAMES = frozenset(_BUILDERS) | {
    *("argparse.Namespace", "collections.Counter", "_codecs.encode"),
    *(f"numpy.{core}.multiarray.{name}" for core in ("core", "_core") for name in ("scalar", "_reconstruct")),
    *("numpy.dtype", "numpy.ndarray"),
    *(f"{module}.{name}" for module in ("pathlib", "pathlib._local") for name in ("PosixPath", "WindowsPath")),
    *("torch.Tensor", "torch.device", "torch.nn.parameter.Parameter", "torch.serialization._get_layout"),
    *("torch.storage.TypedStorage", "torch.storage.UntypedStorage"),
    *(
        f"{module}.{name}"
        for module in ("builtins", "__builtin__")
        for name in ("bytearray", "complex", "set", "list", "dict")
    ),
    *(f"torch.{name}" for name in _TYPES),
    *(f"torch.{name}Storage" for name in _STORAGES),
    *(f"torch._utils._rebuild_{name}" for name in _REBUILDERS),
    *(f"torch.per_{name}" for name in _SCHEMES),
}


def _allowed(path: str) -> Name:
    if path not in _NAMES:
        raise PrimeSVTError(
            f"it names {path[:100]!r}, which no state dict needs, and nothing of it was run; where it is a whole model "
            "that you trust, save model.state_dict() with the code that wrote it."
        )
    return Name(path)
