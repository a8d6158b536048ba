"""A loaded predictor with the request models that depend on its schema."""

import logging
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from bentos.runtime.lazy_torch import lazy_torch
from bentos.schema.models import Contribution, Explanation, requests_table, row_model, rows_model
from bentos.schema.request_errors import parse_request
from credence.core.errors import InputError
from credence.data.rows import original_name
from credence.evaluation.explain import explain_rows
from credence.predictor import Predictor, read_info
from credence.security.signing import verify

logger = logging.getLogger("bentoml.credence")  # BentoML's servers show what loggers below `bentoml` write


class LoadedPredictor:
    """A predictor and its request models. One request uses one of these throughout, also during a swap."""

    def __init__(self, folder: Path) -> None:
        """Verify and load a predictor folder, and answer one row with it.

        Raises:
            InputError: The folder was changed after it was signed, or the predictor cannot answer.
        """
        signature = verify(folder)
        self.folder, self.info = folder, read_info(folder)
        logger.info("%s: %s", self.info.version, signature)
        self.row = row_model(self.info)
        self.rows = rows_model(self.row, self.info)
        with lazy_torch(folder):
            self.predictor = Predictor.load(folder)
            # Not ready until a training row is answered: it proves that the predictor works, and warms it up.
            self.predictor.predict(self.predictor.reference.head(1))

    def answer(self, body: bytes, many: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Parse a body and answer its rows.

        Args:
            body: JSON as `row` describes it, or as `rows` describes it if `many`.
            many: Whether the body holds a list of rows.

        Returns:
            The parsed rows and the frame that `Predictor.predict` returns for them, both in the order of the body.

        Raises:
            InputError: The body or one of its rows cannot be used.
        """
        rows = self.table(self._read_rows(body) if many else [self._read_row(body)])
        return rows, self.predictor.predict(rows)

    def explain(self, body: bytes) -> Explanation:
        """Compute the contribution of each column of one row to the log-odds of yes.

        Raises:
            InputError: The body cannot be used.
        """
        schema = self.info.schema_
        explained = explain_rows(self.predictor, schema.select(self.table([self._read_row(body)])))[0]
        raw = {n: original_name(n) for n in schema.names()}
        parts = [Contribution(column=raw.get(column, column), contribution=value) for column, value in explained]
        return Explanation(contributions=parts, version=self.info.version)

    def table(self, rows: list[BaseModel]) -> pd.DataFrame:
        """Convert parsed rows to the frame that `Predictor.predict` takes."""
        return requests_table(rows, self.info.schema_)

    def _read_row(self, body: bytes) -> BaseModel:
        return parse_request(self.row, body, self.row)

    def _read_rows(self, body: bytes) -> list[BaseModel]:
        given: Any = parse_request(self.rows, body, self.row)
        texts = getattr(given, "texts", None)
        if (given.rows is None) == (texts is None):
            raise InputError("expected either rows or texts, and not both.")
        return given.rows if texts is None else [self.row(text=t) for t in texts]
