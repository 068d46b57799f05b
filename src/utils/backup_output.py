"""The commands `recarena backup` and `recarena restore`, and what they say."""

from collections.abc import Callable
from pathlib import Path

from core.settings import Settings
from utils.backup import backup
from utils.backup_manifest import summary
from utils.restore import restore
from utils.stores import find_stores

Report = Callable[[str], None]


def make_backup(
    settings: Settings, target: Path, tracker: Path | None, artifacts: Path | None, say: Report
) -> None:
    """Make a backup and say what it holds."""
    made = backup(settings, find_stores(settings, tracker, artifacts), target, say)
    say(f"{target} holds {summary(made)}")


def bring_back(
    settings: Settings,
    source: Path,
    tracker: Path | None,
    artifacts: Path | None,
    say: Report,
    *,
    replace: bool,
) -> None:
    """Restore a backup and say what came back."""
    stores = find_stores(settings, tracker, artifacts)
    made = restore(settings, stores, source, say, replace=replace)
    say(f"restored {summary(made)}, as of {made.created}")
