{{/* Distinct ports of the backends' urls and events; with existingConfig they are unknown, so SkyWalking's default is used. */}}
{{- define "skywalking-provider.oapPorts" -}}
{{- $ports := list -}}
{{- range .Values.backends -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .url).host | trimPrefix ":" -}}
{{- $ports = append $ports ($port | default (ternary "443" "80" (hasPrefix "https:" .url))) -}}
{{- $events := .events | default dict -}}
{{- if and $events.enabled $events.address -}}
{{- $ports = append $ports (regexFind ":[0-9]+$" $events.address | trimPrefix ":") -}}
{{- end -}}
{{- end -}}
{{- range $ports | default (list "12800") | uniq | sortAlpha }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end -}}
