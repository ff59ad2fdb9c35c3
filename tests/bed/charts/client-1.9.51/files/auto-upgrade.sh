#!/bin/sh
# Moves the release to the newest stable version of its chart.
#
# Environment: NAMESPACE, RELEASE, REPO_NAME, REPO_URL, CHART, TIMEOUT.
set -eu

say() { echo "auto-upgrade: $*" >&2; }

status=$(helm status "$RELEASE" --namespace "$NAMESPACE" | sed -n 's/^STATUS: //p')
case $status in
  pending-upgrade | pending-rollback)
    say "$RELEASE is $status: rolling back"
    helm rollback "$RELEASE" --namespace "$NAMESPACE" --wait --timeout "$TIMEOUT"
    ;;
  uninstalling)
    say "$RELEASE is being uninstalled: nothing to do"
    exit 0
    ;;
esac

helm repo add "$REPO_NAME" "$REPO_URL" --force-update >/dev/null
helm repo update "$REPO_NAME" >/dev/null
latest=$(helm show chart "$REPO_NAME/$CHART" | sed -n 's/^version: *//p')
current=$(helm list --namespace "$NAMESPACE" --filter "^$RELEASE\$" --output json | sed -n "s/.*\"chart\":\"$CHART-\([^\"]*\)\".*/\1/p")
if [ -z "$latest" ] || [ -z "$current" ]; then
  say "the versions could not be read (installed: $current, published: $latest)"
  exit 1
fi
if [ "$(printf '%s\n%s\n' "$current" "$latest" | sort -V | tail -n 1)" = "$current" ]; then
  say "$RELEASE is already at the latest version ($current)"
  exit 0
fi

say "upgrading $RELEASE from $current to $latest"
exec helm upgrade "$RELEASE" "$REPO_NAME/$CHART" --namespace "$NAMESPACE" --version "$latest" \
  --reset-then-reuse-values --wait --timeout "$TIMEOUT" --atomic --cleanup-on-fail
