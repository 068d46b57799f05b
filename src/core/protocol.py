"""What makes two runs comparable: how they were judged, apart from what they learned with."""

from dataclasses import asdict, dataclass

from core.settings import Settings


@dataclass(frozen=True)
class EvaluationProtocol:
    """How recommenders are judged; runs with different protocols cannot be compared.

    The newest `n_test` ratings of each user are the test set, after the newest `n_held_back` were
    left out altogether: so parameters can be chosen on ratings that are no test ratings. Lists
    of `k` items are drawn from the whole catalogue minus everything that the user rated in train.
    A test rating of at least `relevance_threshold` stars is relevant. `user_num` users are
    sampled with `user_seed`; 0 takes all.
    """

    dataset: str
    n_test: int = 5
    n_held_back: int = 0
    k: int = 10
    relevance_threshold: float = 4.0
    user_num: int = 0
    user_seed: int = 0
    split: str = "last_n"

    @classmethod
    def of(cls, settings: Settings, dataset: str) -> "EvaluationProtocol":
        """The protocol that the settings ask for, on a data set."""
        return cls(
            dataset=dataset,
            n_test=settings.n_test,
            n_held_back=settings.n_held_back,
            k=settings.top_k,
            relevance_threshold=settings.relevance_threshold,
            user_num=settings.user_num,
            user_seed=settings.user_seed,
        )

    def params(self) -> dict[str, object]:
        """The protocol as parameters of a run, set apart from hyper-parameters by a prefix."""
        return {f"protocol.{name}": value for name, value in asdict(self).items()}
