#!/usr/bin/env bash
# Makes sure that there is a Chromium for the browser tests: DEFT_CHROMIUM, one that is installed, or Debian's package.
set -euo pipefail

for found in "${DEFT_CHROMIUM:-}" /usr/bin/chromium /usr/bin/google-chrome; do
  [ -n "$found" ] && [ -x "$found" ] && exit 0
done
if ! command -v apt-get >/dev/null || [ "$(id -u)" != 0 ]; then
  echo "browser.sh: expected Chromium at DEFT_CHROMIUM or /usr/bin/chromium, and cannot install Debian's" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends chromium >/dev/null
