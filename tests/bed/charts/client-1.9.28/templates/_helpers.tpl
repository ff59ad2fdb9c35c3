{{/* Labels of every object. */}}
{{- define "client.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Metadata of a pod template. Arguments: root, app. */}}
{{- define "client.podMetadata" -}}
labels:
  app: {{ .app }}
{{- with .root.Values.bed.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* The registry of all images that name none of their own. */}}
{{- define "client.registry" -}}
{{- .Values.global.imageRegistry | default "@REGISTRY@" -}}
{{- end }}

{{/* The channel: the tag of the control-plane images. */}}
{{- define "client.channel" -}}
{{- .Values.env.CLIENT_ENV | default "prod" -}}
{{- end }}

{{/* An image reference. Arguments: root, repository, tag, digest; the digest wins. */}}
{{- define "client.image" -}}
{{- $name := printf "%s/%s" (include "client.registry" .root) .repository -}}
{{- if .digest }}{{ printf "%s@%s" $name .digest }}{{ else }}{{ printf "%s:%s" $name .tag }}{{ end -}}
{{- end }}

{{/* Pull policy of a control-plane image. Argument: digest. */}}
{{- define "client.pullPolicy" -}}
{{- if .digest }}IfNotPresent{{ else }}Always{{ end -}}
{{- end }}

{{- define "client.jobsManagerImage" -}}
{{- include "client.image" (dict "root" . "repository" "tracebloc/jobs-manager" "tag" (include "client.channel" .) "digest" .Values.images.jobsManager.digest) -}}
{{- end }}

{{- define "client.podsMonitorImage" -}}
{{- include "client.image" (dict "root" . "repository" "tracebloc/pods-monitor" "tag" (include "client.channel" .) "digest" .Values.images.podsMonitor.digest) -}}
{{- end }}

{{- define "client.resourceMonitorImage" -}}
{{- include "client.image" (dict "root" . "repository" "tracebloc/resource-monitor" "tag" (include "client.channel" .) "digest" .Values.images.resourceMonitor.digest) -}}
{{- end }}

{{- define "client.busyboxImage" -}}
{{- include "client.image" (dict "root" . "repository" "busybox" "tag" .Values.images.busybox.tag "digest" .Values.images.busybox.digest) -}}
{{- end }}

{{/* Digest of the requests proxy, which runs the image of the jobs manager. */}}
{{- define "client.requestsProxyDigest" -}}
{{- .Values.images.requestsProxy.digest -}}
{{- end }}

{{/* Digest of the ingestor: the user's own, then the pin of the channel prod, else none. */}}
{{- define "client.ingestorDigest" -}}
{{- $ingestor := .Values.images.ingestor -}}
{{- if $ingestor.digest -}}
{{- $ingestor.digest -}}
{{- else if and (eq (include "client.channel" .) "prod") (ne $ingestor.prodPin false) -}}
{{- $ingestor.prodDigest -}}
{{- end -}}
{{- end }}

{{- define "client.ingestorTag" -}}
{{- .Values.images.ingestor.tag | default (get .Values.images.ingestor.channelTags (include "client.channel" .)) | default .Values.images.ingestor.channelTags.prod -}}
{{- end }}

{{- define "client.ingestorRepository" -}}
{{- with .Values.global.imageRegistry }}{{ . }}/tracebloc/ingestor{{ else }}{{ .Values.images.ingestor.repository }}{{ end -}}
{{- end }}

{{/* Environment of the control-plane containers. */}}
{{- define "client.environment" -}}
- name: CLIENT_ENV
  value: {{ include "client.channel" . | quote }}
{{- range $name, $value := omit .Values.env "CLIENT_ENV" }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
- name: CLIENT_ID
  valueFrom:
    secretKeyRef:
      name: {{ .Release.Name }}-secrets
      key: CLIENT_ID
- name: CLIENT_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Release.Name }}-secrets
      key: CLIENT_PASSWORD
{{- end }}

{{/* What every pod of the release namespace has in common. */}}
{{- define "client.podCommon" -}}
{{- if .Values.dockerRegistry.create }}
imagePullSecrets:
  - name: {{ .Release.Name }}-regcred
{{- end }}
{{- with .Values.priorityClass.name }}
priorityClassName: {{ . }}
{{- end }}
{{- end }}

{{- define "client.storageClassName" -}}
{{- if .Values.storageClass.create }}{{ .Release.Name }}-storage-class{{ else }}{{ .Values.storageClass.name }}{{ end -}}
{{- end }}

{{- define "client.accessMode" -}}
{{- .Values.pvcAccessMode | default "ReadWriteMany" -}}
{{- end }}

{{- define "client.resourceMonitorName" -}}
{{- .Release.Name }}-resource-monitor
{{- end }}

{{/* "true" where an image is left that the refresh may move. */}}
{{- define "client.refreshRendered" -}}
{{- $images := .Values.images -}}
{{- $allPinned := and $images.jobsManager.digest $images.podsMonitor.digest -}}
{{- if and .Values.imageRefresh.enabled (not $allPinned) }}true{{ end -}}
{{- end }}

{{/* Deadline of an auto-upgrade Job in seconds: max(activeDeadlineSeconds, timeout + 300). */}}
{{- define "client.upgradeDeadline" -}}
{{- $timeout := .Values.autoUpgrade.timeout -}}
{{- $unit := get (dict "s" 1 "m" 60 "h" 3600) (trimPrefix (regexFind "^[0-9]+" $timeout) $timeout) -}}
{{- max .Values.autoUpgrade.activeDeadlineSeconds (add 300 (mul $unit (regexFind "^[0-9]+" $timeout | int))) -}}
{{- end }}
