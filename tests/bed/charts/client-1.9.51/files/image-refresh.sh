#!/bin/bash
# Sets the images of the control plane to the digests that their channel tag points to.
#
# Environment: NAMESPACE, DEPLOYMENT, ROLLOUT_TIMEOUT; JOBS_MANAGER_IMAGE and PODS_MONITOR_IMAGE as `registry/name:tag`,
# REQUESTS_PROXY, MONITOR_IMAGE, MONITOR and NODE_AGENTS_NAMESPACE (empty: not refreshed), REGISTRY, DEFAULT_REGISTRY,
# MAX_REFRESH_ATTEMPTS.
# MAX_SKIP_TICKS.
set -euo pipefail

say() { echo "image-refresh: $*" >&2; }

# The service account is named explicitly: kubectl does not always find its own configuration in a pod.
account=/var/run/secrets/kubernetes.io/serviceaccount
kube=(kubectl)
if [ -s "$account/token" ]; then
  kube+=(--server "https://$KUBERNETES_SERVICE_HOST:$KUBERNETES_SERVICE_PORT")
  kube+=(--certificate-authority "$account/ca.crt" --token "$(cat "$account/token")")
fi
k() { "${kube[@]}" --namespace "$NAMESPACE" "$@"; }

annotation() {
  k get deployment "$DEPLOYMENT" --output json | jq --raw-output --arg key "tracebloc.io/$1" '.metadata.annotations[$key] // ""'
}
# annotate KEY=VALUE... (KEY- removes)
annotate() { k annotate deployment "$DEPLOYMENT" --overwrite "${@/#/tracebloc.io/}" >/dev/null; }

accept='application/vnd.oci.image.index.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json'

# published IMAGE: the digest that the registry has for a tag now.
published() {
  local host=${1%%/*} path=${1#*/} scheme=https headers challenge realm service token
  case $host in
    docker.io) host=registry-1.docker.io ;;
    127.0.0.1 | 127.0.0.1:* | localhost | localhost:*) scheme=http ;;
  esac
  local name=${path%:*} tag=${path##*:}
  local url="$scheme://$host/v2/$name/manifests/$tag"
  headers=$(curl --silent --show-error --max-time 20 --head --header "Accept: $accept" "$url") || return 1
  challenge=$(tr -d '\r' <<<"$headers" | sed -n 's/^www-authenticate: *Bearer //Ip')
  if [ -n "$challenge" ]; then
    realm=$(sed -n 's/.*realm="\([^"]*\)".*/\1/p' <<<"$challenge")
    service=$(sed -n 's/.*service="\([^"]*\)".*/\1/p' <<<"$challenge")
    token=$(curl --silent --fail --max-time 20 --get --data-urlencode "service=$service" \
      --data-urlencode "scope=repository:$name:pull" "$realm" | jq --raw-output '.token // .access_token') || return 1
    headers=$(curl --silent --max-time 20 --head --header "Accept: $accept" --header "Authorization: Bearer $token" "$url") || return 1
  fi
  tr -d '\r' <<<"$headers" | sed -n 's/^docker-content-digest: *//Ip' | grep -x 'sha256:[a-f0-9]\{64\}'
}

if [ "$REGISTRY" != "$DEFAULT_REGISTRY" ]; then
  say "inert: the images come from the mirror $REGISTRY"
  exit 0
fi

if ! k get deployment "$DEPLOYMENT" >/dev/null; then
  say "deployment $DEPLOYMENT cannot be read"
  exit 1
fi
if ! k rollout status deployment "$DEPLOYMENT" --timeout 10s >/dev/null 2>&1; then
  skipped=$(annotation refresh-skip-streak)
  skipped=$((${skipped:-0} + 1))
  annotate "refresh-skip-streak=$skipped" || say "the skip streak could not be recorded"
  say "skipped: $DEPLOYMENT has not settled ($skipped times in a row)"
  if [ "$skipped" -ge "$MAX_SKIP_TICKS" ]; then
    exit 1
  fi
  exit 0
fi
if [ -n "$(annotation refresh-skip-streak)" ]; then
  annotate refresh-skip-streak- || say "the skip streak could not be cleared"
fi

attempts=$(annotation refresh-attempt)
attempts=${attempts:-0}
if [ "$attempts" -ge "$MAX_REFRESH_ATTEMPTS" ]; then
  annotate "refresh-flap-detected=true"
  say "stopped: $attempts rollouts failed; remove the annotation tracebloc.io/refresh-attempt to go on"
  exit 0
fi

# A rollout failed: count it, and leave the recorded digests as they are.
give_up() {
  annotate "refresh-attempt=$((attempts + 1))"
  say "the rollout of $1 failed (attempt $((attempts + 1)) of $MAX_REFRESH_ATTEMPTS)"
  exit 1
}

failed=0
declare -A fresh=()
# look IMAGE NAME: puts the published digest into fresh[NAME] where it is new.
look() {
  local digest recorded
  [ -n "$1" ] || return 0
  if ! digest=$(published "$1"); then
    say "the registry gave no digest for $1"
    failed=1
    return 0
  fi
  recorded=$(annotation "last-refreshed-$2-digest")
  if [ -z "$recorded" ]; then
    annotate "last-refreshed-$2-digest=$digest"
    say "first seen: $1 is $digest"
  elif [ "$recorded" != "$digest" ]; then
    fresh[$2]=$digest
  fi
}

look "$JOBS_MANAGER_IMAGE" jobs-manager
look "$PODS_MONITOR_IMAGE" pods-monitor
look "$MONITOR_IMAGE" resource-monitor

repository() { echo "${1%:*}"; }
# roll NAMESPACE KIND/NAME CONTAINER=IMAGE...: sets the images and waits for the rollout.
roll() {
  local namespace=$1 workload=$2
  shift 2
  "${kube[@]}" --namespace "$namespace" set image "$workload" "$@" &&
    "${kube[@]}" --namespace "$namespace" rollout status "$workload" --timeout "$ROLLOUT_TIMEOUT" || give_up "$workload"
}

images=()
if [ -n "${fresh[jobs-manager]:-}" ]; then
  images+=("api=$(repository "$JOBS_MANAGER_IMAGE")@${fresh[jobs-manager]}")
fi
if [ -n "${fresh[pods-monitor]:-}" ]; then
  images+=("pods-monitor-container=$(repository "$PODS_MONITOR_IMAGE")@${fresh[pods-monitor]}")
fi
if [ "${#images[@]}" -gt 0 ]; then
  roll "$NAMESPACE" "deployment/$DEPLOYMENT" "${images[@]}"
fi
if [ -n "${fresh[jobs-manager]:-}" ] && [ -n "$REQUESTS_PROXY" ]; then
  roll "$NAMESPACE" "deployment/$REQUESTS_PROXY" "proxy=$(repository "$JOBS_MANAGER_IMAGE")@${fresh[jobs-manager]}"
fi
if [ -n "${fresh[resource-monitor]:-}" ]; then
  roll "$NODE_AGENTS_NAMESPACE" "daemonset/$MONITOR" \
    "tracebloc-resource-monitor=$(repository "$MONITOR_IMAGE")@${fresh[resource-monitor]}"
fi
for name in "${!fresh[@]}"; do
  annotate "last-refreshed-$name-digest=${fresh[$name]}"
  say "$name is ${fresh[$name]} now"
done
if [ "${#fresh[@]}" -gt 0 ]; then
  annotate refresh-attempt- refresh-flap-detected-
fi
exit "$failed"
