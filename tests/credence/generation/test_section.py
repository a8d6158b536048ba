"""The section `generation`: what it refuses and in which words, exact quotas, and when two runs are the same."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from credence.core.canonical_json import json_digest
from credence.core.errors import InputError
from credence.generation.arithmetic import CATEGORIES
from credence.generation.generate import check_ready, generate, providers_of, writer_of
from credence.generation.ledger import LedgerReader
from credence.generation.section import EXAMPLES, MAX_LABEL_LENGTH, Generation
from credence.task import Task

TASK = (
    "question: Is it so?\nsource: {kind: csv, path: rows.csv}\ncolumns: {text: t, label: y, positive: yes}\n"
    "models: [{kind: tfidf}]\ngeneration:\n"
)
OFFLINE = "  providers: [{kind: offline}]\n"
ABOUT = OFFLINE + "  topic: mails\n"
SPAM = "  labels: {spam: nobody asked for it, ham: all others}\n"
TWO = [
    {"kind": "openai", "name": n, "model": n, "key_env": None, "price": {"input": 1, "output": 2}} for n in ("a", "b")
]


def read(folder: Path, lines: str, **overrides: Any) -> Generation:
    """The section as a user gives it: lines of a task's file, and --set."""
    file = folder / "mine.yaml"
    file.write_text(TASK + lines, encoding="utf-8")
    section = Task.read(file, {f"generation.{k}": v for k, v in overrides.items()}).generation
    assert section is not None
    return section


def section(**given: Any) -> Generation:
    return Generation(**{"providers": [{"kind": "offline"}], **given})


def topic(**given: Any) -> Generation:
    labels = {"spam": "nobody asked for it", "ham": "all others"}
    return Generation(**{"providers": TWO, "topic": "mails", "labels": labels, **given})


