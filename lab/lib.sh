# shellcheck shell=bash disable=SC2034
# Functions of all lab scripts: paths, stored settings, start, wait, stop. Sourced, not run.
#
#   LAB_DIR   state of one lab: logs, pids, keys, settings (default .cache/lab/run); each lab needs its own folder
#   LAB_HOME  output of lab/build.sh, shared by all labs (default .cache/lab)
#   LAB_KUBERNETES   minor version of Kubernetes (default 1.34), one of the folders lab/kubernetes-*
set -euo pipefail

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
LAB=$ROOT/lab
LAB_HOME=${LAB_HOME:-$ROOT/.cache/lab}
LAB_DIR=${LAB_DIR:-$LAB_HOME/run}
LAB_BIN=$LAB_HOME/bin
LAB_KUBERNETES=${LAB_KUBERNETES:-1.34}
KUBERNETES_BIN=$LAB_HOME/kubernetes-$LAB_KUBERNETES
KUBECONFIG_FILE=$LAB_DIR/kubeconfig
mkdir -p "$LAB_DIR/settings"

report() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*"; }
fail() { printf '%s: %s\n' "$(basename "$0" .sh)" "$*" >&2; exit 1; }

# setting NAME DEFAULT: sets NAME from the environment, else from the value stored in LAB_DIR, else to the default.
# The value is stored in LAB_DIR, so that the next part finds the port of this one.
setting() {
  local name=$1 file=$LAB_DIR/settings/$1
  local value=${!name-}
  [ -n "$value" ] || value=$(cat "$file" 2>/dev/null || true)
  [ -n "$value" ] || value=$2
  printf '%s\n' "$value" > "$file"
  printf -v "$name" '%s' "$value"
}

# need FILE PART: fails with a hint if the part is not built.
need() { [ -e "$1" ] || fail "$1 not found. Run lab/build.sh $2."; }

# started_at PID: prints the start time of a process in clock ticks; nothing if it has ended or is a zombie.
# A pid alone is not enough, because the kernel reuses it. In /proc/PID/stat, after the name, the state is field 1 and
# the start time field 20.
started_at() {
  local stat
  stat=$(sed 's/^.*) //' "/proc/$1/stat" 2>/dev/null) || return 0
  case $stat in [ZX]*) ;; *) cut -d ' ' -f 20 <<< "$stat" ;; esac
}

# pid_of PART: prints the pid of a part that this lab started and that still runs; fails otherwise.
pid_of() {
  local pid started
  [ -e "$LAB_DIR/$1.pid" ] || return 1
  read -r pid started < "$LAB_DIR/$1.pid"
  [ "$(started_at "$pid")" = "$started" ] && echo "$pid"
}

# launch PART COMMAND...: starts a command in the background and in its own session, so that Ctrl-C does not end it.
# Its output goes to LAB_DIR/PART.log.
launch() {
  local part=$1 pid
  shift
  if pid=$(pid_of "$part"); then fail "already running (pid $pid). Run lab/stop.sh $part to stop it."; fi
  setsid -- "$@" > "$LAB_DIR/$part.log" 2>&1 < /dev/null &
  pid=$!
  echo "$pid $(started_at $pid)" > "$LAB_DIR/$part.pid"
}

# await PART SECONDS COMMAND...: waits until the command succeeds. Prints the end of the log and fails if the part ends or
# the time is over.
await() {
  local part=$1 seconds=$2 began=$SECONDS
  shift 2
  until "$@" > /dev/null 2>&1; do
    if ! pid_of "$part" > /dev/null || [ $((SECONDS - began)) -ge "$seconds" ]; then
      tail -n 25 "$LAB_DIR/$part.log" >&2
      fail "not ready after $((SECONDS - began)) s. The end of $LAB_DIR/$part.log is above."
    fi
    sleep 0.2
  done
  report "ready (pid $(pid_of "$part"), log $LAB_DIR/$part.log)"
}

# stop_part PART SECONDS: sends SIGTERM, waits, and sends SIGKILL to the part and its children if it still runs. The
# children are included because a killed controller would leave its plugin running.
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
      report "$part did not stop in $seconds s and was killed"
      # shellcheck disable=SC2086 # several pids
      kill -KILL "$pid" $children 2>/dev/null || true
    else
      report "$part stopped"
    fi
  fi
  rm -f "$LAB_DIR/$part.pid"
}

# port_is_open PORT [ADDRESS]: succeeds if ADDRESS:PORT (127.0.0.1) accepts connections.
port_is_open() { (exec 3<> "/dev/tcp/${2:-127.0.0.1}/$1") 2>/dev/null; }

kubectl() { "$KUBERNETES_BIN/kubectl" --kubeconfig "$KUBECONFIG_FILE" "$@"; }
