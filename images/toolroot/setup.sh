#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Sets this machine up: installs the packages of packages.list that are missing (the only step
# that needs root), then hands over to setup.py, which never does.
#
#   setup.sh light     what building and the native tests need
#   setup.sh all       also QEMU, OVMF and NVIDIA's firmware
set -eu
here=$(dirname "$0")
say() { printf '[setup] %s\n' "$*"; }

# The major version of the clang that apt would install, read off its dependency on clang-NN.
clang_major() {
    apt-cache depends clang 2>/dev/null | sed -n 's/^ *Depends: clang-\([0-9]*\)$/\1/p' | head -n 1
}

wanted() {
    sed -e 's/#.*//' -e '/^ *$/d' -e "s/@CLANG@/$(clang_major)/" "$here/packages.list"
}

missing() {
    for package in $(wanted); do
        status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
        [ "$status" = installed ] || printf '%s ' "$package"
    done
}

if ! command -v apt-get >/dev/null; then
    say "this is no Debian: install the counterparts of $here/packages.list yourself"
else
    need=$(missing)
    # Without package lists even the version of clang is unknown: fetch them before judging.
    case " $need" in *libclang-rt--dev*) lists=no ;; *) lists=yes ;; esac
    if [ -n "$need" ]; then
        if [ "$(id -u)" = 0 ]; then
            root=
        elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
            root='sudo -n'
        else
            [ $lists = yes ] || need='(the package lists are missing too: apt-get update first) '$need
            say "these packages are missing and this user may not install them: $need" >&2
            say "install them with:  su -c 'apt-get update && apt-get install --no-install-recommends $need'" >&2
            exit 1
        fi
        started=$(date +%s)
        say "packages: fetching the lists"
        log=$(mktemp)
        # A third-party source that fails must not stop us: what counts is whether the packages come.
        $root env DEBIAN_FRONTEND=noninteractive timeout 300 apt-get -q update >"$log" 2>&1 ||
            say "packages: apt-get update had errors; trying with what it got"
        need=$(missing)
        say "packages: installing $need"
        # shellcheck disable=SC2086  # the list is meant to be split
        if ! $root env DEBIAN_FRONTEND=noninteractive timeout 900 \
            apt-get -q -y -o Acquire::Retries=3 -o DPkg::Lock::Timeout=300 \
            install --no-install-recommends $need >>"$log" 2>&1; then
            tail -n 20 "$log" >&2
            say "packages: apt-get could not install: $need (its words are above, all of them in $log)" >&2
            exit 1
        fi
        rm -f "$log"
        say "packages: done ($(($(date +%s) - started)) s)"
    fi
fi

exec python3 "$here/setup.py" "$@"