REFUSED: dict[str, tuple[str, list[str]]] = {
    "no providers": ("  rows: 8\n", ["generation.providers", "needed and missing"]),
    "providers empty": ("  providers: []\n", ["generation.providers", "at least 1 item"]),
    "one provider, not in a list": ("  providers: {kind: offline}\n", ["generation.providers", "valid list"]),
    "misspelt key": (OFFLINE + "  rowz: 8\n", ["generation.rowz: no such key. Did you mean 'rows'?"]),
    "misspelt providers": ("  provider: [{kind: offline}]\n", ["generation.provider:", "Did you mean 'providers'?"]),
    "unknown kind": (
        "  providers: [{kind: opnai}]\n",
        ["generation.providers.0.kind: no provider of kind 'opnai'. Did you mean 'openai'?"],
    ),
    "no kind": ("  providers: [{model: gpt-4o}]\n", ["generation.providers.0.kind", "needed and missing"]),
    "price below nothing": (
        "  providers: [{kind: openai, model: m, price: {input: -1, output: 0}}]\n",
        ["generation.providers.0.price.input", "greater than or equal to 0", "'-1'"],
    ),
    "price with half of it": (
        "  providers: [{kind: openai, model: m, price: {input: 1}}]\n",
        ["generation.providers.0.price.output", "needed and missing"],
    ),
    "zero rows": (OFFLINE + "  rows: 0\n", ["generation.rows", "greater than or equal to 1", "'0'"]),
    "rows in words": (OFFLINE + "  rows: many\n", ["generation.rows", "'many'"]),
    "fewer rows than cells": (OFFLINE + "  rows: 7\n", ["generation: rows is 7", "fewer than one", "8 categories"]),
    "fewer rows than labels": (ABOUT + SPAM + "  rows: 1\n", ["generation: rows is 1", "2 categories and labels"]),
    "zero of a category": (OFFLINE + "  quotas: {comparison: 0}\n", ["quotas: comparison.no would have 0 rows"]),
    "one of a category": (OFFLINE + "  quotas: {comparison: 1}\n", ["quotas: comparison.no would have 0 rows"]),
    "less than nothing": (OFFLINE + "  quotas: {pattern: -4}\n", ["quotas: pattern.no would have -2 rows"]),
    "zero of a label": (OFFLINE + "  quotas: {pattern: {yes: 0, no: 4}}\n", ["pattern.yes would have 0 rows"]),
    "one label of two": (OFFLINE + "  quotas: {pattern: {yes: 4}}\n", ["pattern.no would have 0 rows", "1 or more"]),
    "quotas in words": (
        OFFLINE + "  quotas: {pattern: many}\n",
        ["generation.quotas: pattern: expected how many rows, a whole number, not 'many'."],
    ),
    "half a row": (OFFLINE + "  quotas: {pattern: 2.5}\n", ["generation.quotas: pattern:", "not '2.5'"]),
    "true rows": (OFFLINE + "  quotas: {pattern: true}\n", ["generation.quotas: pattern:", "not 'True'"]),
    "label in words": (OFFLINE + "  quotas: {pattern: {yes: x, no: 4}}\n", ["generation.quotas: pattern.yes:", "'x'"]),
    "label that is no word": (
        OFFLINE + "  quotas: {pattern: {true: 4, false: 4}}\n",
        ["generation.quotas: True is read as no word; write it in quotes."],
    ),
    "list of quotas": (OFFLINE + "  quotas: [4, 4]\n", ["generation.quotas", "valid dictionary"]),
    "category nobody knows": (
        OFFLINE + "  quotas: {patern: 4}\n",
        ["generation: quotas: no category 'patern'. Did you mean 'pattern'?"],
    ),
    "label nobody knows": (
        OFFLINE + "  quotas: {pattern: {yess: 4, no: 4}}\n",
        ["quotas: no label 'yess'. Did you mean 'yes'?"],
    ),
    "label of a topic nobody knows": (
        ABOUT + SPAM + "  quotas: {spm: 4, ham: 4}\n",
        ["quotas: no label 'spm'. Did you mean 'spam'?"],
    ),
    "label of a topic without rows": (ABOUT + SPAM + "  quotas: {spam: 4}\n", ["quotas: ham would have 0 rows"]),
    "zero of a topic's label": (ABOUT + SPAM + "  quotas: {spam: 0, ham: 4}\n", ["quotas: spam would have 0 rows"]),
    "categories of a topic": (ABOUT + SPAM + "  quotas: {spam: {spam: 4}}\n", ["quotas.spam", "whole number"]),
    "rows and quotas": (
        OFFLINE + "  rows: 9\n  quotas: {pattern: 8}\n",
        ["rows says 9 and quotas add up to 8; remove rows, or mend the quotas"],
    ),
    "labels without topic": (OFFLINE + SPAM, ["labels belongs to a topic", "add topic, or remove labels"]),
    "seeds without topic": (OFFLINE + "  seeds: seeds.txt\n", ["seeds belongs to a topic", "or remove seeds"]),
    "agreement without topic": (OFFLINE + "  agreement: 3\n", ["agreement belongs to a topic", "or remove agreement"]),
    "topic without labels": (ABOUT, ["labels: a topic needs two labels or more"]),
    "topic with one label": (ABOUT + "  labels: {spam: bad}\n", ["labels: a topic needs two labels or more"]),
    "empty topic": (OFFLINE + "  topic: ''\n" + SPAM, ["generation.topic", "at least 1 character"]),
    "blank topic": (OFFLINE + "  topic: '  '\n" + SPAM, ["topic: expected what the texts are about"]),
    "half of a surrogate pair": (OFFLINE + '  topic: "mails \\ud800"\n' + SPAM, ["generation.topic", "unicode"]),
    "half of one in a label": (ABOUT + '  labels: {"a\\ud800": bad, ham: good}\n', ["generation: labels", "surrogate"]),
    "label without meaning": (ABOUT + "  labels: {spam: '', ham: good}\n", ["labels.spam: expected what", "in words"]),
    "blank label": (ABOUT + "  labels: {' ': bad, ham: good}\n", ["labels. : expected what the label means"]),
    "labels that are numbers": (
        ABOUT + "  labels: {0: ham, 1: spam}\n",
        ["generation.labels: 0 is read as no word; write it in quotes."],
    ),
    "list of labels": (ABOUT + "  labels: [spam, ham]\n", ["generation.labels", "valid dictionary"]),
    "the readers' own word": (ABOUT + "  labels: {unclear: who knows, ham: good}\n", ["labels.unclear:", "choose"]),
    "long label": (
        ABOUT + f"  labels: {{{'x' * (MAX_LABEL_LENGTH + 1)}: a, ham: b}}\n",
        ["41 characters", "40 at most"],
    ),
    "agreement of one": (ABOUT + SPAM + "  agreement: 1\n", ["generation.agreement", "greater than or equal to 2"]),
    "agreement of many": (ABOUT + SPAM + "  agreement: 6\n", ["generation.agreement", "less than or equal to 5"]),
    "negative budget": (OFFLINE + "  budget_usd: -1\n", ["generation.budget_usd", "or equal to 0", "'-1'"]),
    "endless budget": (OFFLINE + "  budget_usd: .inf\n", ["generation.budget_usd", "finite"]),
    "budget in words": (OFFLINE + "  budget_usd: ten\n", ["generation.budget_usd", "'ten'"]),
    "seed in words": (OFFLINE + "  seed: x\n", ["generation.seed", "'x'"]),
    "seed below nothing": (OFFLINE + "  seed: -1\n", ["generation.seed", "or equal to 0"]),
    "no patience": (OFFLINE + "  patience_minutes: 0\n", ["generation.patience_minutes", "greater than 0"]),
    "nothing per call": (OFFLINE + "  items_per_call: 0\n", ["generation.items_per_call", "or equal to 1"]),
    "complete beyond all": (OFFLINE + "  complete: 1.1\n", ["generation.complete", "less than or equal to 1"]),
    "export as a table": (OFFLINE + "  export: out/rows.csv\n", ["generation.export: out/rows.csv", ".jsonl"]),
    "sink without table": (OFFLINE + "  sink: {url: 'sqlite:///x'}\n", ["generation.sink.table", "needed"]),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_mistake_in_the_file_is_one_sentence(tmp_path: Path, case: str) -> None:
    lines, told = REFUSED[case]
    with pytest.raises(InputError) as refused:
        read(tmp_path, lines)
    sentence = str(refused.value)
    assert all(part in sentence for part in (f"{tmp_path / 'mine.yaml'}: generation", *told)), sentence
    assert "\n" not in sentence and (case == "misspelt providers" or "; generation" not in sentence), sentence


def test_a_mistake_on_the_command_line_is_told_like_one_in_the_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"mine\.yaml: generation: quotas: no category 'patern'"):
        read(tmp_path, OFFLINE, quotas={"patern": 4})
    with pytest.raises(InputError, match=r"mine\.yaml: generation\.budget_usd: .* not '-3'"):
        read(tmp_path, OFFLINE, budget_usd=-3)
    assert read(tmp_path, OFFLINE, budget_usd=None).budget_usd is None


