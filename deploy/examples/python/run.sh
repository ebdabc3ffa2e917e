#!/bin/sh
# Issues a certificate through each of the given nodes with a client that is generated from protos/.
# Usage: run.sh CA_FILE TOKEN ROLE NODE [NODE...]      NODE is a gRPC address, such as 127.0.0.1:8202
# Needs Python 3.9 or later with venv, and PyPI. What it makes stays in LOCKSTEP_PYTHON_DIR, for the next time.
set -eu
if [ $# -lt 4 ]; then
  sed -n 's/^# \(Usage.*\)/\1/p' "$0" >&2
  exit 1
fi
here=$(cd "$(dirname "$0")" && pwd)
protos=$here/../../../protos
work=${LOCKSTEP_PYTHON_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/lockstep-python}

mkdir -p "$work"
if [ ! -e "$work/installed" ]; then
  python3 -m venv "$work/venv"
  "$work/venv/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt" >&2
  touch "$work/installed"
fi
"$work/venv/bin/python" -m grpc_tools.protoc -I "$protos" --python_out="$work" --grpc_python_out="$work" \
  lockstep/pki/v1/pki.proto
PYTHONPATH=$work exec "$work/venv/bin/python" "$here/issue.py" "$@"
