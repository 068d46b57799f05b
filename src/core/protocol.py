"""What makes two runs comparable: how they were judged, apart from what they learned with."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from datetime import UTC, date, datetime
from typing import Any, Self

from pydantic import TypeAdapter

from core.settings import Settings, Split, SplitPart

PREFIX = "protocol."
OF_A_SPLIT: dict[Split, tuple[str, ...]] = {
    "last_n": ("n_test", "n_held_back"),
    "leave_one_out": (),
    "random": ("n_folds", "fold", "split_seed"),
    "global_time": ("split_quantile", "split_date"),
}
_RENAMED = {"k": "top_k"}  # fields that the settings call otherwise


@dataclass(frozen=True)
class EvaluationProtocol:
    """How recommenders are judged; runs with different protocols cannot be compared.

    `split` says how the test ratings are chosen, in `integrated_tables.sql`: by `last_n` the
    newest `n_test` ratings of each user, after the newest `n_held_back` were left out altogether;
    by `leave_one_out` the newest rating of each user; by `random` fold number `fold` of `n_folds`
    parts of all ratings, with `split_seed`; by `global_time` all ratings from `split_date` on, or
    those after `split_quantile` of all. With `split_part` "validation" the test ratings are left
    out, and what was train is split once more in the same way.

    Lists of `k` items are drawn from the whole catalogue minus everything that the user rated in
    train. A test rating of at least `relevance_threshold` stars is relevant. `user_num` users are
    sampled with `user_seed`; 0 takes all.

    Fields of another strategy than `split` mean nothing; `of` leaves them at their defaults.
    """

    dataset: str
    n_test: int = 5
    n_held_back: int = 0
    k: int = 10
    relevance_threshold: float = 4.0
    user_num: int = 0
    user_seed: int = 0
    split: Split = "last_n"
    split_part: SplitPart = "test"
    n_folds: int = 5
    fold: int = 1
    split_seed: int = 0
    split_quantile: float = 0.9
    split_date: date | None = None

    @classmethod
    def of(cls, settings: Settings, dataset: str) -> Self:
        """The protocol that the settings ask for, on a data set."""
        wanted = {
            field.name: getattr(settings, _RENAMED.get(field.name, field.name))
            for field in fields(cls)
            if field.name != "dataset" and field.name not in _meaningless(settings)
        }
        return cls(dataset, **wanted)

    @classmethod
    def of_run(cls, params: Mapping[str, str]) -> Self:
        """The protocol of a run, from its logged parameters; also of one made by older code.

        What a run did not log has its default, which is what it then meant. Raises ValueError if
        the run has no protocol or one that is not known here.
        """
        given = {name.removeprefix(PREFIX): value for name, value in params.items()}
        known = {
            field.name: given[field.name] for field in fields(cls) if PREFIX + field.name in params
        }
        return TypeAdapter(cls).validate_python(known)

    def params(self) -> dict[str, object]:
        """The protocol as parameters of a run, set apart from hyper-parameters by a prefix.

        Only those that mean something for the strategy.
        """
        left_out = _meaningless(self)
        return {
            PREFIX + name: str(value) if isinstance(value, date) else value
            for name, value in asdict(self).items()
            if name not in left_out
        }

    def query_params(self) -> dict[str, object]:
        """The parameters of `integrated_tables.sql`."""
        day = self.split_date
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None
        names = ("split", "split_part", "n_test", "n_held_back", "n_folds", "fold", "user_num")
        return {name: getattr(self, name) for name in names} | {
            "split_seed": str(self.split_seed),
            "split_quantile": self.split_quantile,
            "split_second": int(midnight.timestamp()) if midnight else None,
            "user_seed": str(self.user_seed),
        }


def _meaningless(chosen: Settings | EvaluationProtocol) -> set[str]:
    """The fields that say nothing with the chosen strategy."""
    others = {
        name for split, names in OF_A_SPLIT.items() for name in names if split != chosen.split
    }
    if chosen.split == "global_time":
        others.add("split_quantile" if chosen.split_date else "split_date")
    if chosen.split_part == "test":
        others.add("split_part")  # as in runs that were made before there was another part
    return others


def unused(settings: Settings) -> list[str]:
    """In words, each setting that was given but has no meaning with the chosen split."""
    found = []
    for name in sorted(_meaningless(settings)):
        value: Any = getattr(settings, name)
        if value == Settings.model_fields[name].default:
            continue
        why = "SPLIT_DATE is given" if name == "split_quantile" else f"SPLIT={settings.split}"
        owner = next(split for split, names in OF_A_SPLIT.items() if name in names)
        if owner != settings.split:
            why = f"it belongs to SPLIT={owner}, and SPLIT is {settings.split}"
        found.append(f"{name.upper()}={value} is not used: {why}")
    return found


def describe(protocol: EvaluationProtocol) -> str:
    """The protocol in words, for people who look at a run."""
    users = f"a sample of {protocol.user_num} users" if protocol.user_num else "all users"
    return (
        f"{protocol.dataset}, {users}: {_test_set(protocol)}. Lists of {protocol.k} from the whole "
        f"catalogue minus what the user rated in train; relevant is a test rating of at least "
        f"{protocol.relevance_threshold:g} stars."
    )


def _test_set(protocol: EvaluationProtocol) -> str:
    """Which ratings are the test set, in words."""
    said = {
        "last_n": f"the newest {protocol.n_test} ratings of each user are the test set",
        "leave_one_out": "the newest rating of each user is the test set",
        "random": f"fold {protocol.fold} of {protocol.n_folds} random parts of all ratings (seed "
        f"{protocol.split_seed}) is the test set",
        "global_time": f"all ratings {_moment(protocol)} are the test set",
    }[protocol.split]
    if protocol.split == "last_n" and protocol.n_held_back:
        said += f", after the newest {protocol.n_held_back} were left out"
    if protocol.split_part == "validation":
        return f"{said}; it is left out, and train is split once more in the same way to validate"
    return said


def _moment(protocol: EvaluationProtocol) -> str:
    if protocol.split_date:
        return f"from {protocol.split_date} (00:00 UTC) on"
    return f"after the oldest {100 * protocol.split_quantile:.6g} %"


def remedy(protocol: EvaluationProtocol) -> str:
    """Why a split may leave no rating on one side, and which setting to change."""
    return {
        "last_n": "no user has more ratings than the test set takes; lower N_TEST",
        "leave_one_out": "no user has two ratings",
        "random": "there are too few ratings for the folds; lower N_FOLDS or take another FOLD",
        "global_time": "the cut leaves all ratings on one side; "
        + ("choose another SPLIT_DATE" if protocol.split_date else "change SPLIT_QUANTILE"),
    }[protocol.split]
