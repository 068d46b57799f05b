"""Hyper-parameters: declared once, as fields of a class, for every place that needs them."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from core.errors import RecArenaError, printable

PARAMS_FILE = "pipeline_params.env"
SHOWN = 80  # characters of a wrong value


class PipelineParams(BaseSettings):
    """Base of a recommender's hyper-parameters.

    Each field is typed, bounded, and documented by the string under it; the same object is the
    command line's help, the environment variables, and the parameters that a run logs.
    """

    model_config = SettingsConfigDict(
        frozen=True,
        extra="forbid",
        use_attribute_docstrings=True,
        env_ignore_empty=True,
        allow_inf_nan=False,
    )

    @classmethod
    def load(cls, folder: Path, given: Mapping[str, Any] | None = None) -> Self:
        """Parameters, strongest first: `given`, environment, the folder's file, defaults.

        Raises RecArenaError naming the first parameter that is unknown or out of its range.
        """
        try:
            return cls(_env_file=folder / PARAMS_FILE, **(given or {}))
        except ValidationError as error:
            raise RecArenaError(_describe(error, cls, folder)) from None
        except UnicodeError:
            raise RecArenaError(f"{folder / PARAMS_FILE} is not text in UTF-8") from None

    def __reduce__(self) -> tuple[Any, ...]:
        """As values alone, so that a pickled model is the same file however they were given."""
        return _restored, (type(self), self.model_dump())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, dotenv_settings


def _restored(params: type[PipelineParams], values: dict[str, Any]) -> PipelineParams:
    """The parameters of these values, which were checked when they were first made."""
    return params.model_construct(**values)


def _describe(error: ValidationError, params: type[PipelineParams], folder: Path) -> str:
    """What is wrong with the first wrong parameter, in one line."""
    first = error.errors(include_url=False)[0]
    message = printable(first["msg"].removeprefix("Value error, "))
    if not first["loc"]:  # of several parameters together
        return message
    name = str(first["loc"][0])
    if first["type"] == "extra_forbidden":
        known = ", ".join(field.upper() for field in params.model_fields)
        unknown = printable(name.upper())
        return f"{folder / PARAMS_FILE}: unknown parameter {unknown}; there are {known}"
    return f"{name.upper()}={_short(first['input'])}: {message}"


def _short(value: object) -> str:
    text = printable(value)
    return text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."


def parse(
    args: Sequence[str],
    program: str,
    models: Sequence[tuple[Any, Iterable[str]]],
) -> list[dict[str, str]]:
    """What a command line gives to the named fields of each pydantic model, as strings.

    Every field is an option, `--fill-with-zero` for `fill_with_zero`, helped by its docstring.
    Raises SystemExit, with a usage line, for an unknown option.
    """
    parser = argparse.ArgumentParser(program, allow_abbrev=False)
    for model, names in models:
        group = parser.add_argument_group(model.__name__)
        for name in names:
            field = model.model_fields[name]
            group.add_argument(
                f"--{name.replace('_', '-')}",
                dest=name,
                metavar="VALUE",
                default=argparse.SUPPRESS,
                help=f"{field.description} [{field.default}]".replace("%", "%%"),
            )
    given = vars(parser.parse_args(args))
    return [{name: given[name] for name in names if name in given} for _, names in models]
