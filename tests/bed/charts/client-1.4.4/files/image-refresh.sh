#!/bin/bash
# Restarts the jobs manager when the channel tag of one of its images points to new content.
#
# Environment: NAMESPACE, DEPLOYMENT, ROLLOUT_TIMEOUT; JOBS_MANAGER_IMAGE and PODS_MONITOR_IMAGE as `registry/name:tag`,
# INGESTOR_IMAGE (empty: not refreshed); an image that is pinned is empty.
set -euo pipefail

say() { echo "image-refresh: $*" >&2; }

k() { kubectl --namespace "$NAMESPACE" "$@"; }

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
if [ "${#fresh[@]}" -gt 0 ]; then
  k rollout restart deployment "$DEPLOYMENT"
  k rollout status deployment "$DEPLOYMENT" --timeout "$ROLLOUT_TIMEOUT"
fi
for name in "${!fresh[@]}"; do
  annotate "last-refreshed-$name-digest=${fresh[$name]}"
  say "$name is ${fresh[$name]} now"
done

fresh=()
look "$INGESTOR_IMAGE" ingestor
if [ -n "${fresh[ingestor]:-}" ]; then
  k set env deployment "$DEPLOYMENT" --containers api "INGESTOR_IMAGE_DIGEST=${fresh[ingestor]}"
  k rollout status deployment "$DEPLOYMENT" --timeout "$ROLLOUT_TIMEOUT"
  annotate "last-refreshed-ingestor-digest=${fresh[ingestor]}"
fi
exit "$failed"
