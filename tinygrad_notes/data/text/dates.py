"""Dates as people write them, in English and Chinese, and as ISO 8601 has them: a task for sequences."""

from __future__ import annotations

import datetime

import numpy as np

MONTHS = (
    "January", "February", "March", "April", "May", "June", "July", "August", "September", "October",
    "November", "December",
)  # fmt: skip
DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MOST = 500_000  # of 1.2 million: drawing the last ones would take for ever
FIRST, LAST = datetime.date(1900, 1, 1), datetime.date(2099, 12, 31)


def date_pairs(count: int, seed: int = 0) -> list[tuple[str, str]]:
    """`count` pairs such as ("Tuesday, March 5, 2024", "2024-03-05"), no form of a date twice.

    Days of 1900 to 2099, each in a form drawn from `FORMS`. Numbers alone stand as in America: month first.
    """
    if not 0 <= count <= MOST:
        raise ValueError(f"date_pairs: count must be 0 to {MOST:,}, got {count}")
    rng = np.random.Generator(np.random.PCG64(seed))
    seen: dict[str, str] = {}
    while len(seen) < count:
        day = FIRST + datetime.timedelta(int(rng.integers((LAST - FIRST).days + 1)))
        written = FORMS[int(rng.integers(len(FORMS)))](day)
        seen.setdefault(written, day.isoformat())
    return list(seen.items())


def _ordinal(n: int) -> str:
    ending = "th" if 10 < n % 100 < 20 else {1: "st", 2: "nd", 3: "rd"}.get(n % 10, "th")
    return f"{n}{ending}"


def _chinese(n: int) -> str:
    """1 to 31 as Chinese counts: 十一, 二十, 三十一."""
    digits = "〇一二三四五六七八九"
    if n < 10:
        return digits[n]
    tens, ones = divmod(n, 10)
    return (digits[tens] if tens > 1 else "") + "十" + (digits[ones] if ones else "")


def _year(year: int) -> str:
    return "".join("〇一二三四五六七八九"[int(digit)] for digit in str(year))


FORMS = (
    lambda d: f"{MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{MONTHS[d.month - 1]} {_ordinal(d.day)}, {d.year}",
    lambda d: f"{MONTHS[d.month - 1][:3]} {d.day}, {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1]} {d.year}",
    lambda d: f"{d.day} {MONTHS[d.month - 1][:3]} {d.year}",
    lambda d: f"the {_ordinal(d.day)} of {MONTHS[d.month - 1]}, {d.year}",
    lambda d: f"{DAYS[d.weekday()]}, {MONTHS[d.month - 1]} {d.day}, {d.year}",
    lambda d: f"{DAYS[d.weekday()][:3]} {d.day} {MONTHS[d.month - 1][:3]} {d.year}",
    lambda d: f"{d.month}/{d.day}/{d.year}",
    lambda d: f"{d.month:02}/{d.day:02}/{d.year}",
    lambda d: f"{d.year}/{d.month}/{d.day}",
    lambda d: f"{d.year}.{d.month:02}.{d.day:02}",
    lambda d: f"{d.year}年{d.month}月{d.day}日",
    lambda d: f"{d.year}年{d.month:02}月{d.day:02}日",
    lambda d: f"{d.year}年{d.month}月{d.day}号",
    lambda d: f"{d.year}年{d.month}月{d.day}日 星期{'一二三四五六日'[d.weekday()]}",
    lambda d: f"{_year(d.year)}年{_chinese(d.month)}月{_chinese(d.day)}日",
)
