"""One version follows another: what may become champion, that it is signed, and that the audit table says so."""

import base64
import os
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest
from zenml import Model, ModelVersionResponse, link_artifact_to_model, log_metadata, save_artifact
from zenml.client import Client
from zenml.enums import ArtifactType

import run
from credence.core.errors import InputError
from credence.predictor import Predictor
from credence.production.audit import Promotion, audit_table
from credence.security.signing import seal, verify
from credence.security.signing.keys import SIGNING, VERIFYING
from materializers.folder import FolderMaterializer
from steps.promotion.promote_version import target
from steps.shared import audit_log
from steps.shared.model_versions import champion_version, download_predictor, load_predictor
from steps.shared.promotion_transaction import promote_transaction
from tests.support.serving_cases import trained
from tests.support.small_kinds import small

NUMBERS = count()
Make = Callable[..., ModelVersionResponse]


@pytest.fixture(scope="module")
def predictor() -> Predictor:
    return trained(small("logistic"), "succession")[0]


@pytest.fixture
def name() -> str:
    """A model of ZenML's of its own."""
    name = f"heirs_{next(NUMBERS)}"
    Client().create_model(name)
    return name


@pytest.fixture
def make(name: str, predictor: Predictor) -> Make:
    """Makes versions as training leaves them: judged, with a predictor and a card."""

    def version(verdict: str = "promote", reason: str = "It is better.") -> ModelVersionResponse:
        made = Client().create_model_version(name)
        for thing, kind in ((predictor.with_version(f"{name}:{made.number}"), "predictor"), ("# A card", "card")):
            options = {"materializer": FolderMaterializer} if kind == "predictor" else {}
            artifact = save_artifact(thing, kind, artifact_type=ArtifactType.DATA, **options)
            link_artifact_to_model(artifact, Model(name=name, version=made.number))
        log_metadata({"verdict": verdict, "reason": reason}, model_version_id=made.id)
        return Client().get_model_version(name, made.number)

    return version


def number_of_champion(name: str) -> int | None:
    version = champion_version(name)
    return None if version is None else version.number


def test_back_is_what_the_champion_replaced_not_the_number_before(name: str, make: Make) -> None:
    first, third = make(), [make("keep"), make()][1]
    promote_transaction(first, "gate", "the first")
    assert "in place of version 1" in promote_transaction(third, "gate", "better")
    version, how = target(name, "previous", approve=False)
    assert (version.number, how) == (1, "rollback")
    promote_transaction(version, how, "it cost us customers")
    assert number_of_champion(name) == 1
    assert target(name, "previous", approve=False)[0].number == 3
    lines = audit_log.promotion_history(name)
    assert [(line.version, line.replaces, line.how) for line in lines] == [
        (1, None, "gate"),
        (3, 1, "gate"),
        (1, 3, "rollback"),
    ]


def test_what_is_on_hold_waits_for_a_person(name: str, make: Make) -> None:
    make("promote"), make("hold", "A guard failed.")
    with pytest.raises(
        InputError, match=rf"^{name}:2 is on hold: A guard failed. Look at its report, then say --approve"
    ):
        target(name, "2", approve=False)
    assert [v.number for v in (target(name, "2", True)[0], target(name, None, True)[0])] == [2, 2]
    assert target(name, None, approve=True)[1] == "approved"
    assert target(name, "1", approve=False)[1] == "by hand"


@pytest.mark.parametrize(
    ("verdict", "to", "sentence"),
    [
        ("keep", "1", r"1 did not pass the gate: It is better\. Train again, or choose another version\.$"),
        ("promote", "9", r" has no version 9; there is 1\.$"),
        ("promote", "previous", r" has no champion, so there is no way back; run --pipeline training first\.$"),
        ("promote", None, r"^no version of .* is on hold; say --to VERSION, and --history shows"),
    ],
)
def test_what_cannot_be_promoted_is_one_sentence(
    verdict: str, to: str | None, sentence: str, name: str, make: Make
) -> None:
    make(verdict)
    with pytest.raises(InputError, match=sentence):
        target(name, to, approve=False)


def test_a_first_champion_has_no_way_back(name: str, make: Make) -> None:
    promote_transaction(make(), "gate", "the first")
    with pytest.raises(InputError, match=rf"^{name}:1 replaced nobody, so there is no way back; say --to VERSION"):
        target(name, "previous", approve=False)


def test_a_model_nobody_trained_has_no_versions() -> None:
    with pytest.raises(InputError, match=r"^nobody has no version 3; there is none\.$"):
        target("nobody", "3", approve=False)


