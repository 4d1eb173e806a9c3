"""Stands for ``typing`` in what is sent: on a node nobody reads annotations, and the import takes its time."""

from collections import namedtuple


class _Anything:
    def __getitem__(self, key: object) -> object:
        return self


def NamedTuple(name: str, fields: "list[tuple[str, object]]") -> object:
    return namedtuple(name, [field for field, _ in fields])


Any = Callable = Deque = Dict = Iterable = Iterator = List = Optional = Sequence = Set = Tuple = Union = _Anything()
