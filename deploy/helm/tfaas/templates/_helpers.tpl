{{- define "tfaas.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 50 | trimSuffix "-" -}}
{{- end -}}

{{- define "tfaas.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else if contains (include "tfaas.name" .) .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "tfaas.name" .) | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "tfaas.selector" -}}
app.kubernetes.io/name: {{ include "tfaas.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "tfaas.labels" -}}
{{ include "tfaas.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
{{- end -}}

{{- define "tfaas.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ default .Chart.AppVersion .Values.image.tag }}
{{- end -}}
{{- end -}}

{{- define "tfaas.databaseSecret" -}}
{{- if .Values.database.existingSecret -}}
{{- .Values.database.existingSecret -}}
{{- else if .Values.database.url -}}
{{- include "tfaas.fullname" . }}-database
{{- else -}}
{{- fail "name the database: set database.existingSecret to a Secret whose key `url` has its URL, or database.url" -}}
{{- end -}}
{{- end -}}

{{- define "tfaas.scheme" -}}
{{- if .Values.tls.secretName }}HTTPS{{ else }}HTTP{{ end -}}
{{- end -}}

{{- define "tfaas.graceSeconds" -}}
{{- with .Values.stop -}}
{{- add .preStopSeconds .drainDelaySeconds .requestTimeoutSeconds .marginSeconds -}}
{{- end -}}
{{- end -}}

{{- define "tfaas.ports" -}}
- name: http
  port: {{ .Values.service.port }}
  targetPort: http
  protocol: TCP
{{- if .Values.grpc.port }}
- name: grpc
  port: {{ .Values.grpc.port }}
  targetPort: grpc
  protocol: TCP
{{- end }}
{{- end -}}
