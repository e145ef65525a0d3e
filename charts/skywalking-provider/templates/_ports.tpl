{{/* Distinct ports of the backends' urls; with existingConfig they are unknown, so SkyWalking's default is used. */}}
{{- define "skywalking-provider.oapPorts" -}}
{{- $ports := list -}}
{{- range .Values.backends -}}
{{- $port := regexFind ":[0-9]+$" (urlParse .url).host | trimPrefix ":" -}}
{{- $ports = append $ports ($port | default (ternary "443" "80" (hasPrefix "https:" .url))) -}}
{{- end -}}
{{- range $ports | default (list "12800") | uniq | sortAlpha }}
- {port: {{ . }}, protocol: TCP}
{{- end }}
{{- end -}}
