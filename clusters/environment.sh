# The environment of every shell on a node of a cluster: ~/.bashrc reads this file first. It contains no secret.

# `ray up` and `ray down` run commands in login shells without a virtual environment. Without this line, they would not
# find `ray stop`, and nothing would be stopped.
export PATH="$HOME/sweetspot/.venv/bin:$PATH"

# Model weights and encoded clips are kept on the node's own disk, so that each node downloads them once.
export HF_HOME="${HF_HOME:-$HOME/.sweetspot/huggingface}"
export SWEETSPOT_CACHE="${SWEETSPOT_CACHE:-$HOME/.sweetspot/cache}"

# Ray accepts only clients with the token in ~/.ray/auth_token, and does not start without it.
export RAY_AUTH_MODE=token
export RAY_USAGE_STATS_ENABLED=0

# By default Gloo uses the address of the host's name, often 127.0.0.1. Here it uses the interface of the default route.
if [ -z "${GLOO_SOCKET_IFNAME:-}" ] && command -v ip >/dev/null; then
    GLOO_SOCKET_IFNAME="$(ip -o -4 route show default | sed -n '1s/.* dev \([^ ]*\).*/\1/p')"
    [ -n "$GLOO_SOCKET_IFNAME" ] ||
        GLOO_SOCKET_IFNAME="$(ip -o -4 address show scope global | sed -n '1s/^[0-9]*: *\([^ ]*\).*/\1/p')"
    export GLOO_SOCKET_IFNAME
fi
