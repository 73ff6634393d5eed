"""Standard input, output and error of a process that was started without some of them."""

import os


def open_missing_descriptors() -> None:
    """Give what is missing of 0, 1 and 2 to the null device, for us and for our children.

    Otherwise the next file, socket or pipe that is opened gets the free number, and is taken for
    standard input by one process and for itself by another: a pipe of number 0 was replaced by the
    null device in the child that was to read from it.
    """
    for number in (0, 1, 2):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)  # the lowest free number, which is this one
            os.set_inheritable(opened, True)
