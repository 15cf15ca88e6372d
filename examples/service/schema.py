"""What a request may hold, by the schema of the model file."""

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic_core import from_json

MAX_ROWS = 10_000
# A batch in which every value is wrong need not be told so of each.
MAX_ERRORS = 100


class RequestSchema:
    """Reads rows, and says which field is wrong.

    Parameters
    ----------
    schema : dict
        What `sklearnx.io.read_metadata` returns as 'schema'.
    """

    def __init__(self, schema: dict[str, Any]):
        columns = schema["columns"]
        if not columns or any(column["name"] is None for column in columns):
            raise ValueError(
                "The model has no names of columns, by which rows are given: fit it "
                "on a DataFrame."
            )
        self.columns = columns
        self.classes = schema["classes"]
        self._checks = {column["name"]: choose_check(column) for column in columns}
        self._levels = {
            column["name"]: frozenset(column["levels"])
            for column in columns
            if column["kind"] == "category"
        }

    def read_row(self, body: bytes) -> dict[str, Any]:
        """Return the row in the body of a request."""
        row = parse(body)
        refuse_if_any(self._find_errors(row, ("body",)))
        return row

    def read_rows(self, body: bytes) -> list[dict[str, Any]]:
        """Return the rows in the body of a request."""
        rows = parse(body)
        if not isinstance(rows, list) or not 1 <= len(rows) <= MAX_ROWS:
            message = f"Input should be a list of 1 to {MAX_ROWS:,} rows"
            raise RequestValidationError([make_error("list_type", ("body",), message)])
        refuse_if_any(
            error
            for i, row in enumerate(rows)
            for error in self._find_errors(row, ("body", i))
        )
        return rows

    def count_unseen(self, rows: list[dict[str, Any]]) -> Counter:
        """Return by column how many levels the model was not fitted on."""
        return Counter(
            name
            for name, levels in self._levels.items()
            for row in rows
            if (level := row[name]) is not None and level not in levels
        )

    def _find_errors(self, row, loc) -> Iterator[dict[str, Any]]:
        if not isinstance(row, dict):
            yield make_error("dict_type", loc, "Input should be an object")
            return
        for name, check in self._checks.items():
            if name not in row:
                yield make_error("missing", (*loc, name), "Field required")
            elif row[name] is not None and (problem := check(row[name])) is not None:
                kind, message = problem
                yield make_error(kind, (*loc, name), message)
        if not row.keys() <= self._checks.keys():
            for name in row:
                if name not in self._checks:
                    message = "The model has no such column"
                    yield make_error("extra_forbidden", (*loc, name), message)


# ---- checks of a value: they return the type and the text of an error, or None -------


def choose_check(column):
    """Return the check of a column's values."""
    if column["kind"] == "number":
        return check_number
    types = {type(level) for level in column.get("levels", [])}
    if types == {str}:
        return check_text
    if types and types <= {int, float}:
        return check_number
    return check_scalar


def check_number(value):
    # A bool is an int to Python.
    if type(value) is not float and type(value) is not int:
        return "float_type", "Input should be a valid number"
    if not abs(value) <= sys.float_info.max:  # NaN is not, either
        return "finite_number", "Input should be a finite number"
    return None


def check_text(value):
    if not isinstance(value, str):
        return "string_type", "Input should be a valid string"
    return None


def check_scalar(value):
    if isinstance(value, list | dict):
        return "scalar_type", "Input should be a string, a number or a boolean"
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return "int_size", "Input should be an integer of 64 bits"
    return check_number(value) if isinstance(value, float) else None


# ---- errors, as FastAPI answers with them --------------------------------------------


def parse(body: bytes) -> Any:
    """Return what a JSON text stands for, as Python has it."""
    try:
        return from_json(body)
    except ValueError as error:
        problem = make_error("json_invalid", ("body",), f"Invalid JSON: {error}")
        raise RequestValidationError([problem]) from error


def make_error(kind: str, loc: tuple, message: str) -> dict[str, Any]:
    """Return an error, without the value: NaN is no JSON, and it may be long."""
    return {"type": kind, "loc": loc, "msg": message}


def refuse_if_any(errors: Iterable[dict[str, Any]]) -> None:
    """Answer with 422 and the first errors, if there are any."""
    if found := list(itertools.islice(errors, MAX_ERRORS)):
        raise RequestValidationError(found)
