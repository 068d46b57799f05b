"""The plot of cost against size."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.sizes import curve, total_seconds

MARKERS = "osD^v<>Phx*"


def cost_against_size(file: Path, pipelines: Mapping[str, Any]) -> None:
    """Draw seconds and peak memory against ratings, one line a pipeline, both axes logarithmic."""
    import matplotlib as mpl  # noqa: PLC0415 - takes seconds

    mpl.use("Agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415

    panels = (
        ("fit and rank everybody, seconds", total_seconds),
        ("peak memory, MiB", lambda run: run["peak_mib"]),
    )
    figure, axes = plt.subplots(1, 2, figsize=(11, 4.8), layout="constrained")
    colors = plt.get_cmap("tab20").colors[::2] + plt.get_cmap("tab20").colors[1::2]
    for axis, (label, cost) in zip(axes, panels, strict=True):
        for number, (name, by_size) in enumerate(pipelines.items()):
            axis.loglog(
                *curve(by_size, cost),
                label=name,
                color=colors[number % len(colors)],
                marker=MARKERS[number % len(MARKERS)],
                markersize=5,
            )
        axis.set_xlabel("ratings")
        axis.set_title(label, fontsize=11)
        axis.grid(visible=True, which="major", alpha=0.3)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside right center")
    file.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(file, dpi=120)
    plt.close(figure)
