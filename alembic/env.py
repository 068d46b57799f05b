"""What the command `alembic` runs: the migrations, for each data set in its own schema."""

from logging.config import fileConfig

from alembic import context
from alembic.util import CommandError

from core.errors import RecArenaError
from core.settings import Settings
from table_models.datasets import DATASETS, DataSet, find
from table_models.migrations import migrate, migrate_offline, transaction


def chosen() -> list[DataSet]:
    """The data set of `-x dataset=NAME`, else all."""
    given = context.get_x_argument(as_dictionary=True)
    for key in given:
        if key != "dataset":
            raise RecArenaError(f"-x knows only dataset=NAME, not {key}")
    return [find(str(given["dataset"]))] if given else list(DATASETS.values())


def main() -> None:
    """Run the command's migrations on a connection that was passed, or on the settings'."""
    passed = context.config.attributes.get("connection")
    if passed is not None:
        migrate(passed, context.config.attributes["schema"], context)
        return
    if context.config.config_file_name:
        fileConfig(context.config.config_file_name, disable_existing_loggers=False)
    for dataset in chosen():
        if context.is_offline_mode():
            migrate_offline(dataset.schema, context)
            continue
        with transaction(Settings.load()) as connection:
            migrate(connection, dataset.schema, context)


try:
    main()
except RecArenaError as error:
    raise CommandError(str(error)) from None
