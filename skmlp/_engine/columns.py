"""Layers at the front of a network that treat columns of the input in ways of their own."""

from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import issparse

from .layers import Layer
from .memory import Block, Cache


@dataclass(frozen=True)
class Columns(Layer):
    """Layers that act on some columns each; their outputs stand side by side.

    Parameters
    ----------
    parts : tuple of (columns, layer)
        `columns` is a tuple of input positions; parts may share columns.
    widths : tuple of int
        Output width of each part.
    n_in : int
        Number of input columns.
    """

    parts: tuple
    widths: tuple
    n_in: int

    @property
    def blocks(self):
        return tuple(block for _, layer in self.parts for block in layer.blocks)

    def allocate(self, space):
        caches, seen = [], set(space.adds)
        for i, (_, layer) in enumerate(self.parts):
            part = replace(space, path=(*space.path, i), in_place=False, adds=frozenset(seen))
            caches.append(layer.allocate(part))
            seen.update(block.offset for block in layer.blocks)
        stops = np.cumsum(self.widths).tolist()
        return Cache(
            space,
            parts=caches,
            columns=[_positions(columns) for columns, _ in self.parts],
            slices=[slice(a, b) for a, b in zip([0, *stops[:-1]], stops, strict=True)],
            z=space.array("z", stops[-1]),
        )

    def forward(self, theta, x, cache):
        return self._outwards(lambda layer, part, c: layer.forward(theta, part, c), x, cache, "x")

    def backward(self, theta, d, cache, grad):
        return self._inwards(lambda layer, part, c: layer.backward(theta, part, c, grad), d, cache)

    def tangent(self, theta, t, cache):
        return self._outwards(lambda layer, part, c: layer.tangent(theta, part, c), t, cache, "t")

    def tangent_backward(self, theta, d, cache, grad):
        return self._inwards(
            lambda layer, part, c: layer.tangent_backward(theta, part, c, grad), d, cache
        )

    def initialize(self, theta, rng):
        for _, layer in self.parts:
            layer.initialize(theta, rng)

    def _outwards(self, run, x, cache, name):
        out = cache.z if name == "x" else cache.space.array("Jt", cache.z.shape[-1])
        each = zip(self.parts, cache.parts, cache.columns, cache.slices, strict=True)
        for (_, layer), part, columns, place in each:
            out[..., place] = run(layer, self._take(x, columns, part, name), part)
        return out

    def _inwards(self, run, d, cache):
        d_in = cache.space.array("d", self.n_in) if cache.space.input_grad else None
        if d_in is not None:
            d_in.fill(0.0)
        each = zip(self.parts, cache.parts, cache.columns, cache.slices, strict=True)
        for (_, layer), part, columns, place in each:
            share = part.space.array("d_out", place.stop - place.start)
            np.copyto(share, d[..., place])
            back = run(layer, share, part)
            if d_in is not None:
                d_in[..., columns] += back
        return d_in

    @staticmethod
    def _take(x, columns, part, name):
        if isinstance(columns, slice) or issparse(x):
            return x[..., columns] if isinstance(x, np.ndarray) else x[:, columns]
        out = part.work((part.space.path, name), (*x.shape[:-1], len(columns)))
        return np.take(x, columns, axis=-1, out=out, mode="clip")


def _positions(columns):
    """A slice where columns are neighbours, which needs no copy."""
    columns = np.asarray(columns)
    start = int(columns[0])
    if np.array_equal(columns, np.arange(start, start + len(columns))):
        return slice(start, start + len(columns))
    return columns


def by_column(array, mixing):
    """View of (members, rows, n * m) as (members, n, rows, m), for a block of shape (n, k, m)."""
    n, _, size = mixing.shape
    return array.reshape(*array.shape[:2], n, size).swapaxes(1, 2)


@dataclass(frozen=True)
class Pass(Layer):
    """Columns as they are."""

    def allocate(self, space):
        return Cache(space)

    def forward(self, theta, x, cache):
        return x.toarray() if issparse(x) else x

    def backward(self, theta, d, cache, grad):
        return d

    def tangent(self, theta, t, cache):
        return t

    def tangent_backward(self, theta, d, cache, grad):
        return d


@dataclass(frozen=True)
class Embedding(Layer):
    """A learned vector for every level of a category; 0 for a negative code, an unknown level.

    The input is one column of codes. Vectors start as N(0, 1), as loud as a scaled column.

    Parameters
    ----------
    table : Block of shape (n_levels, size)
    """

    table: Block

    @property
    def blocks(self):
        return (self.table,)

    def allocate(self, space):
        n_levels, size = self.table.shape
        return Cache(
            space,
            vectors=space.array("embedded", size),
            d_in=space.array("d", 1) if space.input_grad else None,
            n_levels=n_levels,
        )

    def forward(self, theta, x, cache):
        (table,) = cache.views("theta", theta, self.blocks)
        shape = x.shape[:2]
        codes = cache.codes = cache.work((cache.space.path, "codes"), shape, np.intp)
        np.copyto(codes, x[..., 0], casting="unsafe")
        cache.known = cache.work((cache.space.path, "known"), shape, cache.work.dtype)
        np.greater_equal(codes, 0, out=cache.known)
        np.maximum(codes, 0, out=codes)
        for member, vectors in enumerate(table):
            own = codes[min(member, len(codes) - 1)]
            np.take(vectors, own, axis=0, out=cache.vectors[member], mode="clip")
        cache.vectors *= cache.known[..., np.newaxis]
        return cache.vectors

    def backward(self, theta, d, cache, grad):
        if grad is not None:
            (target,) = cache.views("grad", grad, self.blocks)
            d *= cache.known[..., np.newaxis]
            cache.write(self.table, target, lambda out: self._sum_by_level(d, cache, out))
        return self._nothing(cache)

    def tangent(self, theta, t, cache):
        # A code is not a number that could move.
        out = cache.space.array("Jt", self.table.shape[1])
        out.fill(0.0)
        return out

    def tangent_backward(self, theta, d, cache, grad):
        return self._nothing(cache)

    def initialize(self, theta, rng):
        self.table.view(theta)[...] = rng.standard_normal(self.table.shape)

    @staticmethod
    def _sum_by_level(d, cache, out):
        for member, rows in enumerate(d):
            codes = cache.codes[min(member, len(cache.codes) - 1)]
            for k in range(rows.shape[1]):
                out[member, :, k] = np.bincount(codes, rows[:, k], cache.n_levels)

    @staticmethod
    def _nothing(cache):
        if cache.d_in is not None:
            cache.d_in.fill(0.0)
        return cache.d_in
