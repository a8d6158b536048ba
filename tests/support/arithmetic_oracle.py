"""Whether a statement is true, worked out a third way: with integers only, and no code of the package."""


def is_true(question: str) -> bool:
    """The truth of a statement that the grammar knows."""
    words = question.split(" ")
    if "=" in words:
        return _calculation(*words)
    if words[0] == "the":
        return _sequence(question)
    if "than" in words or words[2:3] == ["at"]:
        return _comparison(words[0], " ".join(words[2:4]), words[4])
    return _property(int(words[0]), words[2:])


def _ratio(written: str) -> tuple[int, int]:
    above, _, below = written.partition("/")
    whole, _, part = above.partition(".")
    return int(whole + part), int(below or 1) * 10 ** len(part)


def _calculation(left: str, operator: str, right: str, _: str, result: str) -> bool:
    (a, b), (c, d), (e, f) = _ratio(left), _ratio(right), _ratio(result)
    above, below = {
        "+": (a * d + c * b, b * d),
        "-": (a * d - c * b, b * d),
        "*": (a * c, b * d),
        "/": (a * d, b * c),
    }[operator]
    return above * f == e * below


def _comparison(left: str, relation: str, right: str) -> bool:
    (a, b), (c, d) = _ratio(left), _ratio(right)
    gap = a * d - c * b
    return {"greater than": gap > 0, "less than": gap < 0, "at least": gap >= 0, "at most": gap <= 0}[relation]


def _property(number: int, words: list[str]) -> bool:
    match words[0]:
        case "even":
            return str(number)[-1] in "02468"
        case "odd":
            return str(number)[-1] in "13579"
        case "prime":
            return number > 1 and _strong_probable_prime(number)
        case "a":
            root = round(number**0.5)
            return any(r * r == number for r in (root - 1, root, root + 1))
        case _:
            return (number // int(words[2])) * int(words[2]) == number


def _strong_probable_prime(number: int) -> bool:
    """Miller and Rabin's test, which these bases make exact below 3 * 10^18."""
    bases = (2, 3, 5, 7, 11, 13, 17, 19, 23)
    if number in bases:
        return True
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(
        pow(b, odd, number) == 1 or any(pow(b, odd << t, number) == number - 1 for t in range(twos)) for b in bases
    )


def _sequence(question: str) -> bool:
    shown, _, following = question.removeprefix("the sequence ").partition(" continues with ")
    terms = [*map(int, shown.split(", ")), int(following)]
    inner = range(1, len(terms) - 1)
    return (
        all(terms[i + 1] - terms[i] == terms[i] - terms[i - 1] for i in inner)
        or (0 not in terms and all(terms[i + 1] * terms[i - 1] == terms[i] ** 2 for i in inner))
        or all(terms[i + 1] == terms[i] + terms[i - 1] for i in inner)
        or all(terms[i - 1] == terms[i] + terms[i + 1] for i in inner)
    )