def test_a_version_whose_files_are_gone_changes_nothing(name: str, make: Make) -> None:
    promote_transaction(make(), "gate", "the first")
    lost = make()
    place = Path(lost.get_artifact("predictor").uri)
    place.rename(place.with_name(f"{place.name} aside"))
    with pytest.raises(InputError, match=rf"^the files of {name}:2 are gone from {place}; put them back, or choose"):
        promote_transaction(lost, "by hand", "why not")
    assert number_of_champion(name) == 1 and len(audit_log.promotion_history(name)) == 1


def test_what_was_promoted_is_kept_with_its_card_as_it_was_signed(
    name: str, make: Make, key: str, tmp_path: Path
) -> None:
    version = make()
    promote_transaction(version, "gate", "the first")
    folder = download_predictor(version, tmp_path)
    assert verify(folder).startswith("signed by ") and (folder / "card.md").read_text() == "# A card"
    assert load_predictor(version).info.version == f"{name}:1"


def test_a_changed_byte_is_refused_and_changes_nothing(name: str, make: Make, key: str) -> None:
    first, second = make(), make()
    promote_transaction(first, "gate", "the first")
    promote_transaction(second, "gate", "better")
    file = Path(Client().get_model_version(name, 1).get_artifact("promoted").uri) / "reference.parquet"
    file.write_bytes(file.read_bytes()[:-1] + b"!")
    with pytest.raises(InputError, match=r"reference\.parquet was changed"):
        promote_transaction(target(name, "previous", approve=False)[0], "rollback", "back")
    assert number_of_champion(name) == 2


@pytest.mark.parametrize("stage", ["predictor", "promoted"])
def test_what_was_changed_and_sealed_anew_in_the_store_is_not_signed(
    stage: str, name: str, make: Make, key: str
) -> None:
    """Whoever can write the artifact store can make a folder whole again, but not ZenML's record of it."""
    version = make()
    if stage == "promoted":
        promote_transaction(version, "gate", "the first")
    folder = Path(Client().get_model_version(name, 1).get_artifact(stage).uri)
    facts = (folder / "predictor.json").read_text()
    (folder / "predictor.json").write_text(facts.replace("?", "!"))
    (folder / "signature.json").unlink(missing_ok=True)
    seal(folder)
    with pytest.raises(InputError, match="is not what ZenML's store says was saved; choose another version"):
        promote_transaction(Client().get_model_version(name, 1), "by hand", "bless it")


def test_a_champion_from_before_there_were_keys_is_signed_when_promoted_again(
    name: str, make: Make, request: pytest.FixtureRequest
) -> None:
    version = make()
    promote_transaction(version, "gate", "the first")
    request.getfixturevalue("key")
    with pytest.raises(InputError, match="unsigned"):
        load_predictor(version)
    promote_transaction(Client().get_model_version(name, 1), "by hand", "sign it")
    assert load_predictor(Client().get_model_version(name, 1)).info.task == "succession"
    assert len(audit_log.promotion_history(name)) == 1


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> str:
    """A signing key of this test's own in the environment."""
    made = base64.b64encode(os.urandom(32)).decode()
    monkeypatch.setenv(SIGNING, made)
    monkeypatch.delenv(VERIFYING, raising=False)
    return made


def test_the_table_shows_the_newest_first_and_marks_the_champion() -> None:
    lines = [
        Promotion(version=v, replaces=r, when=f"2024-01-0{day}T08:00:00+00:00", who="ann", how=how, reason=why)
        for day, (v, r, how, why) in enumerate(
            [
                (1, None, "gate", "first"),
                (4, 1, "gate", "better"),
                (1, 4, "rollback", "worse"),
                (6, None, "trial", "?"),
            ],
            1,
        )
    ]
    shown = audit_table(lines, champion=1).splitlines()
    assert shown[0].startswith("2024-01-04 08:00:00 UTC  version 6 ") and shown[1] == "    ?"
    assert "version 1 (champion)" in shown[2] and "replaces 4" in shown[2] and "rollback" in shown[2]
    assert sum("(champion)" in line for line in shown) == 1


def test_the_way_back_is_open_when_the_file_of_the_task_is_broken(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "broken.yaml").write_text("question: [")
    command = ["--pipeline", "promotion", "--history", "--task", str(tmp_path / "broken.yaml"), "--stack", "default"]
    assert run.main(command) == 2
    assert "error: no version of broken was promoted yet; run --pipeline training first." in capsys.readouterr().err
