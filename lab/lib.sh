# shellcheck shell=bash disable=SC2034
# What every part of the lab shares: where things lie, remembered settings, start, wait, stop. Sourced, never run.
#
#   LAB_DIR   the state of one lab: logs, pids, keys, settings (default .cache/lab/run); two labs need two folders
#   LAB_HOME  what lab/build.sh made, shared by all labs (default .cache/lab)
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB=$ROOT/lab
LAB_HOME=${LAB_HOME:-$ROOT/.cache/lab}
LAB_DIR=${LAB_DIR:-$LAB_HOME/run}
LAB_BIN=$LAB_HOME/bin
KUBECONFIG_FILE=$LAB_DIR/kubeconfig
mkdir -p "$LAB_DIR/settings"

say() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; exit 1; }

# setting NAME DEFAULT: the environment wins, then what this lab was started with, then the default. The answer is
# remembered in LAB_DIR, so that the next part finds this one without being told its port.
setting() {
  local name=$1 file=$LAB_DIR/settings/$1
  local value=${!name-}
  [ -n "$value" ] || value=$(cat "$file" 2>/dev/null || true)
  [ -n "$value" ] || value=$2
  printf '%s\n' "$value" > "$file"
  printf -v "$name" '%s' "$value"
}

# need FILE PART: a part that is not built yet is named with its remedy.
need() { [ -e "$1" ] || fail "$1 is missing: run lab/build.sh $2"; }

# When a process started, in the kernel's ticks; nothing if it has ended, also when nobody has reaped it yet.
# A pid alone may belong to somebody else by now. In stat, after the name: the state is first, the start twentieth.
started_at() {
  local stat
  stat=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
  case $stat in [ZX]*) ;; *) cut -d ' ' -f 20 <<< "$stat" ;; esac
}

# pid_of PART: prints the pid of a part that this lab started and that still runs; else fails.
pid_of() {
  local pid born
  [ -e "$LAB_DIR/$1.pid" ] || return 1
  read -r pid born < "$LAB_DIR/$1.pid"
  [ "$(started_at "$pid")" = "$born" ] && echo "$pid"
}

# launch PART COMMAND...: in the background, out of reach of the terminal's Ctrl-C, all output into LAB_DIR/PART.log.
launch() {
  local part=$1 pid
  shift
  if pid=$(pid_of "$part"); then fail "runs already (pid $pid); lab/stop.sh $part ends it"; fi
  setsid -- "$@" > "$LAB_DIR/$part.log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid $(started_at $pid)" > "$LAB_DIR/$part.pid"
}

# await PART SECONDS COMMAND...: until the command succeeds; a part that ended or is late shows the end of its log.
await() {
  local part=$1 seconds=$2 began=$SECONDS
  shift 2
  until "$@" > /dev/null 2>&1; do
    if ! pid_of "$part" > /dev/null || [ $((SECONDS - began)) -ge "$seconds" ]; then
      tail -n 25 "$LAB_DIR/$part.log" >&2
      fail "not ready after $((SECONDS - began)) s; the end of $LAB_DIR/$part.log is above"
    fi
    sleep 0.2
  done
  say "ready (pid $(pid_of "$part"), log $LAB_DIR/$part.log)"
}

# stop_part PART SECONDS: asks, waits, insists. A killed controller would leave its plugin behind.
stop_part() {
  local part=$1 seconds=$2 pid children
  if pid=$(pid_of "$part"); then
    children=$(cat "/proc/$pid"/task/*/children 2>/dev/null || true)
    kill -TERM "$pid" 2>/dev/null || true
    for _ in $(seq $((seconds * 10))); do
      pid_of "$part" > /dev/null || break
      sleep 0.1
    done
    if pid_of "$part" > /dev/null; then
      say "$part did not end in $seconds s, killed"
      # shellcheck disable=SC2086 # several pids
      kill -KILL "$pid" $children 2>/dev/null || true
    else
      say "$part ended"
    fi
  fi
  rm -f "$LAB_DIR/$part.pid"
}

# port_answers PORT: somebody listens on 127.0.0.1:PORT.
port_answers() { (exec 3<> "/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

kubectl() { "$LAB_BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" "$@"; }
