"""Matplotlib's figures as SVG elements for the inside of a page, in the page's own colours.

Colours are drawn as stand-ins and come out as CSS variables, so that the same drawing reads well in
light and in dark; letters stay text, in the page's font. Equal figures give equal bytes.
"""

import io
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDTH = 400.0  # of every figure; a unit is a CSS pixel when it is shown at this width
FONT = 11.5
NAMES = ("fg", "muted", "grid", "bg", "accent", *(f"s{n}" for n in range(1, 9)), "h1", "h2", "h3")
COLOUR = {name: "#" + f"{place:02x}" * 3 for place, name in enumerate(NAMES, 1)}
"""Stand-ins for the page's colours, by the name of their CSS variable; none is black, which
matplotlib does not write."""

_VARIABLE = {stand_in: f"var(--{name})" for name, stand_in in COLOUR.items()}
_SPACE = "{http://www.w3.org/2000/svg}"
_LINK = "{http://www.w3.org/1999/xlink}href"


@contextmanager
def figures() -> Iterator[None]:
    """Draw in the report's style inside the block, whatever the user's own settings are."""
    import matplotlib as mpl  # noqa: PLC0415 - takes half a second

    with mpl.rc_context(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing from font")
        mpl.rcdefaults()
        mpl.rcParams.update(
            {
                "svg.fonttype": "none",
                "svg.hashsalt": "recarena",
                "text.parse_math": False,
                "axes.formatter.use_mathtext": False,
                "axes.unicode_minus": True,
                "font.size": FONT,
                "axes.labelsize": FONT,
                "axes.titlesize": FONT,
                "figure.facecolor": "none",
                "axes.facecolor": "none",
                "axes.edgecolor": COLOUR["muted"],
                "axes.linewidth": 0.8,
                "axes.spines.top": False,
                "axes.spines.right": False,
                "axes.axisbelow": True,
                "axes.grid": True,
                "grid.color": COLOUR["grid"],
                "grid.linewidth": 0.8,
                "text.color": COLOUR["fg"],
                "axes.labelcolor": COLOUR["fg"],
                "axes.titlecolor": COLOUR["fg"],
                "xtick.color": COLOUR["muted"],
                "ytick.color": COLOUR["muted"],
                "xtick.labelcolor": COLOUR["fg"],
                "ytick.labelcolor": COLOUR["fg"],
                "xtick.major.size": 3,
                "ytick.major.size": 3,
                "xtick.minor.size": 0,
                "lines.linewidth": 1.8,
            }
        )
        yield


def new_figure(height: float) -> "Figure":
    """An empty figure of the common width; a point of it is a unit of the drawing."""
    from matplotlib.backends.backend_svg import FigureCanvasSVG  # noqa: PLC0415
    from matplotlib.figure import Figure  # noqa: PLC0415

    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    FigureCanvasSVG(figure)
    return figure


def inline(figure: "Figure", key: str, title: str, description: str) -> str:
    """The figure as an `<svg>` element, whose ids begin with `key`.

    `title` and `description` are what is read out in its place.
    """
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    root = ElementTree.fromstring(out.getvalue())  # noqa: S314 - see above
    for name in ("metadata", "defs"):
        for one in root.findall(_SPACE + name):
            if one.find(_SPACE + "clipPath") is None:
                root.remove(one)
    _own_ids(root, key)
    for one in root.iter():
        _plain(one)
    box = root.get("viewBox", "")
    root.attrib.clear()
    root.attrib |= {"viewBox": box, "role": "img", "aria-labelledby": f"{key}-title {key}-desc"}
    for place, (name, text) in enumerate((("title", title), ("desc", description))):
        said = ElementTree.Element(name, {"id": f"{key}-{name}"})
        said.text = text
        root.insert(place, said)
    return ElementTree.tostring(root, encoding="unicode")


def _own_ids(root: ElementTree.Element, key: str) -> None:
    """Keep the ids that something refers to, under names that no other figure has."""
    used: dict[str, str] = {}

    def named(found: re.Match[str]) -> str:
        return "#" + used.setdefault(found[1], f"{key}-{len(used)}")

    for one in root.iter():
        if _LINK in one.attrib:
            one.set("href", re.sub(r"#(.+)", named, one.attrib.pop(_LINK)))
        if "clip-path" in one.attrib:
            one.set("clip-path", re.sub(r"#([^)]+)", named, one.attrib["clip-path"]))
    for one in root.iter():
        name = one.attrib.pop("id", "")
        if name in used:
            one.set("id", used[name])


def _plain(one: ElementTree.Element) -> None:
    """Take off an element what a page says better: namespace, fonts, colours, empty turns."""
    one.tag = one.tag.removeprefix(_SPACE)
    if one.tag != "text" and not (one.text or "").strip():
        one.text = None
    one.tail = None
    if one.get("transform", "").startswith("rotate(-0 "):
        del one.attrib["transform"]
    if "d" in one.attrib:
        one.set("d", _short(one.attrib["d"]))
    for name in ("x", "y"):
        if name in one.attrib:
            one.set(name, _short(one.attrib[name]))
    if "style" in one.attrib:
        style = re.sub(r"font-family:[^;]*;? ?", "", one.attrib["style"])
        one.set("style", re.sub(r"#[0-9a-f]{6}", lambda c: _VARIABLE.get(c[0], c[0]), style))


def _short(numbers: str) -> str:
    """Coordinates to a hundredth of a pixel, in one line."""
    rounded = re.sub(r"-?\d+\.\d+", lambda n: f"{float(n[0]):.2f}".rstrip("0").rstrip("."), numbers)
    return " ".join(rounded.split())
