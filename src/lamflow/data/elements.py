"""Chemical symbols: which ones there are, and their order."""

from collections.abc import Iterable, Sequence


def unknown_symbols(symbols: Iterable[str]) -> list[str]:
    """Return the symbols that name no element, in their order."""
    from ase.data import atomic_numbers

    return [symbol for symbol in symbols if atomic_numbers.get(symbol, 0) == 0]


def sorted_symbols(symbols: Iterable[str]) -> tuple[str, ...]:
    """Return the distinct symbols in the order of their atomic number."""
    from ase.data import atomic_numbers

    return tuple(sorted(set(symbols), key=lambda symbol: (atomic_numbers.get(symbol, 0), symbol)))


def symbols_of(numbers: Sequence[int]) -> list[str]:
    """Return the symbols of atomic numbers."""
    from ase.data import chemical_symbols

    return [chemical_symbols[number] for number in numbers]
