#!/usr/bin/env bash
# Installs the synced checkout on a node, with Python 3.11 and the versions in constraints.txt.
#     bash ~/sweetspot/clusters/set_up_node.sh VERSION_OF_UV
# When run again, it does only what is missing.
set -euo pipefail
cd "$(dirname "$0")/.."
uv_version="$1"

# Some rented machines have a fast temporary disk, which suits a cache.
if [ ! -e "$HOME/.sweetspot" ]; then
    if [ -d /opt/dlami/nvme ]; then
        sudo install -d -o "$(id -u)" -g "$(id -g)" /opt/dlami/nvme/sweetspot
        ln -s /opt/dlami/nvme/sweetspot "$HOME/.sweetspot"
    else
        mkdir -p "$HOME/.sweetspot"
    fi
fi

# At the beginning of ~/.bashrc, because on many systems it returns early in non-interactive shells.
line=". \"\$HOME/sweetspot/clusters/environment.sh\""
touch "$HOME/.bashrc"
if ! grep -qxF "$line" "$HOME/.bashrc"; then
    printf '%s\n' "$line" | cat - "$HOME/.bashrc" >"$HOME/.bashrc.sweetspot"
    mv "$HOME/.bashrc.sweetspot" "$HOME/.bashrc"
fi

python=python3.11
# Debian's Python lacks the module that creates virtual environments.
has_python() { "$python" -c 'import ensurepip' 2>/dev/null; }
if [ ! -e .venv/installed ] && ! { has_python && command -v make >/dev/null; }; then
    sudo="$([ "$(id -u)" = 0 ] || echo "sudo -n")"
    if ! { command -v apt-get && $sudo true; } >/dev/null 2>&1; then
        echo "$(hostname): Python 3.11, its venv module and make are needed, and cannot be installed without apt-get and" \
            "sudo without a password; install them and run ray up again" >&2
        exit 1
    fi
    $sudo apt-get -qq -o DPkg::Lock::Timeout=600 update
    $sudo apt-get -qq -o DPkg::Lock::Timeout=600 install -y make python3-venv
    if ! has_python; then
        python3 -m venv "$HOME/.sweetspot/uv"
        "$HOME/.sweetspot/uv/bin/pip" install --quiet "uv==$uv_version"
        "$HOME/.sweetspot/uv/bin/uv" python install --quiet 3.11
        python="$("$HOME/.sweetspot/uv/bin/uv" python find 3.11)"
    fi
fi
make --silent .venv/installed PYTHON="$python"
