"""Where numbers live: blocks of the flat parameter vector, reusable arrays, caches of layers."""

from dataclasses import dataclass, field, replace
from math import prod

import numpy as np


@dataclass(frozen=True)
class Block:
    """A rectangle of the parameter vector, which several layers may hold.

    Parameters
    ----------
    offset : int
        Position of the first entry in a row of theta.
    shape : tuple of int
        Shape of the stored block, in C order.
    transposed : bool
        Whether the holder sees the block transposed (a tied decoder does).
    """

    offset: int
    shape: tuple
    transposed: bool = False

    @property
    def size(self):
        return prod(self.shape)

    @property
    def T(self):
        return replace(self, transposed=not self.transposed)

    def view(self, array):
        """View of shape (members, *shape) into `array` of shape (members, P).

        `array` may have more leading axes.
        """
        part = array[..., self.offset : self.offset + self.size]
        part = part.reshape(*array.shape[:-1], *self.shape)
        return part.swapaxes(-1, -2) if self.transposed else part


@dataclass(frozen=True)
class Part:
    """Some neighbouring columns of a block, each row of them as a rectangle of its own."""

    block: Block
    start: int
    shape: tuple

    @property
    def offset(self):
        return self.block.offset + self.start

    def view(self, array):
        """View of shape (members, rows of the block, *shape)."""
        part = self.block.view(array)[..., self.start : self.start + prod(self.shape)]
        return part.reshape(*part.shape[:-1], *self.shape)


class Layout:
    """Hands out blocks one after another; weights go first, so that decay is one slice."""

    def __init__(self):
        self.size = 0

    def block(self, *shape):
        block = Block(self.size, shape)
        self.size += block.size
        return block

    def align(self, n):
        """Leave a gap, so that the next block begins at a multiple of n."""
        self.size = -(-self.size // n) * n


# Views of reusable arrays that one prediction hands on to the next.
MANY_VIEWS = 256


class Scratch:
    """Arrays that outlive a step: the same key and shape give the same memory again.

    Arrays of one key share one allocation whatever their shape, so a shorter last batch costs
    nothing. Two arrays that are needed at the same time need two keys.
    """

    def __init__(self, dtype):
        self.dtype = np.dtype(dtype)
        self._flat = {}
        self._views = {}

    def __call__(self, key, shape, dtype=None):
        view = self._views.get((key, shape, dtype))
        if view is None:
            view = self._views[key, shape, dtype] = self._carve(key, shape, dtype)
        return view

    def nbytes(self):
        """Bytes of all arrays; views for shapes that were needed once are dropped."""
        if len(self._views) > MANY_VIEWS:
            self._views.clear()
        return sum(array.nbytes for array in self._flat.values())

    def _carve(self, key, shape, dtype):
        dtype = self.dtype if dtype is None else np.dtype(dtype)
        size = prod(shape)
        flat = self._flat.get((key, dtype))
        if flat is None or flat.size < size:
            flat = self._flat[key, dtype] = np.empty(size, dtype)
            self._views = {held: view for held, view in self._views.items() if held[0] != key}
        return flat[:size].reshape(shape)


@dataclass(frozen=True)
class Space:
    """What a layer is told when it allocates its cache for batches of `rows` rows.

    Parameters
    ----------
    members, rows : int
        The two leading axes of every array.
    work : Scratch
        Source of all memory.
    path : tuple
        Names the layer, so that its arrays have keys of their own.
    training : bool
        Whether layers that act in training only (dropout) act.
    rngs : tuple of numpy.random.Generator
        One source of noise per member.
    dropout_factor : ndarray of shape ()
        By which rates of dropout are multiplied at the time; whoever trains changes it.
    in_place : bool
        Whether the layer may write its output over its input.
    input_grad : bool
        Whether anybody reads the gradient with respect to the layer's input.
    adds : frozenset of int
        Offsets of the blocks whose gradient another layer has written before.
    side : Side or None
        What layers with a side input read.
    """

    members: int
    rows: int
    work: Scratch
    path: tuple = ()
    training: bool = False
    rngs: tuple = ()
    dropout_factor: np.ndarray = field(default_factory=lambda: np.ones(()))
    in_place: bool = False
    input_grad: bool = True
    adds: frozenset = field(default_factory=frozenset)
    side: object = None

    def array(self, name, width):
        """Array of shape (members, rows, width) that belongs to this layer."""
        return self.work((self.path, name), (self.members, self.rows, width))

    def parameters(self, name, block):
        """Array with the shape of `block` for every member."""
        return self.work((self.path, name), (self.members, *block.shape))


class Cache:
    """What one layer keeps between its passes over a batch: buffers and views of theta."""

    def __init__(self, space, **buffers):
        self.space = space
        self.work = space.work
        self.adds = space.adds
        self.__dict__.update(buffers)
        self._held = {}

    def views(self, role, array, blocks):
        """Views of `blocks` in `array`, rebuilt only when another array comes in that role."""
        held = self._held.get(role)
        if held is None or held[0] is not array:
            views = tuple(None if block is None else block.view(array) for block in blocks)
            held = self._held[role] = (array, views)
        return held[1]

    def forget(self):
        """Let go of what came from outside: the input, and views of parameters."""
        self._held.clear()
        self.x = self.out = self.weight = None
        for part in getattr(self, "parts", ()):
            part.forget()

    def write(self, block, target, fill):
        """Let `fill(out)` write a gradient into `target`, or add it if others wrote before."""
        if not self.adds or block.offset not in self.adds:
            fill(target)
        else:
            # A transposed target keeps its memory order in the scratch array.
            part = self.work("add", (len(target), *block.shape))
            part = part.swapaxes(-1, -2) if block.transposed else part
            fill(part)
            target += part
