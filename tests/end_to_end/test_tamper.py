"""A saved predictor with one byte changed, or one file more, fewer or elsewhere, is refused with the file named."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import bentoml
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pydantic import SecretBytes
from zenml.client import Client

from bentos.packaging.build import store_predictor
from bentos.packaging.local_server import NotServing, serve_locally
from credence.core.errors import InputError
from credence.core.registry import SourceSpec, available_kinds
from credence.predictor import Predictor
from credence.production.batch.job import BatchJob
from credence.production.batch.scoring import score_job
from credence.security.signing import MANIFEST, SIGNATURE, Keys, sign, verify
from credence.security.signing.keys import VERIFYING, encode_key, identity, public_of
from materializers.folder import FolderMaterializer
from tests.support.serving_cases import client, raw_table, trained
from tests.support.small_kinds import small

SEED = bytes(range(32))
KEYS = Keys(signing=SecretBytes(SEED), trusted=(public_of(SEED),))
PLACES = {"first": lambda size: 0, "middle": lambda size: size // 2, "last": lambda size: size - 1}


@pytest.fixture(scope="module", params=available_kinds("models"))
def signed(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A signed predictor of every kind of model, with a card."""
    folder = tmp_path_factory.mktemp("signed") / "predictor"
    folder.mkdir()
    trained(small(request.param), request.param)[0].save(folder)
    (folder / "card.md").write_text("# A card")
    sign(folder, KEYS)
    return folder


