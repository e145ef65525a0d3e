{{/* Allowed identities; the bridge is always allowed if this chart creates its certificate. */}}
{{- define "skywalking-provider.identities" -}}
{{- $named := .Values.tls.allowedIdentities -}}
{{- if or .Values.tls.certManager.enabled (not $named) -}}
{{- $named = prepend $named (include "skywalking-provider.bridgeIdentity" .) | uniq -}}
{{- end -}}
{{- toYaml $named -}}
{{- end -}}

{{- define "skywalking-provider.bind" -}}
{{- if contains ":" .Values.bindAddress -}}[{{ .Values.bindAddress }}]{{- else -}}{{ .Values.bindAddress }}{{- end -}}
{{- end -}}

{{/* Configuration keys that the chart determines; existingConfig gets them by environment variables. */}}
{{- define "skywalking-provider.ownKeys" -}}
{{- $bind := include "skywalking-provider.bind" . -}}
{{- if eq .Values.mode "sidecar" }}
socket: /run/skywalking/provider.sock
socketMode: "0660"
{{- else }}
listen: {{ printf "%s:9500" $bind | quote }}
{{- if .Values.tls.enabled }}
tls:
  certFile: /etc/skywalking-provider/tls/tls.crt
  keyFile: /etc/skywalking-provider/tls/tls.key
  clientCaFile: /etc/skywalking-provider/tls/ca.crt
{{- else }}
insecure: true
{{- end }}
{{- end }}
http:
  listen: {{ printf "%s:9464" $bind | quote }}
{{- if eq .Values.bridge.delivery "http" }}
  bridges: {{ ternary "/bridges" "/opt/bridge" (not (empty .Values.bridge.http.keepFrom)) }}
{{- end }}
{{- if .Values.page.enabled }}
page:
  listen: 127.0.0.1:9465
  {{- if .Values.page.causeDetails }}
  causeDetails: true
  {{- end }}
{{- end }}
{{- end -}}

{{- define "skywalking-provider.config" -}}
{{- $own := include "skywalking-provider.ownKeys" . | fromYaml -}}
{{- if and (eq .Values.mode "deployment") .Values.tls.enabled -}}
{{- $_ := set $own.tls "allowedIdentities" (include "skywalking-provider.identities" . | fromYamlArray) -}}
{{- end -}}
apiVersion: v1
{{ toYaml $own }}
drain: {{ .Values.drain }}
log: {{ toJson .Values.log }}
backends:
  {{- toYaml .Values.backends | nindent 2 }}
{{- end -}}

{{/* The same keys as SWP_ environment variables, for existingConfig. */}}
{{- define "skywalking-provider.ownEnvironment" -}}
{{- range $key, $value := include "skywalking-provider.ownKeys" . | fromYaml }}
{{- if kindIs "map" $value }}
{{- range $inner, $text := $value }}
- name: SWP_{{ snakecase $key | upper }}__{{ snakecase $inner | upper }}
  value: {{ $text | toString | quote }}
{{- end }}
{{- else }}
- name: SWP_{{ snakecase $key | upper }}
  value: {{ $value | toString | quote }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "skywalking-provider.configVolume" -}}
- name: skywalking-provider-config
{{- with .Values.existingConfig }}
{{- if .secret }}
  secret:
    secretName: {{ .secret }}
    items: [{key: {{ .key }}, path: config.yaml}]
{{- else }}
  configMap:
    name: {{ .configMap | default (include "skywalking-provider.fullname" $) }}
    items: [{key: {{ .key }}, path: config.yaml}]
{{- end }}
{{- end }}
{{- end -}}
