"""The sections of RESULTS.md that compare with other libraries: goals, and lines."""

import statistics
from typing import Any

from harness.comparisons import RULES, TOPICS
from harness.goals import Goal, below, beside_peer
from harness.tables import Runs, entrant, finished, peaks, seconds, table

Section = tuple[list[Goal], list[str]]
ENTRANTS = ("", "seconds", "peak MiB")
SURPRISE_MATRICES = 7
"""n x n arrays of 8 bytes that Surprise's `pearson` keeps: freq, prods, sqi, sqj, si, sj and sim
(similarities.pyx of 1.1.5)."""


def entrants_table(data: dict[str, Any]) -> list[str]:
    """All contestants of a comparison."""
    return table(ENTRANTS, [entrant(who, runs) for who, runs in data["entrants"].items()])


def rankings(data: dict[str, Any]) -> Section:
    """Ranking and evaluation beside implicit, Cornac and LensKit."""
    entrants = data["entrants"]
    ours, theirs = entrants["ours"], entrants["implicit"]
    goals = [
        beside_peer(
            f"implicit-{factors}",
            f"top-10 of all users, {factors} factors, implicit's `recommend`",
            seconds(ours, f"rank {factors}"),
            seconds(theirs, f"rank {factors}"),
            3,
        )
        for factors in (64, 128)
    ]
    goals.append(below("evaluate", "evaluation of all users", seconds(ours, "evaluate"), 1, "s"))
    whole = seconds(ours, "rank and evaluate")
    for who, scaled in (("Cornac", _cornac), ("LensKit", _lenskit)):
        runs = entrants[who.lower()]
        costs = [scaled(one, data["samples"], data["users"]) for one in finished(runs)]
        what = f"ranking and evaluation of all users, {who}"
        goals.append(beside_peer(who.lower(), what, whole, costs, None, note=", scaled"))
    same = data["same"].get("implicit")
    agreed = "" if same is None else f" Our lists and implicit's agree in {same:.4%} of places."
    few, many = data["samples"]
    return goals, [
        "Ours and implicit rank the same seeded factors, the seen items left out, and one BLAS "
        f"thread for each.{agreed} Cornac (BPR, `ranking_eval`) and LensKit (ImplicitMF, "
        "`batch.recommend` and `RunAnalysis`) have 64 factors of their own and evaluate recall "
        f"and NDCG at 10 of samples of {few:,} and {many:,} users; all users are scaled from the "
        "line through these two, for LensKit with one process or two, whichever is faster. "
        "Evaluation of ours is `utils.evaluation.evaluate` without the ranking: all metrics, RMSE "
        "included.",
        "",
        *entrants_table(data),
    ]


def _scaled(samples: list[int], costs: list[float], users: int) -> float:
    """The cost of all users, on the line through the costs of both samples."""
    slope = (costs[1] - costs[0]) / (samples[1] - samples[0])
    return costs[1] + slope * (users - samples[1])


def _cornac(one: dict[str, Any], samples: list[int], users: int) -> float:
    taken = one["seconds"]
    return _scaled(samples, [taken[f"evaluate {size}"] for size in samples], users)


def _lenskit(one: dict[str, Any], samples: list[int], users: int) -> float:
    taken = one["seconds"]
    judged = _scaled(samples, [taken[f"evaluate {size}"] for size in samples], users)
    ranked = (
        _scaled(samples, [taken[f"rank {size} jobs={jobs}"] for size in samples], users)
        for jobs in (1, 2)
    )
    return min(ranked) + judged


def _epochs(runs: Runs, label: str) -> list[float]:
    """Seconds of an epoch: half of what 3 epochs take longer than 1."""
    few, many = (seconds(runs, label.format(n)) for n in (1, 3))
    return [(long - short) / 2 for short, long in zip(few, many, strict=True)]


