"""Places of elements in the periodic table and the families that maps colour them by."""

from lamflow.report.palette import SERIES

_NOBLE = (0, 2, 10, 18, 36, 54, 86, 118)
_COLUMNS = 18
_F_ELEMENTS = range(3, 18)  # their numbers within a period: La to Lu, Ac to Lr
_F_SHIFT = 14
_NONMETALS = frozenset({"H", "C", "N", "O", "P", "S", "Se", "F", "Cl", "Br", "I", "At", "Ts"})

FAMILIES = {
    "s metal": SERIES[1],
    "d metal": SERIES[0],
    "f metal": SERIES[3],
    "p metal or metalloid": SERIES[2],
    "nonmetal": SERIES[4],
    "noble gas": SERIES[5],
}
"""Families of elements and their colours."""


def place(number: int) -> tuple[int, int]:
    """Return row (1 to 7; 9 and 10 for the f elements) and column (1 to 18) of an atomic number."""
    period = next(row for row in range(1, 8) if number <= _NOBLE[row])
    within = number - _NOBLE[period - 1]
    length = _NOBLE[period] - _NOBLE[period - 1]
    if within <= 2 and number != 2:
        return period, within
    if length == 32 and within in _F_ELEMENTS:
        return period + 3, within
    return period, _COLUMNS - (length - within)


def family(symbol: str) -> str:
    """Return the family of an element, a key of `FAMILIES`."""
    from ase.data import atomic_numbers

    if symbol in _NONMETALS:
        return "nonmetal"
    row, column = place(atomic_numbers[symbol])
    if row > 7:
        return "f metal"
    if column <= 2:
        return "s metal"
    if column == _COLUMNS:
        return "noble gas"
    return "d metal" if column <= 12 else "p metal or metalloid"
