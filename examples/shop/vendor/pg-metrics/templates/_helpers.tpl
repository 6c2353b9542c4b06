{{- define "pg-metrics.labels" -}}
app.kubernetes.io/name: pg-metrics
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}
