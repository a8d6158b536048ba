"""Evidently's report on the same rows, with its own tests and plots."""

import warnings
from collections.abc import Mapping

import pandas as pd
from evidently import DataDefinition, Dataset, Report
from evidently.descriptors import NonLetterCharacterPercentage, SentenceCount, TextLength, WordCount
from evidently.presets import DataDriftPreset, DataSummaryPreset

from credence.data.rows import original_name
from credence.data.schema import Schema

MAX_ROWS = 5000
PROBABILITY = "probability"
DESCRIPTORS = {  # descriptors that need no word list from the network
    "characters": TextLength,
    "words": WordCount,
    "sentences": SentenceCount,
    "percentage of other than letters": NonLetterCharacterPercentage,
}


def evidently_html(reference: pd.DataFrame, current: pd.DataFrame, schema: Schema) -> str:
    """Render the page, which needs no network.

    Args:
        reference: Training rows with the schema's columns, and `probability` if known.
        current: Rows of the window with the same columns.
        schema: The predictor's input schema. Columns without a value on one side are left out.
    """
    kinds = {c.name: c.kind for c in schema.columns}
    if PROBABILITY in reference and PROBABILITY in current and PROBABILITY not in kinds:
        kinds[PROBABILITY] = "number"
    kinds = {c: k for c, k in kinds.items() if c in current and reference[c].notna().any() and current[c].notna().any()}
    both = [_dataset(table, kinds) for table in (current, reference)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Evidently divides by the spread of constant columns
        return str(Report([DataDriftPreset(), DataSummaryPreset()]).run(*both).get_html_str(as_iframe=False))


def _dataset(table: pd.DataFrame, kinds: Mapping[str, str]) -> Dataset:
    named = {original_name(c): k for c, k in kinds.items()}
    texts = [c for c, k in named.items() if k == "text"]
    definition = DataDefinition(
        numerical_columns=[c for c, k in named.items() if k == "number"],
        categorical_columns=[c for c, k in named.items() if k == "category"],
        datetime_columns=[c for c, k in named.items() if k == "date"],
        text_columns=texts,
    )
    described = [make(t, alias=f"{t}: {what}") for t in texts for what, make in DESCRIPTORS.items()]
    shown = table[list(kinds)].rename(columns=original_name).head(MAX_ROWS).reset_index(drop=True)
    return Dataset.from_pandas(shown, data_definition=definition, descriptors=described or None)
