{{/* What the profile "restricted" of Pod Security asks of a pod: (list . user group). */}}
{{- define "dynamite.podSecurity" -}}
automountServiceAccountToken: false
# A service called dynamite would set DYNAMITE_PORT, which is a setting.
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: {{ index . 1 }}
  runAsGroup: {{ index . 2 }}
  fsGroup: {{ index . 2 }}
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with (index . 0).Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . }}
  {{- end }}
{{- end }}
{{- end }}

{{- define "dynamite.containerSecurity" -}}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "dynamite.fromSecret" -}}
- name: {{ index . 1 }}
  valueFrom: {secretKeyRef: {name: {{ (index . 0).Values.secret }}, key: {{ index . 2 }}}}
{{- end }}

{{/* The settings that backends and workers have in common. */}}
{{- define "dynamite.environment" -}}
{{- $name := include "dynamite.name" . }}
{{- $inside := printf "%s.%s" $name .Release.Namespace }}
- name: DYNAMITE_KNOWN_HOSTS
  value: {{ concat (list $name $inside (printf "%s.svc" $inside) (printf "%s.svc.%s" $inside .Values.clusterDomain)) .Values.knownHosts | join "," }}
{{ include "dynamite.fromSecret" (list . "DYNAMITE_BASIC_AUTH_USER" "user") }}
{{ include "dynamite.fromSecret" (list . "DYNAMITE_BASIC_AUTH_PASSWORD" "password") }}
{{ include "dynamite.fromSecret" (list . "DYNAMITE_WEBHOOK_SECRET" "webhook-secret") }}
- name: LABEL_STUDIO_URL
  value: {{ .Values.labelStudio.url | quote }}
{{ include "dynamite.fromSecret" (list . "LABEL_STUDIO_API_KEY" "label-studio-token") }}
{{- if .Values.queue.enabled }}
{{ include "dynamite.fromSecret" (list . "QUEUE_PASSWORD" "queue-password") }}
- name: REDIS_URL
  value: redis://:$(QUEUE_PASSWORD)@{{ $name }}-queue:6379/0
{{- else }}
{{ include "dynamite.fromSecret" (list . "REDIS_URL" "redis-url") }}
{{- end }}
- name: DYNAMITE_RETRAINING_DIR
  value: /shared/retraining
- name: DYNAMITE_MODELS_DIR
  value: /shared/models
- name: DYNAMITE_FEATURES_DIR
  value: /shared/features
# Not the volume itself, which everybody may be allowed to write to.
- name: DYNAMITE_STATE_DIR
  value: /state/dynamite
- name: DYNAMITE_MEMORY
  value: {{ .Values.workers.memory.enabled | ternary "on" "off" | quote }}
{{- range $variable, $value := .Values.settings }}
- name: {{ $variable }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{- define "dynamite.mounts" -}}
volumeMounts:
  - {name: state, mountPath: /state}
  - {name: shared, mountPath: /shared}
  - {name: tmp, mountPath: /tmp}
{{- end }}

{{- define "dynamite.volumes" -}}
- name: shared
  persistentVolumeClaim:
    claimName: {{ .Values.shared.existingClaim | default (printf "%s-shared" (include "dynamite.name" .)) }}
- name: tmp
  emptyDir: {}
{{- end }}

{{/* The program makes no folder that it was told of: it might be a share that is not mounted. */}}
{{- define "dynamite.folders" -}}
- name: folders
  image: {{ .Values.image.repository }}:{{ .Values.image.tag }}
  imagePullPolicy: {{ .Values.image.pullPolicy }}
  command: [mkdir, -p, -m, "700", /shared/retraining, /shared/models, /shared/features]
  {{- include "dynamite.containerSecurity" . | nindent 2 }}
  resources:
    requests: {cpu: 10m, memory: 16Mi}
    limits: {memory: 64Mi}
  volumeMounts:
    - {name: shared, mountPath: /shared}
{{- end }}

{{/* Resources, with a whole GPU if asked for: (list resources gpu). */}}
{{- define "dynamite.resources" -}}
{{- $resources := deepCopy (index . 0) }}
{{- if index . 1 }}{{ $_ := merge $resources (dict "limits" (dict)) }}{{ $_ := set $resources.limits "nvidia.com/gpu" 1 }}{{ end }}
resources: {{- toYaml $resources | nindent 2 }}
{{- end }}

{{/* Pods of one part on different nodes, where that is possible: (list . "backend"). */}}
{{- define "dynamite.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "dynamite.selector" . | nindent 8 }}
{{- end }}
