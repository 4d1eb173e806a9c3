"""Stands for modules in what is sent: to import them takes longer on a node than most commands.

``typing``, for nobody reads annotations there, and of ``collections`` and ``functools`` what the agent uses.
"""

from _collections import OrderedDict, deque  # type: ignore  # noqa: F401
from _operator import itemgetter


class _Anything:
    def __getitem__(self, key: object) -> object:
        return self


Any = Callable = Deque = Dict = Iterable = Iterator = List = Optional = Sequence = Set = Tuple = Union = _Anything()


def NamedTuple(name, fields):  # type: ignore
    """A class as collections.namedtuple makes it, whose values are given in order."""
    names = [field for field, _ in fields]

    def new(cls, *values):  # type: ignore
        if len(values) != len(names):
            raise TypeError("%s has %d values, not %d" % (name, len(names), len(values)))
        return tuple.__new__(cls, values)

    def replace(self, **changed):  # type: ignore
        return type(self)(*[changed.get(each, self[at]) for at, each in enumerate(names)])

    members = {each: property(itemgetter(at)) for at, each in enumerate(names)}
    return type(name, (tuple,), dict(members, __slots__=(), __new__=new, _replace=replace))


def lru_cache(maxsize):  # type: ignore
    """As functools has it, for arguments in order and without a bound."""

    def remembering(ask):  # type: ignore
        known = {}

        def told(*about):  # type: ignore
            if about not in known:
                known[about] = ask(*about)
            return known[about]

        return told

    return remembering
