{{/* A Deployment with one container, configured by the ConfigMap of its name. */}}
{{- define "shop-lib.deployment" -}}
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "shop-lib.labels" . | nindent 4 }}
spec:
  {{- if not .Values.autoscaling.enabled }}
  replicas: {{ .Values.replicas }}
  {{- end }}
  strategy:
    rollingUpdate:
      maxSurge: 1
      maxUnavailable: 0
  selector:
    matchLabels:
      {{- include "shop-lib.selector" . | nindent 6 }}
  template:
    metadata:
      labels:
        {{- include "shop-lib.labels" . | nindent 8 }}
      annotations:
        checksum/config: {{ toJson .Values.config | sha256sum | trunc 16 }}
        {{- with .Values.podAnnotations }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    spec:
      serviceAccountName: {{ .Release.Name }}
      automountServiceAccountToken: false
      containers:
        - {{ include "shop-lib.container" . | indent 10 | trim }}
{{- end }}

{{- define "shop-lib.container" -}}
name: {{ .Chart.Name }}
image: {{ include "shop-lib.image" . }}
{{- with .Values.args }}
args:
  {{- toYaml . | nindent 2 }}
{{- end }}
env:
  - name: LOG_LEVEL
    value: {{ .Values.logLevel }}
envFrom:
  - configMapRef:
      name: {{ .Release.Name }}
  {{- with .Values.sharedConfig }}
  - configMapRef:
      name: {{ . }}
  - secretRef:
      name: {{ . }}
  {{- end }}
{{- with .Values.port }}
ports:
  - name: http
    containerPort: {{ . }}
readinessProbe:
  httpGet:
    path: /healthz
    port: http
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  runAsNonRoot: true
{{- end }}

{{- define "shop-lib.configmap" -}}
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "shop-lib.labels" . | nindent 4 }}
data:
  {{- toYaml .Values.config | nindent 2 }}
{{- end }}

{{- define "shop-lib.serviceaccount" -}}
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "shop-lib.labels" . | nindent 4 }}
automountServiceAccountToken: false
{{- end }}
