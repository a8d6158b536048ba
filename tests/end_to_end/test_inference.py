"""The inference pipeline: the champion's own answers for every row, whole or in shards, and nothing for nobody."""

from pathlib import Path

import pandas as pd
import pytest
from zenml import Model, link_artifact_to_model, save_artifact
from zenml.client import Client

from credence.core.errors import InputError
from credence.core.paths import log_folder
from credence.data.prediction_log.reader import read_predictions
from credence.predictor import Predictor, read_info
from credence.production.batch import assemble_output, score_job
from credence.production.batch.log_writer import BatchLog
from materializers.folder import FolderMaterializer
from pipelines.inference import inference
from steps.inference.score_rows import score_rows
from steps.shared.model_versions import download_predictor
from steps.shared.registry import promote_in_registry
from tests.support.batch_cases import job, rows, saved, written


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The predictor of the champion of `scored`."""
    place = tmp_path_factory.mktemp("scored")
    folder = saved(place / "predictor")
    Client().create_model("scored")
    version = Client().create_model_version("scored")
    artifact = save_artifact(Predictor.load(folder), "predictor", materializer=FolderMaterializer)
    link_artifact_to_model(artifact, Model(name="scored", version=version.number))
    version = Client().get_model_version("scored", version.number)
    promote_in_registry(version, download_predictor(version, place / "copy"), "gate", "the first")
    return folder


@pytest.mark.parametrize("shards", [1, 3])
def test_every_row_is_answered_by_the_champion(shards: int, folder: Path, tmp_path: Path) -> None:
    source = written("csv", rows(), tmp_path)
    expected = job(source, tmp_path / "expected.parquet")
    score_job(expected, folder)
    assemble_output(expected)
    what = job(source, tmp_path / "answers.parquet")
    done = inference(task="scored", job=what, shards=shards)
    assert done.steps["assemble_answers"].output.load().startswith(f"{len(rows())} answers, ")
    found = pd.read_parquet(tmp_path / "answers.parquet")
    pd.testing.assert_frame_equal(found, pd.read_parquet(tmp_path / "expected.parquet"))
    name = BatchLog.of(log_folder("scored"), read_info(folder), what).name
    log = read_predictions(log_folder("scored")).frame
    assert log["request_id"].str.startswith(name).sum() == len(rows())


def test_without_a_champion_nobody_answers(tmp_path: Path) -> None:
    what = job(written("csv", rows(5), tmp_path), tmp_path / "out.csv")
    with pytest.raises(InputError, match=r"^'nobody' has no champion yet; run python run\.py --pipeline training"):
        score_rows.entrypoint("nobody", what, 0, 1)