NOT_READY: dict[str, tuple[dict[str, Any], str]] = {
    "one name for two": ({"providers": [{"kind": "offline"}] * 2}, r"generation\.providers: two are called 'offline'"),
    "one host for two": (
        {"providers": [{"kind": "openai", "model": m, "base_url": "http://h/v1", "key_env": None} for m in "xy"]},
        r"two are called 'h'; give each a name of its own",
    ),
    "no model": ({"providers": [{"kind": "openai"}]}, "openai.*model: this key is needed and missing"),
    "misspelt parameter": (
        {"providers": [{"kind": "openai", "modle": "gpt-4o"}]},
        "modle: no such key. Did you mean 'model'",
    ),
    "wrong address": (
        {"providers": [{"kind": "openai", "model": "m", "base_url": "ftp://h"}]},
        "'ftp://h' is no address of a server",
    ),
    "unknown model": (
        {"providers": [{"kind": "openai", "model": "gpt-4oo", "key_env": None}]},
        r"no price is known for the model 'gpt-4oo'.*Did you mean 'gpt-4o'\?.*give its price",
    ),
    "no key": (
        {"providers": [{"kind": "openai", "model": "gpt-4o", "key_env": "NO_SUCH_KEY"}]},
        "provider 'openai' takes its key from the environment variable NO_SUCH_KEY, which is not set",
    ),
    "no money": (
        {"providers": TWO[:1], "budget_usd": 0.000_001},
        r"budget_usd is \$1e-06, and a single call to a may cost",
    ),
}


@pytest.mark.parametrize("case", NOT_READY)
def test_what_the_section_alone_does_not_show_is_refused_before_a_call(case: str) -> None:
    given, told = NOT_READY[case]
    with pytest.raises(InputError, match=told):
        check_ready(section(**given))


