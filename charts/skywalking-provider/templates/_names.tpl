{{- define "skywalking-provider.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" -}}
{{- end -}}

{{- define "skywalking-provider.fullname" -}}
{{- $name := include "skywalking-provider.name" . -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 52 | trimSuffix "-" -}}
{{- else if contains $name .Release.Name -}}
{{- .Release.Name | trunc 52 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 52 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "skywalking-provider.selector" -}}
app.kubernetes.io/name: {{ include "skywalking-provider.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of the pod of `helm test`, which no Service may select. */}}
{{- define "skywalking-provider.testSelector" -}}
app.kubernetes.io/name: {{ include "skywalking-provider.name" . | trunc 58 | trimSuffix "-" }}-test
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "skywalking-provider.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "-" }}
{{ include "skywalking-provider.selector" . }}
app.kubernetes.io/version: {{ .Values.image.tag | default .Chart.AppVersion | trunc 63 | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/part-of: argo-rollouts
{{- end -}}

{{- define "skywalking-provider.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skywalking-provider.serviceAccount" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "skywalking-provider.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "skywalking-provider.argoNamespace" -}}
{{- .Values.argoRollouts.namespace | default .Release.Namespace -}}
{{- end -}}

{{/* DNS name of the service, which the controller dials and the service's certificate contains. */}}
{{- define "skywalking-provider.host" -}}
{{ include "skywalking-provider.fullname" . }}.{{ .Release.Namespace }}.svc
{{- end -}}

{{- define "skywalking-provider.serverSecret" -}}
{{- .Values.tls.serverSecret | default (printf "%s-server" (include "skywalking-provider.fullname" .)) -}}
{{- end -}}

{{- define "skywalking-provider.clientSecret" -}}
{{- .Values.tls.clientSecret | default (printf "%s-bridge" (include "skywalking-provider.fullname" .)) -}}
{{- end -}}

{{/* Identity of the bridge, derived from the controller's ServiceAccount. */}}
{{- define "skywalking-provider.bridgeIdentity" -}}
spiffe://{{ .Values.tls.trustDomain }}/ns/{{ include "skywalking-provider.argoNamespace" . }}/sa/{{ .Values.argoRollouts.serviceAccount }}
{{- end -}}
