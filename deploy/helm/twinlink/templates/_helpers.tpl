{{- define "twinlink.name" -}}
{{- if contains "twinlink" .Release.Name }}{{ .Release.Name | trunc 52 | trimSuffix "-" }}
{{- else }}{{ printf "%s-twinlink" .Release.Name | trunc 52 | trimSuffix "-" }}
{{- end }}
{{- end }}

{{/* Called with (dict "root" $ "part" "api"). */}}
{{- define "twinlink.selector" -}}
app.kubernetes.io/name: twinlink
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .part }}
{{- end }}

{{- define "twinlink.labels" -}}
{{ include "twinlink.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{- define "twinlink.image" -}}
{{- with .Values.image }}
{{- if .digest }}{{ .repository }}@{{ .digest }}
{{- else }}{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end }}
{{- end }}
{{- end }}

{{- define "twinlink.container" -}}
image: {{ include "twinlink.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end }}

{{- define "twinlink.pod" -}}
automountServiceAccountToken: false
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .Values.tolerations }}
tolerations: {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{/* Called with (dict "root" $ "part" "api"): one pod a node, where that can be. */}}
{{- define "twinlink.spread" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels: {{- include "twinlink.selector" . | nindent 8 }}
{{- end }}

{{/* Called with (dict "root" $ "needed" (list …) "optional" (list …)). */}}
{{- define "twinlink.env" -}}
- {name: TWINLINK_INSTALLATION, value: {{ .root.Values.installation | quote }}}
{{- if .root.Values.caConfigMap }}
- {name: TWINLINK_CA_FILE, value: /etc/twinlink/ca.pem}
{{- end }}
{{- range $name, $value := .root.Values.settings }}
- {name: {{ $name }}, value: {{ $value | quote }}}
{{- end }}
{{- range list "TWINLINK_DATABASE_URL" "TWINLINK_REDIS_URL" "TWINLINK_SECRET_KEY" }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $.root.Values.existingSecret }}, key: {{ . }}}}
{{- end }}
{{- range concat (list "TWINLINK_METRICS_TOKEN" "TWINLINK_HTTPS_PROXY") .optional }}
- name: {{ . }}
  valueFrom: {secretKeyRef: {name: {{ $.root.Values.existingSecret }}, key: {{ . }}, optional: true}}
{{- end }}
{{- end }}

{{- define "twinlink.mounts" -}}
- {name: tmp, mountPath: /tmp}
{{- if .Values.caConfigMap }}
- {name: authorities, mountPath: /etc/twinlink, readOnly: true}
{{- end }}
{{- end }}

{{- define "twinlink.volumes" -}}
- {name: tmp, emptyDir: {}}
{{- with .Values.caConfigMap }}
- {name: authorities, configMap: {name: {{ . }}, items: [{key: ca.pem, path: ca.pem}]}}
{{- end }}
{{- end }}