@pytest.mark.parametrize(("agreement", "models"), [(2, ["a"]), (2, ["a", "a"]), (3, ["a", "b"]), (5, list("abcd"))])
def test_more_agreement_than_different_models_cannot_be(agreement: int, models: list[str]) -> None:
    providers = [{**TWO[0], "name": f"p{i}", "model": model} for i, model in enumerate(models)]
    told = f"{agreement} different models have to agree on every example, and {len(set(models))} were given"
    with pytest.raises(InputError, match=f"generation.providers: {told}; add a provider with another model"):
        providers_of(topic(providers=providers, agreement=agreement))
    another = [*providers, *({**TWO[0], "name": f"q{i}", "model": f"m{i}"} for i in range(agreement))]
    assert len(providers_of(topic(providers=another, agreement=agreement))) == len(another)


def test_the_offline_provider_writes_no_topic() -> None:
    with pytest.raises(InputError, match="the offline provider writes arithmetic only; a topic needs other models"):
        providers_of(topic(providers=[*TWO, {"kind": "offline"}]))


def test_a_price_that_is_given_is_enough() -> None:
    _, [provider] = check_ready(section(providers=TWO[:1]))
    assert provider.model == "a"


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("gone.txt", None, "seeds: .*gone.txt is no file; name a .txt"),
        ("empty.txt", " \n\n", "seeds: .*empty.txt holds no text"),
        ("seeds.csv", "text,label\nhello,spam\nbye,spm\n", r"seeds.csv, row 2: no label 'spm'. Did you mean 'spam'\?"),
        ("seeds.csv", "words,label\nhello,spam\n", "seeds.csv has no column 'text'; its columns are words, label"),
    ],
)
def test_seeds_are_read_before_a_call_is_made(tmp_path: Path, name: str, content: str | None, told: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    given = topic(seeds=tmp_path / name)
    for before in (check_ready, writer_of, lambda s: s.spec([])):
        with pytest.raises(InputError, match=told):
            before(given)


def cells(generation: Generation) -> dict[tuple[str, str], int]:
    return {(c, label): rows for c, labels in generation.wanted().items() for label, rows in labels.items()}


def test_forty_thousand_rows_are_five_thousand_in_every_cell() -> None:
    assert cells(section(rows=40_000)) == {(c, label): 5000 for c in CATEGORIES for label in ("no", "yes")}


def test_a_thousand_rows_are_written_where_nothing_is_said() -> None:
    assert set(cells(section()).values()) == {125}
    assert cells(topic()) == {(EXAMPLES, "spam"): 500, (EXAMPLES, "ham"): 500}


@given(st.integers(8, 10**9))
@example(8)
@example(15)
def test_any_number_of_rows_is_dealt_evenly(rows: int) -> None:
    dealt = cells(section(rows=rows))
    assert set(dealt) == {(c, label) for c in CATEGORIES for label in ("no", "yes")}
    assert sum(dealt.values()) == rows and max(dealt.values()) - min(dealt.values()) <= 1
    truths = [sum(n for (_, label), n in dealt.items() if label == truth) for truth in ("no", "yes")]
    assert abs(truths[0] - truths[1]) <= 4


@given(st.integers(2, 7), st.integers(0, 10**6))
def test_the_labels_of_a_topic_get_their_rows_evenly(labels: int, more: int) -> None:
    given = topic(labels={f"label {i}": "so" for i in range(labels)}, rows=labels + more)
    dealt = cells(given)
    assert len(dealt) == labels and sum(dealt.values()) == labels + more
    assert max(dealt.values()) - min(dealt.values()) <= 1


def test_quotas_are_what_they_say() -> None:
    given = section(quotas={"pattern": 7, "comparison": {"yes": 3, "no": 9}}, rows=19)
    assert given.wanted() == {"pattern": {"no": 3, "yes": 4}, "comparison": {"no": 9, "yes": 3}}
    assert topic(quotas={"ham": 3, "spam": 9}).wanted() == {EXAMPLES: {"spam": 9, "ham": 3}}


def test_a_section_survives_the_way_to_a_step(tmp_path: Path) -> None:
    """ZenML hands a step its parameters as JSON with all defaults spelled out."""
    for sent in (section(rows=17, export="x.jsonl"), topic(seeds=tmp_path / "s.txt", quotas={"ham": 3, "spam": 9})):
        there = Generation.model_validate(json.loads(sent.model_dump_json()))
        assert there == sent and there.wanted() == sent.wanted()


SAME = {
    "limits": {"providers": [{**TWO[0], "limits": {"rpm": 3, "tpm": 4, "in_flight": 1}}]},
    "time-outs": {"providers": [{**TWO[0], "read_seconds": 1, "total_seconds": 2, "connect_seconds": 1}]},
    "key": {"providers": [{**TWO[0], "key_env": "ANOTHER"}]},
    "price": {"providers": [{**TWO[0], "price": {"input": 7, "output": 8}}]},
    "budget": {"budget_usd": 3.5},
    "items per call": {"items_per_call": 3},
    "patience": {"patience_minutes": 1},
    "completeness": {"complete": 0.5},
    "export": {"export": "out.jsonl"},
    "sink": {"sink": {"url": "sqlite:///x", "table": "t"}},
    "rows spelled out": {"quotas": dict.fromkeys(CATEGORIES, 4)},
}
OTHER = {
    "rows": {"rows": 17},
    "quotas": {"quotas": {"pattern": 16}},
    "balance": {"quotas": {c: {"no": 1, "yes": 3 if c == "pattern" else 1} for c in CATEGORIES}},
    "model": {"providers": [{**TWO[0], "model": "b"}]},
    "name": {"providers": [{**TWO[0], "name": "b"}]},
    "address": {"providers": [{**TWO[0], "base_url": "http://elsewhere/v1"}]},
    "kind": {"providers": [{**TWO[0], "kind": "anthropic"}]},
    "second provider": {"providers": TWO},
    "seed": {"seed": 1},
}
OTHER_TOPIC = {
    "topic": {"topic": "letters"},
    "label": {"labels": {"spam": "nobody asked for it", "hum": "all others"}},
    "meaning": {"labels": {"spam": "nobody asked for it", "ham": "the rest"}},
    "agreement": {"agreement": 3},
}


def spec(generation: Generation, templates: tuple[str, ...] = ("arithmetic/1.0.0@ab",)) -> str:
    """What names the ledger."""
    return json_digest(generation.spec(list(templates)))


@pytest.mark.parametrize("change", SAME)
def test_how_is_asked_does_not_make_it_another_data_set(change: str) -> None:
    plain = {"providers": TWO[:1], "rows": 16}
    given = {**plain, **SAME[change]}
    given = {k: v for k, v in given.items() if k != "rows" or "quotas" not in SAME[change]}
    assert spec(section(**given)) == spec(section(**plain))


@pytest.mark.parametrize("change", OTHER)
def test_what_makes_other_rows_makes_it_another_data_set(change: str) -> None:
    plain = {"providers": TWO[:1], "rows": 16}
    given = {k: v for k, v in plain.items() if k != "rows" or "quotas" not in OTHER[change]}
    assert spec(section(**{**given, **OTHER[change]})) != spec(section(**plain))


def test_the_seed_of_the_offline_provider_makes_other_rows() -> None:
    seeded = [section(providers=[{"kind": "offline", "seed": seed}]) for seed in (1, 2)]
    assert spec(seeded[0]) != spec(seeded[1])


def test_the_seed_of_the_section_makes_other_rows_and_not_another_name_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENCE_HOME", str(tmp_path))
    questions = []
    for seed in (0, 1):
        with LedgerReader(generate("mine", section(rows=40, seed=seed)).folder) as reader:
            questions.append(set(reader.results()["question"].to_pylist()))
    assert len(questions[0]) == len(questions[1]) == 40 and len(questions[0] & questions[1]) < 4


def test_other_templates_make_another_data_set() -> None:
    assert spec(section(), ("a/1.0.0@ab",)) != spec(section(), ("a/1.0.0@ac",))


@pytest.mark.parametrize("change", OTHER_TOPIC)
def test_what_makes_other_examples_makes_it_another_data_set(change: str) -> None:
    assert spec(topic(**OTHER_TOPIC[change])) != spec(topic())


def test_the_content_of_the_seeds_counts_and_not_their_place(tmp_path: Path) -> None:
    for name, content in {"a.txt": "one\ntwo\n", "b.txt": "one\n\ntwo", "c.txt": "one\nthree\n"}.items():
        (tmp_path / name).write_text(content)
    a, b, c = (spec(topic(seeds=tmp_path / f"{name}.txt")) for name in "abc")
    assert a == b and len({a, c, spec(topic())}) == 3


def test_nothing_in_a_spec_can_hold_a_key() -> None:
    given = section(providers=[{**TWO[0], "key_env": "MY_KEY_IS_HERE"}])
    assert "MY_KEY_IS_HERE" not in json.dumps(given.spec([]))
