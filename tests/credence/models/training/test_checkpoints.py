"""Checkpoints are whole or refused by name; a run that is taken up ends with the bits of one that never stopped."""

import json
import os
import time
from pathlib import Path

import pytest
import torch

from credence.core.errors import InputError
from credence.models.training import History, load_weights, newest_production, seeded, train
from credence.models.training import engine as engine_module
from credence.models.training.checkpoints import CheckpointStore, identity_difference
from credence.models.training.weight_files import CheckpointRejected, read_weights, write_weights
from tests.support.training_cases import (
    OFTEN,
    Bag,
    Hungry,
    bag,
    bits,
    curve,
    encoded,
    interrupted,
    names,
    settings,
    taught,
)


def stems(folder: Path, kind: str = "training") -> list[Path]:
    """A folder's checkpoints, oldest first."""
    return sorted(f.with_suffix("") for f in (folder / kind).glob("*.json"))


def spoil(file: Path) -> None:
    """Turn one bit in the middle of a file."""
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


def test_a_run_leaves_three_kinds_of_checkpoints(tmp_path: Path) -> None:
    module, history = taught(tmp_path, **OFTEN)
    assert [int(s.name[:9]) for s in stems(tmp_path)] == [19, 20, 21], "the last three"
    better = [e for i, e in enumerate(history.epochs) if all(e.held_out < o.held_out for o in history.epochs[:i])]
    assert [int(s.name[:9]) for s in stems(tmp_path, "milestone")] == [e.step for e in better]
    assert names(tmp_path / "production") == ["0001.json", "0001.safetensors"]
    assert {f.suffix for f in tmp_path.rglob("*") if f.is_file()} == {".json", ".safetensors"}
    produced = newest_production(tmp_path)
    assert produced is not None
    facts, other = load_weights(fresh := bag(seed=9), produced), bag(seed=9)
    assert bits(fresh) == bits(module) != bits(other) and facts["version"] == 1
    assert history.best is not None and facts["held_out"] == history.best.held_out
    load_weights(other, stems(tmp_path, "milestone")[-1].with_suffix(".json"))
    assert bits(other) == bits(module)


def test_checkpoints_come_by_the_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now, saved, save = [0.0], [], CheckpointStore.save_training
    monkeypatch.setattr(engine_module.time, "monotonic", lambda: now[0])

    def kept(self: CheckpointStore, step: int, *rest: object) -> Path:
        saved.append(step)
        return save(self, step, *rest)  # type: ignore[arg-type]

    class Slow(Bag):
        def loss(self, batch: object) -> object:
            now[0] += 10.0 if self.training else 0.0
            return super().loss(batch)  # type: ignore[arg-type]

    monkeypatch.setattr(CheckpointStore, "save_training", kept)
    taught(tmp_path, Slow(), checkpoint_seconds=40)
    assert saved == [4, 8, 12, 16, 20, 21], "every four steps of ten seconds, and at the end"
    taught(tmp_path, **OFTEN)
    assert saved[6:] == [*range(1, 22)], "none is written over while it may be the newest"


@pytest.mark.parametrize("after", [1, 6, 7, 8, 13, 20])
def test_a_run_that_is_taken_up_ends_with_the_same_bits(tmp_path: Path, after: int) -> None:
    module, whole = taught()
    interrupted(tmp_path, bag(), after)
    resumed = bag()
    _, history = taught(tmp_path, resumed, **OFTEN)
    learned = [ids for ids in resumed.asked if ids[0].startswith("row-0")]
    assert len(learned) == 21 - after, "nothing is learned twice"
    assert bits(resumed) == bits(module) and curve(history) == curve(whole)


def test_the_last_three_stay_when_a_run_is_taken_up(tmp_path: Path) -> None:
    interrupted(tmp_path, bag(), 9)
    interrupted(tmp_path, bag(), 1)
    assert [int(s.name[:9]) for s in stems(tmp_path)] == [8, 9, 10]


def test_early_stopping_counts_over_interruptions(tmp_path: Path) -> None:
    long = {"epochs": 30, "learning_rate": 0.03, "patience": 2}
    module, whole = taught(**long)
    last = whole.epochs[-1].step
    assert last < 200
    interrupted(tmp_path, bag(), last - 3, **long)
    resumed, history = taught(tmp_path, **OFTEN, **long)
    assert bits(resumed) == bits(module) and curve(history) == curve(whole)


def test_half_precision_goes_on_with_its_scale(tmp_path: Path) -> None:
    module, _ = taught(precision="fp16")
    interrupted(tmp_path, bag(), 9, precision="fp16")
    assert read_weights(stems(tmp_path)[-1]).label.facts["scaler"]["_growth_tracker"] == 9
    assert bits(taught(tmp_path, precision="fp16")[0]) == bits(module)
    assert read_weights(stems(tmp_path)[-1]).label.facts["scaler"]["_growth_tracker"] == 21