def files(folder: Path) -> dict[str, bytes]:
    return {f.relative_to(folder).as_posix(): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


def flipped(content: bytes, place: int) -> bytes:
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def refused(folder: Path, name: str, load: Callable[[Path], object]) -> None:
    with pytest.raises(InputError) as error:
        load(folder)
    assert name in str(error.value), f"{error.value} does not name {name}"


def loaders() -> list[Callable[[Path], object]]:
    """Every way to a predictor's answers, with and without keys."""
    return [Predictor.load, lambda folder: verify(folder, KEYS), lambda folder: verify(folder, Keys())]


@pytest.mark.parametrize("place", PLACES)
def test_one_byte_changed_in_any_file_is_refused(signed: Path, place: str) -> None:
    for name, content in files(signed).items():
        (signed / name).write_bytes(flipped(content, PLACES[place](len(content))))
        for load in loaders():
            refused(signed, name, load)
        (signed / name).write_bytes(content)
    assert verify(signed, KEYS).startswith("signed by")


def test_every_file_is_the_same_byte_for_byte_when_saved_again(signed: Path, tmp_path: Path) -> None:
    """Otherwise a signature would fit only the copy that it was given for, and no cache would ever hold."""
    Predictor.load(signed).save(tmp_path)
    before, again = files(signed), files(tmp_path)
    assert set(before) - set(again) == {"card.md", SIGNATURE}
    assert [name for name in again if again[name] != before[name]] == [MANIFEST]  # which lists the card


@pytest.fixture
def copy(signed: Path, tmp_path: Path) -> Path:
    return shutil.copytree(signed, tmp_path / "predictor")


@pytest.mark.parametrize("signed", ["logistic"], indirect=True)
class TestFiles:
    """More, fewer, elsewhere, or somebody else's."""

    @pytest.mark.parametrize(
        "name", ["extra.npy", "model/extra.json", "model/deep/er.json", ".hidden", "model/model.yaml"]
    )
    def test_one_more_is_refused(self, copy: Path, name: str) -> None:
        (copy / name).parent.mkdir(exist_ok=True)
        (copy / name).write_text("{}")
        for load in loaders():
            refused(copy, name, load)

    def test_one_fewer_is_refused(self, copy: Path) -> None:
        for name, content in files(copy).items():
            (copy / name).unlink()
            refused(copy, name, lambda folder: verify(folder, KEYS))
            (copy / name).write_bytes(content)

    def test_a_name_changed_is_refused(self, copy: Path) -> None:
        (copy / "model" / "model.json").rename(copy / "model" / "Model.json")
        for load in loaders():
            refused(copy, "model/model.json is missing", load)

    def test_two_that_changed_places_are_refused(self, copy: Path) -> None:
        seen, card = (copy / "seen.npy").read_bytes(), (copy / "card.md").read_bytes()
        (copy / "seen.npy").write_bytes(card)
        (copy / "card.md").write_bytes(seen)
        for load in loaders():
            refused(copy, "card.md was changed", load)

    def test_one_cut_short_or_made_longer_is_refused(self, copy: Path) -> None:
        for name, content in files(copy).items():
            for wrong in (content[:-1], content + b"\n", b""):
                (copy / name).write_bytes(wrong)
                refused(copy, name, lambda folder: verify(folder, KEYS))
            (copy / name).write_bytes(content)

    @pytest.mark.parametrize("whole", [False, True], ids=["a file", "a folder"])
    def test_a_link_is_refused_even_to_the_right_content(self, copy: Path, tmp_path: Path, whole: bool) -> None:
        name = "model" if whole else "seen.npy"
        (copy / name).rename(tmp_path / "elsewhere")
        (copy / name).symlink_to(tmp_path / "elsewhere", target_is_directory=whole)
        for load in loaders():
            refused(copy, f"{name} is a link", load)

    @pytest.mark.parametrize("name", ["predictor.json", "seen.npy", "reference.parquet", MANIFEST, SIGNATURE])
    def test_the_file_of_another_signed_predictor_is_refused(self, copy: Path, tmp_path: Path, name: str) -> None:
        other = tmp_path / "other"
        other.mkdir()
        trained(small("tfidf"), "other")[0].with_version("other:2").save(other)
        sign(other, KEYS)
        shutil.copy(other / name, copy / name)
        for load in loaders():
            with pytest.raises(InputError):
                load(copy)

    @given(data=st.data())
    @settings(max_examples=200)
    def test_any_change_anywhere_is_refused(self, signed: Path, data: st.DataObject) -> None:
        there = files(signed)
        name = data.draw(st.sampled_from(sorted(there)))
        content = there[name]
        start = data.draw(st.integers(0, len(content)))
        wrong = (
            content[:start] + data.draw(st.binary(max_size=8)) + content[data.draw(st.integers(start, len(content))) :]
        )
        assume(wrong != content)
        (signed / name).write_bytes(wrong)
        try:
            refused(signed, name, lambda folder: verify(folder, KEYS))
        finally:
            (signed / name).write_bytes(content)

    def test_a_forger_who_seals_again_is_found_out_by_the_signature(self, copy: Path) -> None:
        forged = Predictor.load(copy).with_version("logistic:99")
        shutil.rmtree(copy)
        copy.mkdir()
        forged.save(copy)
        assert Predictor.load(copy).info.version == "logistic:99"
        refused(copy, "signature.json is missing", lambda folder: verify(folder, KEYS))

    @pytest.mark.parametrize("name", [MANIFEST, SIGNATURE])
    @pytest.mark.parametrize("wrong", [b"", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"task": 1}'])
    def test_a_list_or_signature_that_is_none_is_refused(self, copy: Path, name: str, wrong: bytes) -> None:
        (copy / name).write_bytes(wrong)
        for load in loaders():
            refused(copy, f"{name} was changed", load)

    def test_what_is_no_file_is_refused(self, copy: Path) -> None:
        os.mkfifo(copy / "pipe")
        for load in loaders():
            refused(copy, "pipe is a link or no plain file", load)

    def test_what_bentoml_writes_beside_is_allowed(self, copy: Path) -> None:
        (copy / "model.yaml").write_text("name: logistic")
        assert verify(copy, KEYS).startswith("signed by")
        Predictor.load(copy)

    def test_a_folder_of_before_the_seals_is_told_so(self, copy: Path) -> None:
        (copy / MANIFEST).unlink()
        refused(copy, "holds no manifest.json, so it cannot be checked; run training again", Predictor.load)


@pytest.mark.parametrize("signed", ["logistic"], indirect=True)
class TestUses:
    """Whoever answers with a predictor, or judges one, refuses it too."""

    def test_the_service_does_not_start(self, signed: Path) -> None:
        stored = Path(bentoml.models.get(store_predictor(signed, "tampered", "1")).path)
        for name, content in files(signed).items():
            (stored / name).write_bytes(flipped(content, 0))
            with pytest.raises(InputError) as error, client(signed, "tampered"):
                pass
            assert f"{name} " in str(error.value)
            (stored / name).write_bytes(content)
        with client(signed, "tampered") as http:
            assert http.get("/readyz").status_code == 200

    def test_a_service_with_keys_does_not_start_unsigned(self, copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(VERIFYING, encode_key(KEYS.trusted[0]))
        with client(copy, "vouched") as http:
            assert http.get("/readyz").status_code == 200
        (copy / SIGNATURE).unlink()
        with pytest.raises(InputError, match=r"is unsigned: signature\.json is missing"), client(copy, "unsigned"):
            pass

    def test_no_batch_is_scored(self, copy: Path, tmp_path: Path) -> None:
        raw_table(20).drop(columns="ill").to_csv(tmp_path / "rows.csv", index=False)
        source = SourceSpec(kind="csv", path=str(tmp_path / "rows.csv"))
        job = BatchJob(source=source, out=str(tmp_path / "answers.csv"), processes=1)
        for name, content in files(copy).items():
            (copy / name).write_bytes(flipped(content, len(content) // 2))
            refused(copy, name, lambda folder: score_job(job, folder))
            (copy / name).write_bytes(content)
        assert score_job(job, copy).rows == 20

    def test_no_step_judges_it(self, signed: Path) -> None:
        artifacts = Client().active_stack.artifact_store
        stored = Path(shutil.copytree(signed, Path(artifacts.path) / "tampered"))
        materializer = FolderMaterializer(str(stored), artifacts)
        for name, content in files(stored).items():
            (stored / name).write_bytes(flipped(content, len(content) // 2))
            refused(stored, name, lambda _: materializer.load(Predictor))
            (stored / name).write_bytes(content)
        assert materializer.load(Predictor).info.task == "logistic"

    @pytest.mark.slow
    def test_a_real_server_ends_with_the_sentence(self, copy: Path) -> None:
        tag = store_predictor(copy, "real", "1")
        seen = Path(bentoml.models.get(tag).path) / "seen.npy"
        seen.write_bytes(flipped(seen.read_bytes(), 200))
        with pytest.raises(NotServing) as error, serve_locally("bentos.service:Credence", {"CREDENCE_MODEL": tag}):
            pass
        assert "seen.npy was changed after it was saved" in str(error.value)

    @pytest.mark.slow
    def test_a_real_server_says_who_vouches(self, copy: Path) -> None:
        tag, keys = store_predictor(copy, "known", "1"), {VERIFYING: encode_key(public_of(bytes(32)))}
        with (
            pytest.raises(NotServing) as error,
            serve_locally("bentos.service:Credence", {"CREDENCE_MODEL": tag, **keys}),
        ):
            pass
        assert f"is signed by {identity(KEYS.trusted[0])}, who is not trusted here" in str(error.value)
