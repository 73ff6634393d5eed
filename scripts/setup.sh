#!/bin/sh
# Make a virtual environment with lamflow and its development tools.
# Wanted: Python 3.11 or newer. On Debian and Ubuntu the venv module is a package of its own; as
# root it is installed here, otherwise the command to type is printed.
set -eu
: "${PYTHON:=python3}" "${VENV:=.venv}"

"$PYTHON" -c 'import sys; sys.exit(sys.version_info < (3, 11))' || {
    echo "lamflow needs Python 3.11 or newer, $PYTHON is $("$PYTHON" -V 2>&1)." >&2
    echo "Name another one: make PYTHON=python3.12 setup" >&2
    exit 2
}
if ! "$PYTHON" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$PYTHON" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    command="apt-get install -y python$version-venv"
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update && $command
    else
        echo "Python's venv module is missing; type: sudo $command" >&2
        exit 2
    fi
fi
"$PYTHON" -m venv "$VENV"
echo "installing lamflow, DeePMD-kit and PyTorch into $VENV (a few minutes, about 6 GB) ..."
"$VENV/bin/python" -m pip install --quiet --upgrade pip
"$VENV/bin/python" -m pip install --quiet --editable ".[dev]"
"$VENV/bin/lamflow" --version