def test_halved_batches_stay_halved(tmp_path: Path) -> None:
    def hungry() -> Hungry:
        with seeded(0):
            return Hungry(most=8)

    module, _ = taught(module=hungry())
    interrupted(tmp_path, hungry(), 12)
    resumed, history = taught(tmp_path, again := hungry(), **OFTEN)
    assert bits(resumed) == bits(module) and len(history.notes) == 1
    assert max(len(ids) for ids in again.asked if ids[0].startswith("row-0")) == 8, "it does not run out again"


def test_a_finished_run_is_not_run_again(tmp_path: Path) -> None:
    module, history = taught(tmp_path)
    before = {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()}
    again, found = taught(tmp_path, asked := bag())
    assert not asked.asked and found == history and bits(again) == bits(module)
    assert {f: f.read_bytes() for f in tmp_path.rglob("*") if f.is_file()} == before


def test_another_device_or_pace_is_the_same_run(tmp_path: Path) -> None:
    interrupted(tmp_path, bag(), 9, device="auto")
    taught(tmp_path, resumed := bag(), device="cpu", checkpoint_seconds=50)
    assert len([ids for ids in resumed.asked if ids[0].startswith("row-0")]) == 12


@pytest.mark.parametrize("suffix", [".json", ".safetensors"])
@pytest.mark.parametrize("harm", ["flipped", "cut", "empty", "gone"])
def test_a_torn_checkpoint_is_refused_by_name_and_the_one_before_used(tmp_path: Path, suffix: str, harm: str) -> None:
    module, _ = taught()
    interrupted(tmp_path, bag(), 9)
    newest = stems(tmp_path)[-1].with_suffix(suffix)
    harms = {
        "flipped": lambda: spoil(newest),
        "cut": lambda: newest.write_bytes(newest.read_bytes()[:-9]),
        "empty": lambda: newest.write_bytes(b""),
        "gone": newest.unlink,
    }
    harms[harm]()
    _, history = taught(tmp_path, resumed := bag(), **OFTEN)
    assert len([ids for ids in resumed.asked if ids[0].startswith("row-0")]) == 21 - 8
    assert bits(resumed) == bits(module)
    if (suffix, harm) == (".json", "gone"):
        assert not history.notes, "without its label it is none"
    else:
        (note,) = history.notes
        assert note.startswith(f"{newest} ") and note.endswith("; it is left out.")
    assert [int(s.name[:9]) for s in stems(tmp_path)] == [19, 20, 21]


def test_all_torn_checkpoints_are_refused_and_the_run_begins_anew(tmp_path: Path) -> None:
    module, _ = taught()
    interrupted(tmp_path, bag(), 9)
    for stem in stems(tmp_path):
        spoil(stem.with_suffix(".safetensors"))
    resumed, history = taught(tmp_path, checkpoint_seconds=1000)
    assert bits(resumed) == bits(module) and len(history.notes) == 3
    assert [int(s.name[:9]) for s in stems(tmp_path)] == [21], "what was refused does not push out what is good"


def test_a_changed_label_is_refused_also_where_it_can_be_read(tmp_path: Path) -> None:
    interrupted(tmp_path, bag(), 9)
    file = stems(tmp_path)[-1].with_suffix(".json")
    label = json.loads(file.read_text())
    label["facts"]["step"] += 1
    file.write_text(json.dumps(label))
    _, history = taught(tmp_path)
    assert history.notes == [f"{file} was changed; it is left out."]


FOREIGN = [
    ({"module": bag(words=50)}, "its shape of words.weight is [50, 4], not [40, 4]"),
    ({"module": Hungry(most=99)}, "its module is Hungry, not Bag"),
    ({"learning_rate": 0.01}, "its training.learning_rate is 0.01, not 0.05"),
    ({"n": 99}, "its rows is "),
]


@pytest.mark.parametrize(("changed", "said"), FOREIGN, ids=lambda value: value if isinstance(value, str) else "")
def test_a_foreign_checkpoint_is_refused_by_name_and_left_alone(
    tmp_path: Path, changed: dict[str, object], said: str
) -> None:
    module, _ = taught()
    taught(tmp_path, **{"epochs": 5, **OFTEN, **changed})
    theirs = {f: f.read_bytes() for f in tmp_path.rglob("*-*.*") if f.is_file()}
    interrupted(tmp_path, bag(), 9)
    resumed, history = taught(tmp_path, **OFTEN)
    assert bits(resumed) == bits(module)
    assert len(history.notes) >= 3
    assert all("is of another run: " in note and note.endswith("; it is left out.") for note in history.notes)
    assert said in history.notes[0] or "epochs is 5, not 3" in history.notes[0]
    assert {f: f.read_bytes() for f in theirs} == theirs
    assert newest_production(tmp_path) == tmp_path / "production" / "0002.json"


@pytest.mark.parametrize(("changed", "said"), FOREIGN, ids=lambda value: value if isinstance(value, str) else "")
def test_what_makes_a_checkpoint_foreign_is_said(tmp_path: Path, changed: dict[str, object], said: str) -> None:
    taught(tmp_path, **changed)
    _, history = taught(tmp_path)
    assert said in history.notes[0]


