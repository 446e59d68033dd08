# What every shell on a node of a cluster starts with: ~/.bashrc reads this first. It holds no secret.

# `ray up` and `ray down` run their commands in login shells, which know no virtual environment: without this line
# `ray stop` would not be found and nothing would be stopped.
export PATH="$HOME/sweetspot/.venv/bin:$PATH"

# Model weights and encoded clips are kept on the node's own disk, so each node reads them once.
export HF_HOME="${HF_HOME:-$HOME/.sweetspot/huggingface}"
export SWEETSPOT_CACHE="${SWEETSPOT_CACHE:-$HOME/.sweetspot/cache}"

# Ray answers only to who holds the token in ~/.ray/auth_token, and starts nowhere without it.
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0

# Gloo takes the address that the host's name stands for, often 127.0.0.1; here it takes the card with the default route.
if [ -z "${GLOO_SOCKET_IFNAME:-}" ] && command -v ip >/dev/null; then
    GLOO_SOCKET_IFNAME="$(ip -o -4 route show default | sed -n '1s/.* dev \([^ ]*\).*/\1/p')"
    [ -n "$GLOO_SOCKET_IFNAME" ] ||
        GLOO_SOCKET_IFNAME="$(ip -o -4 address show scope global | sed -n '1s/^[0-9]*: *\([^ ]*\).*/\1/p')"
    export GLOO_SOCKET_IFNAME
fi
