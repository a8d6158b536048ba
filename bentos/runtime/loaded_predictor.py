"""A loaded predictor with everything that depends on it: what a request may hold, what an answer says."""

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

logger = logging.getLogger("bentoml.credence")  # what is below bentoml is shown where a server runs


class LoadedPredictor:
    """What one request is read and answered with, from its first byte to its last: a swap never comes between."""

    def __init__(self, folder: Path) -> None:
        """Load a folder that somebody vouches for. BadInput where it was changed, or cannot answer."""
        vouched = verify(folder)
        self.folder, self.info = folder, read_info(folder)
        logger.info("%s: %s", self.info.version, vouched)
        self.row = row_model(self.info)
        self.rows = rows_model(self.row, self.info)
        with lazy_torch(folder):
            self.predictor = Predictor.load(folder)
            # A server that cannot answer a row it has seen must not report ready; and the first answer is the slowest.
            self.predictor.predict(self.predictor.reference.head(1))

    def answer(self, body: bytes, many: bool) -> tuple[pd.DataFrame, pd.DataFrame]:
        """The rows of a body and the predictor's answers to them. BadInput where a row is none."""
        rows = self.table(self._read_rows(body) if many else [self._read_row(body)])
        return rows, self.predictor.predict(rows)

    def explain(self, body: bytes) -> Explanation:
        """What each column of a row adds to the log-odds of yes."""
        schema = self.info.schema_
        found = explain_rows(self.predictor, schema.select(self.table([self._read_row(body)])))[0]
        raw = {n: original_name(n) for n in schema.names()}
        parts = [Contribution(column=raw.get(column, column), contribution=value) for column, value in found]
        return Explanation(contributions=parts, version=self.info.version)

    def table(self, rows: list[BaseModel]) -> pd.DataFrame:
        """Rows of a request as `predict` takes them."""
        return requests_table(rows, self.info.schema_)

    def _read_row(self, body: bytes) -> BaseModel:
        return parse_request(self.row, body, self.row)

    def _read_rows(self, body: bytes) -> list[BaseModel]:
        given: Any = parse_request(self.rows, body, self.row)
        texts = getattr(given, "texts", None)
        if (given.rows is None) == (texts is None):
            raise InputError("expected either rows or texts, and not both.")
        return given.rows if texts is None else [self.row(text=t) for t in texts]