def mf(data: dict[str, Any]) -> Section:
    """Matrix factorisation beside Surprise's SVD."""
    ours, theirs = data["entrants"]["ours"], data["entrants"]["surprise mf"]
    goals = [
        beside_peer(
            "mf-epoch",
            "MF, 100 factors, an epoch, Surprise",
            _epochs(ours, "fit factors=100 n_epochs={}"),
            _epochs(theirs, "fit n_epochs={}"),
            1,
        ),
        beside_peer("mf-memory", "MF, memory, Surprise", peaks(ours), peaks(theirs), 2, "MiB"),
    ]
    return goals, [
        "An epoch is half of what 3 epochs take longer than 1. Surprise: `SVD` on "
        "`load_from_df(...).build_full_trainset()`, of which the seconds are listed and not "
        "counted.",
        "",
        *entrants_table(data),
    ]


def umcf(data: dict[str, Any]) -> Section:
    """User-based filtering, and what Surprise would need for it."""
    ours, theirs = data["entrants"]["ours"], data["entrants"]["surprise knn"]
    matrix = data["users"] ** 2 * 8 / 2**20
    computed = [SURPRISE_MATRICES * matrix]
    goals = [
        below(
            f"umcf-{kind}",
            f"UMCF, {kind}: neighbours of all users, and predictions of the test ratings",
            seconds(ours, f"fit similarity={kind}", f"predict similarity={kind}"),
            150,
            "s",
        )
        for kind in ("cosine", "pearson")
    ]
    goals += [
        below("umcf-memory", "UMCF, memory", peaks(ours), 1536, "MiB"),
        beside_peer(
            "umcf-surprise",
            "UMCF, memory, Surprise's KNNWithMeans",
            peaks(ours),
            computed,
            None,
            "MiB",
            note=", computed",
        ),
    ]
    seen = "".join(
        f" Measured with {one['about']['users']:,} users: {one['about']['matrices']:.1f} matrices, "
        f"{one['seconds']['fit']:.0f} s."
        for one in finished(theirs)
    )
    return goals, [
        f"Surprise cannot run: one float64 matrix of all users takes {matrix / 1024:.1f} GiB "
        f"({matrix * 2**20 / 1e9:.0f} GB), and its Pearson similarity keeps {SURPRISE_MATRICES} "
        f"arrays of that size (`similarities.pyx`), {computed[0] / 1024:.0f} GiB.{seen}",
        "",
        *entrants_table(data),
    ]


def rules(data: dict[str, Any]) -> Section:
    """Pair rules beside mlxtend."""
    entrants = data["entrants"]
    ours = seconds(entrants["ours"], f"fit {RULES}")
    found = [seconds(runs, "rules") for who, runs in entrants.items() if who != "ours"]
    best = min((values for values in found if values), key=statistics.median, default=[])
    goal = beside_peer("rules", "pair rules, support 5 %, mlxtend's faster way", ours, best, 10)
    counts = [
        f"{who} {next(iter(told.values())):,}"
        for who, runs in entrants.items()
        for one in finished(runs)[:1]
        if (told := one["about"].get("tables", one["about"]))
    ]
    return [goal], [
        "Liked items (4 stars or more), one basket a user, pairs only. mlxtend works on a sparse "
        "boolean data frame, of which the making is listed and not counted. Rules found: "
        f"{', '.join(counts)}.",
        "",
        *entrants_table(data),
    ]


def topics(data: dict[str, Any]) -> Section:
    """LDA of users beside gensim used as in its first tutorial."""
    ours, theirs = data["entrants"]["ours"], data["entrants"]["gensim"]
    goal = beside_peer(
        "topics",
        "LDA, 50 topics, one pass and all users' topics, gensim used naively",
        seconds(ours, f"fit {TOPICS}"),
        seconds(theirs, "pass", "inference"),
        None,
    )
    return [goal], [
        "gensim: `LdaModel` on lists of tuples, without estimates of perplexity, then `inference` "
        "of all documents; the making of the lists is listed and not counted. Ours, which keeps "
        "gensim's updates and compiles its steps, at gensim's settings of them, and at its own.",
        "",
        *entrants_table(data),
    ]
