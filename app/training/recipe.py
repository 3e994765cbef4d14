"""Recipes: published configurations, whose values a run uses for the keys that it does not set."""

import tomllib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any

from app.errors import TrainingInvalid
from app.training.near_names import unknown_name

_FOLDER = files("app.training") / "recipes"
_LENGTHS = ("epochs", "iterations")
_KEPT_BY_LOSSES = ("sub_centers", "sample_rate")
_LOST_BY_OTHERS = {"backbone": ("options",), "optimiser": ("momentum", "options")}


def recipe_names() -> list[str]:
    """Return the names of all recipes, sorted."""
    return sorted(file.name.removesuffix(".toml") for file in _FOLDER.iterdir() if file.name.endswith(".toml"))


def read_recipe(name: str) -> dict[str, Any]:
    """Return the values of a recipe; raises TrainingInvalid, with the nearest names, if it is unknown."""
    if name not in recipe_names():
        raise TrainingInvalid(unknown_name("recipe", name, recipe_names()))
    return tomllib.loads((_FOLDER / f"{name}.toml").read_text("utf-8"))


def overlay(base: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `base`, replaced by those of `values` where both have one, also in nested tables.

    If `values` names another loss, the parameters of the loss in `base` are dropped. For another backbone, its options
    are dropped, and for another optimizer its momentum and options. A length in epochs replaces one in iterations, and
    the reverse.
    """
    merged = dict(base)
    for key, value in values.items():
        below = base.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            merged[key] = overlay(_inherited(key, below, value), value)
        else:
            merged[key] = value
    return merged


def _inherited(table: str, below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of a table of the base that apply together with the keys of `above`."""
    if table == "schedule" and any(above.get(length) is not None for length in _LENGTHS):
        return {key: value for key, value in below.items() if key not in _LENGTHS}
    if "name" not in above or above["name"] == below.get("name"):
        return dict(below)
    if table == "loss":
        return {key: value for key, value in below.items() if key in _KEPT_BY_LOSSES}
    return {key: value for key, value in below.items() if key not in _LOST_BY_OTHERS.get(table, ())}
