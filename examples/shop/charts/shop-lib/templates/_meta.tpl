{{/* Labels that never change: selectors are made of them. */}}
{{- define "shop-lib.selector" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "shop-lib.labels" -}}
{{ include "shop-lib.selector" . }}
app.kubernetes.io/part-of: shop
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end }}

{{- define "shop-lib.image" -}}
{{ .Values.image.registry }}/{{ .Values.image.name | default .Chart.Name }}:{{ required "image.tag says which build of the shop to run" .Values.image.tag }}
{{- end }}
