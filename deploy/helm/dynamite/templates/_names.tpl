{{/* The name of all that belongs to a release. */}}
{{- define "dynamite.name" -}}
{{- if contains "dynamite" .Release.Name }}{{ .Release.Name | trunc 40 | trimSuffix "-" }}
{{- else }}{{ printf "%s-dynamite" .Release.Name | trunc 40 | trimSuffix "-" }}{{ end }}
{{- end }}

{{/* What tells the pods of a part: (list . "backend"). */}}
{{- define "dynamite.selector" -}}
app.kubernetes.io/name: dynamite
app.kubernetes.io/instance: {{ (index . 0).Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end }}

{{- define "dynamite.labels" -}}
{{ include "dynamite.selector" . }}
app.kubernetes.io/version: {{ (index . 0).Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ (index . 0).Release.Service }}
helm.sh/chart: {{ (index . 0).Chart.Name }}-{{ (index . 0).Chart.Version }}
{{- end }}

{{/* How many backends there may be: HAProxy knows all of them from the start. */}}
{{- define "dynamite.most" -}}
{{- if .Values.autoscaling.enabled }}{{ max .Values.backend.replicas .Values.autoscaling.maxReplicas }}
{{- else }}{{ .Values.backend.replicas }}{{ end }}
{{- end }}
