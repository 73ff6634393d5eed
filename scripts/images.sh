#!/bin/sh
# Build the images: lamflow, lamflow-gpu, lamflow-espresso, lamflow-cp2k, lamflow-lammps; or those
# that are named. BUILD_ARGS goes to every build (a proxy's certificates, another BASE, ...).
#   REPOSITORY=registry.example.org/team scripts/images.sh base gpu
set -eu
: "${REPOSITORY:=localhost}" "${BUILD_ARGS:=}"
cd "$(dirname "$0")/.."
engine=$(command -v podman || command -v docker) || {
    echo "neither podman nor docker is installed: apt-get install podman" >&2
    exit 2
}
version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
revision=$(git describe --always --dirty 2>/dev/null || echo unknown)

build() { # name, Containerfile, further arguments
    name=$1 file=$2
    shift 2
    # podman's cache does not see that a build argument has changed; --label goes past it.
    # BUILD_ARGS is a list, so it is left unquoted.
    # shellcheck disable=SC2086
    "$engine" build --file "images/$file.Containerfile" --tag "$REPOSITORY/$name:$version" \
        --build-arg VERSION="$version" --label org.opencontainers.image.version="$version" \
        --build-arg REVISION="$revision" --label org.opencontainers.image.revision="$revision" \
        $BUILD_ARGS "$@" .
}

[ $# -gt 0 ] || set -- base gpu label-espresso label-cp2k lammps
for image in "$@"; do
    case $image in
        base) build lamflow base ;;
        gpu | label-espresso | label-cp2k | lammps)
            build "lamflow-${image#label-}" "$image" \
                --build-arg BASE="$REPOSITORY/lamflow:$version" ;;
        *)
            echo "no image is called $image; there are base gpu label-espresso label-cp2k lammps" >&2
            exit 2 ;;
    esac
done
