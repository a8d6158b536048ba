"""Data quality checks before training: duplicates, leakage, ids, small parts, personal data."""

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import pandas as pd
from pydantic import Field
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeClassifier

from credence.core.errors import InputError
from credence.core.registry import StrictModel
from credence.data.identifiers import looks_like_id
from credence.data.pii_scan import PiiFinding, scan_rows
from credence.data.rows import model_inputs, original_name, row_hashes
from credence.data.split import PARTS

Level = Literal["error", "warning", "note"]
LEVELS: tuple[Level, ...] = ("error", "warning", "note")
REPEATED_SHARE = 0.1  # share of repeated rows from which they are a warning
PERSONAL_SHARE = 0.01  # share of rows with personal data from which it is a warning


class Checks(StrictModel):
    """The YAML section `checks`: thresholds from which something is reported."""

    leak: float = Field(0.995, gt=0.5, description="AUROC of one column alone from which it is an error; 2: never")
    suspect: float = Field(0.985, gt=0.5, le=1, description="AUROC of one column alone from which it is a warning")
    small: int = Field(50, ge=1, description="rows below which a part is called small")
    long: int = Field(20_000, ge=1, description="characters above which a text is called long")


class Finding(StrictModel):
    """One sentence about the rows: an error (results are not valid), a warning (look at it) or a note."""

    level: Level
    check: str
    message: str
    columns: list[str] = []


class Findings(StrictModel):
    """All findings, errors first, and the share of missing values (0 to 1) of every input column."""

    findings: list[Finding]
    missing: dict[str, float]

    def table(self) -> pd.DataFrame:
        """Return one row per finding, with the columns level, check, message and columns."""
        lines = [{**f.model_dump(), "columns": ", ".join(f.columns)} for f in self.findings]
        return pd.DataFrame(lines, columns=["level", "check", "message", "columns"])


def check_rows(rows: pd.DataFrame, part: pd.Series, checks: Checks) -> Findings:
    """Run all checks.

    Args:
        rows: Canonical rows; see `to_canonical_rows`.
        part: The part of every row; see `assign_parts`.
        checks: Thresholds.

    Raises:
        InputError: No input column varies, or every text is empty.
    """
    given, label = model_inputs(rows).drop(columns="group"), rows["label"]
    _refuse_unusable(given)
    content = pd.Series(row_hashes(given), index=rows.index)
    found = [
        *_check_duplicates(content, label),
        *_check_row_ids(rows["row_id"], content),
        *_check_groups(rows["group"], label),
        *_check_parts_overlap(rows, content, part),
        *_check_part_sizes(part, checks.small),
        *_check_columns(given),
        *_check_leakage(given, label, part == "train", checks),
        *_check_texts(given, checks.long),
        *_check_personal_data(rows),
    ]
    missing = {str(c): float(given[c].isna().mean()) for c in given}
    return Findings(findings=sorted(found, key=lambda f: LEVELS.index(f.level)), missing=missing)


def _refuse_unusable(given: pd.DataFrame) -> None:
    if list(given) == ["text"]:
        if given["text"].str.strip().eq("").all():
            raise InputError("every text is empty; check columns.text.")
    elif given.nunique().max() < 2:
        names = ", ".join(original_name(str(c)) for c in given)
        raise InputError(f"no input column varies ({names}); check columns.ignore and the source.")


def _check_duplicates(content: pd.Series, label: pd.Series) -> Iterator[Finding]:
    again = pd.DataFrame({"content": content, "label": label}).duplicated()
    if again.any():
        level: Level = "warning" if again.mean() > REPEATED_SHARE else "note"
        yield _finding(level, "repeated rows", f"{_share(again)} rows repeat an earlier row, inputs and answer alike")
    contradicted = label.groupby(content).transform("nunique") > 1
    if contradicted.any():
        message = f"{_share(contradicted)} rows have the inputs of a row with the other answer"
        yield _finding("warning", "contradictions", message)


def _check_row_ids(row_id: pd.Series, content: pd.Series) -> Iterator[Finding]:
    shared = content.groupby(row_id).transform("nunique") > 1
    if shared.any():
        first = row_id[shared].iloc[0]
        yield _finding(
            "warning", "ids", f"{_share(shared)} rows share their id with a row of other content: {first!r}, …"
        )


def _check_groups(group: pd.Series, label: pd.Series) -> Iterator[Finding]:
    answers = label.groupby(group).nunique()
    single = sorted(answers[answers < 2].index)
    if len(answers) > 1 and single:
        yield _finding(
            "warning", "groups", f"{len(single)} of {len(answers)} groups hold one answer only: {_listed(single)}"
        )


