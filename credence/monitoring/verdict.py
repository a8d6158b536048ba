"""The verdict on a window, and the sentences that give its reasons."""

from credence.monitoring import Monitoring
from credence.monitoring.health import ANSWERS, Drift, Labelled, Operations, State, Watched
from credence.monitoring.sequence import Sequential
from credence.report.wording import number, plural

NAMED = 5
THE_ANSWERS = "the probabilities of the answers"


def state(drift: Drift, sequential: Sequential) -> State:
    """drift: something moved surely and far. watch: surely but little, or only the bet over many windows says so."""
    if drift.enough and any(w.change == "drifted" for w in drift.watched):
        return "drift"
    small = drift.enough and any(w.change == "small" for w in drift.watched)
    return "watch" if small or sequential.alarm else "quiet"


def reason(verdict: State, drift: Drift, sequential: Sequential, section: Monitoring) -> str:
    """One or two sentences: which columns, by how much, from what to what."""
    rows = _rows(drift)
    if not drift.enough and verdict == "quiet":
        return f"{rows}: fewer than the {section.minimum_rows} that monitoring.minimum_rows asks for, too few to tell."
    if verdict == "quiet":
        return f"On {rows} nothing differs from the {plural(drift.reference, 'reference row')} beyond luck."
    moved = [w for w in drift.watched if w.change == ("drifted" if verdict == "drift" else "small")]
    if not moved:
        alone = "no column alone differs beyond luck" if drift.enough else "too little can be told of this window alone"
        return (
            f"On {rows} {alone}, but the bet against exchangeable rows, which goes on over all windows, has won enough "
            f"for an alarm on {sequential.trait}."
        )
    how = "differ" if verdict == "drift" else "differ surely, but by less than monitoring.effect,"
    columns = list(dict.fromkeys(w.column if w.trait != ANSWERS else THE_ANSWERS for w in moved))
    return f"On {rows} {_listed(columns)} {how} from the reference: {_worst(moved)}."


def _rows(drift: Drift) -> str:
    if drift.effective == drift.rows:
        return plural(drift.rows, "row")
    return f"{plural(drift.rows, 'row')} (worth {drift.effective:,} independent ones)"


def _listed(columns: list[str]) -> str:
    shown = columns[:NAMED]
    more = [f"{len(columns) - NAMED} more"] if len(columns) > NAMED else []
    *first, last = [*shown, *more]
    return f"{', '.join(first)} and {last}" if first else last


def _worst(moved: list[Watched]) -> str:
    return "; ".join(w.sentence for w in sorted(moved, key=lambda w: -w.distance)[:NAMED])


def troubles(right: Labelled, service: Operations) -> list[str]:
    """What somebody should know of besides drift, one sentence each."""
    found = [right.sentence] if right.lost else []
    if service.slow:
        p95, bound = number(service.latency_ms["p95"]), number(service.bound_ms)
        found.append(f"95 % of the requests took up to {p95} ms; the bound is {bound} ms.")
    if service.dropped:
        found.append(f"{plural(service.dropped, 'record')} were dropped under load and are not in these figures.")
    found += [f"The log could not be read whole: {skipped}." for skipped in service.skipped]
    return found
