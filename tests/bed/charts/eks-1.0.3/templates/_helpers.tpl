{{/* Labels of every object. */}}
{{- define "eks.labels" -}}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{/* Metadata of a pod template. Arguments: root, app. */}}
{{- define "eks.podMetadata" -}}
labels:
  app: {{ .app }}
{{- with .root.Values.bed.podAnnotations }}
annotations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* A control-plane image. Arguments: root, name. */}}
{{- define "eks.image" -}}
@REGISTRY@/tracebloc/{{ .name }}:{{ .root.Values.jobsManager.tag }}
{{- end }}

{{- define "eks.environment" -}}
{{- range $name, $value := .Values.jobsManager.env }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
- name: CLIENT_PASSWORD
  valueFrom:
    secretKeyRef:
      name: {{ .Release.Name }}-secrets
      key: CLIENT_PASSWORD
{{- end }}