def test_another_vocabulary_of_the_same_size_is_another_run(tmp_path: Path) -> None:
    rows, held_out = encoded(100), encoded(60, seed=1)
    train(bag(), rows, held_out, settings(), tmp_path, about={"vocabulary": "aaa"})
    history = train(bag(), rows, held_out, settings(), tmp_path, about={"vocabulary": "bbb"})
    assert "another run: its vocabulary is aaa, not bbb" in history.notes[0]
    assert identity_difference({"a": "1", "b": "2"}, {"a": "1"}) == "its b is 2, not absent"
    assert identity_difference({"a": "1"}, {"a": "1"}) is None


def test_a_renamed_foreign_checkpoint_is_still_foreign(tmp_path: Path) -> None:
    taught(tmp_path / "theirs", learning_rate=0.01)
    interrupted(tmp_path / "mine", bag(), 9)
    mine, theirs = stems(tmp_path / "mine")[-1], stems(tmp_path / "theirs")[-1]
    for suffix in (".json", ".safetensors"):
        theirs.with_suffix(suffix).rename(mine.with_suffix(suffix))
    _, history = taught(tmp_path / "mine")
    assert history.notes == [
        f"{mine}.json is of another run: its training.learning_rate is 0.01, not 0.05; it is left out."
    ]


def test_weights_are_loaded_only_where_they_fit(tmp_path: Path) -> None:
    taught(tmp_path)
    produced = newest_production(tmp_path)
    assert produced is not None
    another = r"0001.json is of another kind of model or another vocabulary: its shape of "
    with pytest.raises(InputError, match=rf"{another}words.weight is \[40, 4\], not \[50, 4\]"):
        load_weights(bag(words=50), produced)
    with pytest.raises(InputError, match=rf"{another}weight is absent, not \[2, 2\]"):
        load_weights(torch.nn.Linear(2, 2), produced)
    before = bits(module := bag())
    spoil(produced.with_suffix(".safetensors"))
    with pytest.raises(InputError, match=r"0001.safetensors is torn or was changed; take another checkpoint"):
        load_weights(module, produced)
    assert bits(module) == before


def test_each_production_has_its_version(tmp_path: Path) -> None:
    assert newest_production(tmp_path) is None
    taught(tmp_path)
    taught(tmp_path, seed=1)
    assert names(tmp_path / "production") == ["0001.json", "0001.safetensors", "0002.json", "0002.safetensors"]
    spoil(tmp_path / "production" / "0002.json")
    taught(tmp_path, seed=1)
    assert newest_production(tmp_path) == tmp_path / "production" / "0003.json", "a spoilt version is not overwritten"


def test_tensors_that_share_memory_are_kept_apart(tmp_path: Path) -> None:
    class Tied(Bag):
        def __init__(self) -> None:
            super().__init__()
            self.again = self.words

    module, whole = taught(tmp_path, Tied(), **OFTEN)
    again, _ = taught(tmp_path, Tied())
    assert bits(again) == bits(module) and again.again.weight is again.words.weight and len(whole.epochs) == 3


def test_a_label_is_written_after_the_weights_it_vouches_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    renamed, rename = [], Path.replace

    def noted(draft: Path, file: Path) -> Path:
        renamed.append(file.name)
        return rename(draft, file)

    monkeypatch.setattr(Path, "replace", noted)
    write_weights(tmp_path / "a", "milestone", {"x": torch.ones(2)}, {}, {"step": 1})
    assert renamed == ["a.safetensors", "a.json"] and names(tmp_path) == ["a.json", "a.safetensors"]
    assert read_weights(tmp_path / "a").tensors()["x"].tolist() == [1, 1]
    with pytest.raises(CheckpointRejected, match="is missing or torn"):
        read_weights(tmp_path / "b")


def test_drafts_of_killed_writers_go_in_time(tmp_path: Path) -> None:
    (tmp_path / "training").mkdir()
    old, young = (tmp_path / "training" / f".{name}.safetensors.0.tmp" for name in ("old", "young"))
    for file in (old, young):
        file.write_text("")
    os.utime(old, (time.time() - 7200,) * 2)
    taught(tmp_path)
    assert not old.exists() and young.exists()


def test_orphaned_weights_go_with_the_next_save(tmp_path: Path) -> None:
    interrupted(tmp_path, bag(), 9)
    run = stems(tmp_path)[0].name[9:]
    orphan, foreign = (tmp_path / "training" / f"000000005-{name}.safetensors" for name in (run[1:], "f" * 12))
    for file in (orphan, foreign):
        file.write_bytes(b"")
    taught(tmp_path, **OFTEN)
    assert not orphan.exists() and foreign.exists()


def test_a_history_ahead_of_its_checkpoint_is_written_again(tmp_path: Path) -> None:
    _, whole = taught()
    interrupted(tmp_path, bag(), 16, checkpoint_seconds=0)
    for stem in stems(tmp_path)[-2:]:
        spoil(stem.with_suffix(".json"))
    assert len(History.read(tmp_path).epochs) == 2
    taught(tmp_path)
    assert curve(History.read(tmp_path)) == curve(whole)
