"""What crosses of NetworkX: graphs of its four classes, as their nodes and the neighbours of each.

The order of nodes and of neighbours is kept, since algorithms follow it. A node is sent once and then meant
by its place; so is an edge, which both of its ends have in common.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Final, NamedTuple

import numpy as np

from examiner.wire.apart import LIBRARIES, Apart, Library, StaysThere, expect, is_item, item, module, only_if

_MAX_NODES: Final = 100_000
_MAX_EDGES: Final = 100_000
_MAX_TUPLES: Final = 2000  # of labels that are tuples, since these can be chosen to share one hash
_MAX_LENGTH: Final = 8  # items of such a tuple
_MAX_NESTING: Final = 3  # of tuples in it
_MAX_NUMBER: Final = 1 << 63  # longer ints can be chosen to share one hash, too
_CLASSES: Final = ("Graph", "DiGraph", "MultiGraph", "MultiDiGraph")
_LABELS: Final = frozenset(
    {bool, int, float, str, bytes, np.bool_, np.float16, np.float32, np.float64}
    | {np.dtype(f"{sign}int{bits}").type for sign in ("", "u") for bits in (8, 16, 32, 64)}
)
# What a graph has of its own, with the views that it keeps once they were asked for. What is frozen, or a
# view of another graph, has more.
_ATTRIBUTES: Final = frozenset(
    {"graph", "_node", "_adj", "_succ", "_pred", "__networkx_cache__", "adj", "succ", "pred", "nodes"}
    | {f"{which}{what}" for which in ("", "in_", "out_") for what in ("edges", "degree")}
)


class _Links(NamedTuple):
    """How many neighbours each node has, which nodes these are, and by which edges."""

    counts: Any
    nodes: Any
    edges: Any


def take(value: Any) -> Apart | None:
    """Return a graph as its nodes, its edges and what is noted of them."""
    name = _kinds().get(type(value))
    return None if name is None else Apart(name, _take_graph(value))


@cache
def _kinds() -> dict[type, str]:
    """Return the kinds of graphs by their exact classes."""
    return {getattr(module("networkx"), name): f"networkx {name}" for name in _CLASSES}


def _take_graph(graph: Any) -> Any:
    own = vars(graph)
    only_if(own.keys() <= _ATTRIBUTES)
    about, noted, adjacency = (own.get(name) for name in ("graph", "_node", "_adj"))
    only_if(type(about) is type(noted) is type(adjacency) is dict)
    only_if(own.get("_succ", adjacency) is adjacency)
    nodes = [*noted]
    only_if(len(nodes) <= _MAX_NODES and _are_labels(nodes) and nodes == [*adjacency])
    places = {node: place for place, node in enumerate(nodes)}
    links, edges = _take_links(adjacency, places, is_directed=graph.is_directed())
    before = _take_reversed(own.get("_pred"), places, links, edges) if graph.is_directed() else None
    keys = None
    if graph.is_multigraph():
        keys, edges = _take_parallel(edges)
    notes = _take_notes([*noted.values()]), _take_notes(edges)
    return (item(about), nodes, tuple(links), before, keys, *notes)


def _are_labels(labels: Sequence[Any]) -> bool:
    """Whether these may be nodes or keys of edges."""
    return sum(type(label) is tuple for label in labels) <= _MAX_TUPLES and all(map(_is_label, labels))


def _is_label(label: Any, depth: int = 0) -> bool:
    if type(label) is tuple:
        is_small = depth < _MAX_NESTING and len(label) <= _MAX_LENGTH
        return is_small and all(_is_label(one, depth + 1) for one in label)
    return type(label) in _LABELS and (type(label) is not int or abs(label) < _MAX_NUMBER)


def _neighbours(adjacency: Any, places: dict[Any, int]) -> Iterator[tuple[int, int, Any]]:
    """Yield each node, a neighbour, and what lies between them."""
    only_if(type(adjacency) is dict and all(type(found) is dict for found in adjacency.values()))
    for place, found in enumerate(adjacency.values()):
        only_if(found.keys() <= places.keys())
        for neighbour, between in found.items():
            yield place, places[neighbour], between


def _take_links(adjacency: Any, places: dict[Any, int], *, is_directed: bool) -> tuple[_Links, list[Any]]:
    """Return the neighbours, and what lies between two nodes, by the number of the edge."""
    edges: list[Any] = []
    numbers: dict[tuple[int, int], int] = {}
    rows: list[tuple[int, int, int]] = []
    for one, other, between in _neighbours(adjacency, places):
        only_if(type(between) is dict)
        number = None if is_directed else numbers.pop((other, one), None)
        if number is None:
            number = len(edges)
            only_if(number < _MAX_EDGES)
            edges.append(between)
            if not is_directed and one != other:
                numbers[one, other] = number
        only_if(edges[number] is between)
        rows.append((one, other, number))
    only_if(not numbers)
    return _as_links(rows, len(places)), edges


def _take_reversed(adjacency: Any, places: dict[Any, int], links: _Links, edges: list[Any]) -> Any:
    """Return the predecessors, which must be those that follow from the successors."""
    only_if(type(adjacency) is dict and [*adjacency] == [*places])
    ends = zip(_sources(links.counts).tolist(), links.nodes.tolist(), strict=True)
    numbers = {pair: number for number, pair in enumerate(ends)}  # edges are numbered in this order
    rows = []
    for one, other, between in _neighbours(adjacency, places):
        number = numbers.pop((other, one), None)
        if number is None or edges[number] is not between:
            raise StaysThere
        rows.append((one, other, number))
    only_if(not numbers)
    return tuple(_as_links(rows, len(places)))


def _as_links(rows: list[tuple[int, int, int]], count: int) -> _Links:
    sources, nodes, edges = np.array(rows, np.int64).reshape(-1, 3).T.copy()
    return _Links(np.bincount(sources, minlength=count).astype(np.int64), nodes, edges)


def _sources(counts: Any) -> Any:
    return np.repeat(np.arange(len(counts)), counts)


def _take_parallel(edges: list[Any]) -> tuple[Any, list[Any]]:
    """Return how many edges lie between two nodes, with their keys; and what is noted of each."""
    keys = [key for parallel in edges for key in parallel]
    only_if(len(keys) <= _MAX_EDGES and _are_labels(keys))
    counts = np.array([len(parallel) for parallel in edges], np.int64)
    only_if(bool(np.all(counts)))
    return (counts, keys), [noted for parallel in edges for noted in parallel.values()]


def _take_notes(noted: Sequence[Any]) -> Any:
    """Return of which of them something is noted, and what."""
    only_if(all(type(one) is dict for one in noted))
    places = [place for place, one in enumerate(noted) if one]
    return np.array(places, np.int64), [item(noted[place]) for place in places]


def _make_graph(name: str, parts: Any) -> Any:
    """Return a graph of one of the classes from parts that are not trusted."""
    about, nodes, links, before, keys, node_notes, edge_notes = parts
    graph = getattr(module("networkx"), name)()
    expect(type(about) is dict and is_item(about), "notes that are none")
    expect(type(nodes) is list and len(nodes) <= _MAX_NODES and _are_labels(nodes), "nodes that are none")
    noted = dict(zip(nodes, _make_notes(node_notes, len(nodes)), strict=True))
    expect(len(noted) == len(nodes), "a node twice")
    forth = _make_links(links, len(nodes))
    edges = _make_edges(keys, edge_notes, forth, is_multiple=graph.is_multigraph())
    expect((before is not None) == graph.is_directed(), "edges of another direction")
    if graph.is_directed():
        back = _make_links(before, len(nodes))
        _check_directed(forth, back, len(edges))
        graph._pred = _adjacency(nodes, back, edges)  # noqa: SLF001 - a method adds edges in an order of its own
    else:
        _check_undirected(forth, len(edges))
    graph._node, graph._adj = noted, _adjacency(nodes, forth, edges)  # noqa: SLF001 - as above
    graph.graph.update(about)
    return graph


def _make_notes(parts: Any, count: int) -> list[dict[str, Any]]:
    """Return what is noted of each of so many nodes or edges."""
    places, noted = parts
    _check_places(places, count)
    expect(type(noted) is list and len(noted) == len(places), "notes about something else")
    expect(all(type(one) is dict and is_item(one) for one in noted), "notes that are not plain")
    made: list[dict[str, Any]] = [{} for _ in range(count)]
    for place, one in zip(places.tolist(), noted, strict=True):
        made[place] = one
    return made


def _make_links(parts: Any, count: int) -> _Links:
    links = _Links(*parts)
    _check_places(links.counts, _MAX_EDGES + 1)
    expect(len(links.counts) == count and len(links.nodes) <= 2 * _MAX_EDGES, "neighbours of other nodes")
    _check_places(links.nodes, count)
    _check_places(links.edges, len(links.edges))
    expect(int(links.counts.sum()) == len(links.nodes) == len(links.edges), "neighbours of another number")
    pairs = _sources(links.counts) * count + links.nodes
    expect(len(np.unique(pairs)) == len(pairs), "a neighbour twice")
    return links


def _check_places(places: Any, count: int) -> None:
    is_array = type(places) is np.ndarray and places.dtype == np.int64 and places.ndim == 1
    expect(is_array and not (len(places) and (places.min() < 0 or places.max() >= count)), "a place outside")


def _make_edges(keys: Any, notes: Any, links: _Links, *, is_multiple: bool) -> list[dict[Any, Any]]:
    """Return what lies between two nodes, by the number of the edge."""
    expect((keys is not None) == is_multiple, "edges of another kind")
    edges = len(np.unique(links.edges))
    _check_places(links.edges, edges)
    if keys is None:
        return _make_notes(notes, edges)
    counts, names = keys
    _check_places(counts, _MAX_EDGES + 1)
    expect(type(names) is list and len(names) <= _MAX_EDGES and _are_labels(names), "keys that are none")
    expect(len(counts) == edges and bool(np.all(counts)) and int(counts.sum()) == len(names), "other keys")
    every = iter(zip(names, _make_notes(notes, len(names)), strict=True))
    made: list[dict[Any, Any]] = [dict(next(every) for _ in range(count)) for count in counts.tolist()]
    expect(sum(map(len, made)) == len(names), "a key twice")
    return made


def _check_directed(forth: _Links, back: _Links, edges: int) -> None:
    """Hold the predecessors against the successors: each edge leads from one node to another."""
    expect(len(forth.edges) == len(back.edges) == edges, "an edge twice")
    first, second = np.argsort(forth.edges), np.argsort(back.edges)
    there = forth.edges[first], _sources(forth.counts)[first], forth.nodes[first]
    again = back.edges[second], back.nodes[second], _sources(back.counts)[second]
    expect(all(map(np.array_equal, there, again)), "edges that lead elsewhere")


def _check_undirected(links: _Links, edges: int) -> None:
    """Hold both ends of each edge against each other; a loop has one."""
    sources, count = _sources(links.counts), len(links.counts)
    low, high = np.minimum(sources, links.nodes), np.maximum(sources, links.nodes)
    pairs, sizes = np.unique(low * count + high, return_counts=True)
    expect(len(pairs) == edges, "an edge twice")
    is_loop = pairs // max(1, count) == pairs % max(1, count)
    expect(bool(np.all(sizes == np.where(is_loop, 1, 2))), "an edge with one end")
    known = np.full(edges, -1, np.int64)
    known[links.edges] = low * count + high
    expect(bool(np.array_equal(known[links.edges], low * count + high)), "an edge between other nodes")


def _adjacency(nodes: list[Any], links: _Links, edges: list[Any]) -> dict[Any, dict[Any, Any]]:
    """Return the neighbours of each node, with what lies between them."""
    every = iter(zip(links.nodes.tolist(), links.edges.tolist(), strict=True))
    return {
        node: {nodes[other]: edges[edge] for other, edge in _first(every, count)}
        for node, count in zip(nodes, links.counts.tolist(), strict=True)
    }


def _first(every: Iterator[tuple[int, int]], count: int) -> Iterable[tuple[int, int]]:
    return (next(every) for _ in range(count))


def _maker(name: str) -> Callable[[Any], Any]:
    return lambda parts: _make_graph(name, parts)


def _become(ours: Any, theirs: Any) -> bool:
    """Make a graph another one; what is kept of its views goes with it."""
    vars(ours).clear()
    vars(ours).update(vars(theirs))
    return True


LIBRARIES["networkx"] = Library(
    take,
    {f"networkx {name}": _maker(name) for name in _CLASSES},
    become=_become,
    changing=frozenset(_CLASSES),
)