def _check_parts_overlap(rows: pd.DataFrame, content: pd.Series, part: pd.Series) -> Iterator[Finding]:
    """Find rows and split keys that are in the test part and also in another part."""
    checked = [("leakage", "content", content)]
    if not rows["key"].equals(rows["row_id"]):
        checked.append(("split keys", "key", rows["key"]))
    for check, what, value in checked:
        others = set(value[part != "test"])
        seen = value[part == "test"].isin(others)
        if seen.any():
            yield _finding("warning", check, f"{_share(seen)} test rows have the {what} of a row outside the test part")


def _check_part_sizes(part: pd.Series, small: int) -> Iterator[Finding]:
    for name in PARTS:
        if (n := int((part == name).sum())) < small:
            yield _finding("warning", "small part", f"the {name} part has {n} rows only; its figures will be coarse")


def _check_columns(given: pd.DataFrame) -> Iterator[Finding]:
    for name in given.columns.drop("text", errors="ignore"):
        values, column = given[name], f"column {original_name(name)!r}"
        if values.nunique(dropna=False) < 2:
            yield _finding("note", "constant", f"{column} holds one value only", name)
        elif reason := looks_like_id(name, values):
            yield _finding("warning", "id-like", f"{column} {reason}; name it under columns.ignore", name)
        elif (empty := values.isna().mean()) > 0.5:
            yield _finding("note", "missing", f"{column} is empty in {empty:.0%} of the rows", name)


def _check_leakage(given: pd.DataFrame, label: pd.Series, fit: pd.Series, checks: Checks) -> Iterator[Finding]:
    if min(label[fit].nunique(), label[~fit].nunique()) < 2:
        return
    for name in given.columns.drop("text", errors="ignore"):
        if (score := single_column_auroc(given[name], label, fit)) >= min(checks.suspect, checks.leak):
            known = f"column {original_name(name)!r} alone predicts the answer (AUROC {score:.3f})"
            advice = "name it under columns.ignore unless it is known before the answer is"
            yield _finding("error" if score >= checks.leak else "warning", "leak", f"{known}; {advice}", name)


def single_column_auroc(values: pd.Series, label: pd.Series, fit: pd.Series) -> float:
    """Return the AUROC of a model of one column, trained on the rows in `fit`, scored on the others.

    The model is a decision tree (16 leaves) for numbers and dates, and the mean label per category otherwise.

    Args:
        values: A typed column; see `parse_column`.
        label: Labels 0 or 1.
        fit: Whether a row is for training.
    """
    if pd.api.types.is_object_dtype(values):
        words, base = values.fillna(""), float(label[fit].mean())
        of = label[fit].groupby(words[fit]).agg(["sum", "count"])
        guess = words[~fit].map((of["sum"] + base) / (of["count"] + 1)).fillna(base).to_numpy()
    else:
        x = _as_numbers(values)
        tree = DecisionTreeClassifier(max_leaf_nodes=16, random_state=0).fit(x[fit.to_numpy()], label[fit])
        guess = tree.predict_proba(x[~fit.to_numpy()])[:, 1]
    return float(roc_auc_score(label[~fit], guess))


def _as_numbers(values: pd.Series) -> np.ndarray[Any, np.dtype[np.float64]]:
    if pd.api.types.is_datetime64_any_dtype(values):
        values = (values - pd.Timestamp(0)) / pd.Timedelta(days=1)
    return np.asarray(values, dtype=np.float64)[:, None]


def _check_texts(given: pd.DataFrame, long: int) -> Iterator[Finding]:
    if "text" in given:
        empty, lengths = given["text"].str.strip().eq(""), given["text"].str.len()
        if empty.any():
            yield _finding("warning", "empty text", f"{_share(empty)} texts are empty", "text")
        if (lengths > long).any():
            most = (
                f"{_share(lengths > long)} texts are longer than {long:,} characters (at most {int(lengths.max()):,})"
            )
            yield _finding("note", "long text", most, "text")


def _check_personal_data(rows: pd.DataFrame) -> Iterator[Finding]:
    """Report kinds, columns and counts of personal data; never a value."""
    report = scan_rows(rows)
    of = f"{report.looked_at:,} rows" + (" looked at" if report.looked_at < report.rows else "")
    for seen in report.found:
        yield _finding(*_pii_message(seen, of), seen.column)


def _pii_message(seen: PiiFinding, of: str) -> tuple[Level, str, str]:
    advice = "name it under columns.ignore if the answer does not need it, and hash it in the log"
    if seen.rows is None:
        return "note", "personal data", f"{seen.location} is named as if it held {seen.what}; {advice}"
    level: Level = "warning" if (seen.share or 0) >= PERSONAL_SHARE else "note"
    return level, "personal data", f"{seen.location} holds {seen.what} in {seen.rows:,} of {of}; {advice}"


def _finding(level: Level, check: str, message: str, column: object = None) -> Finding:
    return Finding(level=level, check=check, message=f"{message}.", columns=[] if column is None else [str(column)])


def _share(flags: pd.Series) -> str:
    return f"{int(flags.sum()):,} of {len(flags):,}"


def _listed(names: list[str]) -> str:
    return ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
