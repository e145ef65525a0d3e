{{/*
Values for the stock argo-rollouts chart, merged into its current values. Helm replaces lists instead of merging them.
The current entries of a list are therefore kept, and entries of an earlier rendering of this chart are replaced.
*/}}

{{- define "skywalking-provider.plugin" -}}
name: {{ .Values.plugin.name }}
{{- if eq .Values.bridge.delivery "http" }}
location: http://{{ include "skywalking-provider.fullname" . }}-http.{{ .Release.Namespace }}.svc:9464/bridge/{{ .Values.bridge.http.version }}/{{ .Values.bridge.http.platform }}
sha256: {{ .Values.bridge.http.sha256 }}
{{- else if eq .Values.bridge.delivery "release" }}
{{- with .Values.bridge.release }}
location: {{ .url }}/v{{ $.Chart.AppVersion }}/skywalking-bridge-{{ .platform }}
sha256: {{ index .sha256 .platform | quote }}
{{- end }}
{{- else }}
location: file:///plugins/skywalking/skywalking-bridge
{{- end }}
args:
  {{- if eq .Values.mode "sidecar" }}
  - --socket=/run/skywalking/provider.sock
  {{- else }}
  - --address=dns:///{{ include "skywalking-provider.host" . }}:9500
  {{- if .Values.tls.enabled }}
  - --tls-ca=/etc/skywalking-bridge/tls/ca.crt
  - --tls-cert=/etc/skywalking-bridge/tls/tls.crt
  - --tls-key=/etc/skywalking-bridge/tls/tls.key
  - --tls-server-name={{ include "skywalking-provider.host" . }}
  {{- else }}
  - --insecure
  {{- end }}
  {{- end }}
  - --outage-grace={{ .Values.plugin.outageGrace }}
  - --run-timeout={{ .Values.plugin.runTimeout }}
{{- end -}}

{{- define "skywalking-provider.argoParts" -}}
metricProviderPlugins:
  - {{- include "skywalking-provider.plugin" . | nindent 4 }}
volumes:
  {{- if eq .Values.bridge.delivery "initContainer" }}
  - {name: skywalking-provider-bridge, emptyDir: {sizeLimit: 128Mi}}
  {{- end }}
  {{- if eq .Values.mode "sidecar" }}
  - {name: skywalking-provider-run, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  {{- include "skywalking-provider.volumes" . | nindent 2 }}
  {{- else if .Values.tls.enabled }}
  - name: skywalking-provider-bridge-tls
    secret: {secretName: {{ include "skywalking-provider.clientSecret" . }}, defaultMode: 0440}
  {{- end }}
volumeMounts:
  {{- if eq .Values.bridge.delivery "initContainer" }}
  - {name: skywalking-provider-bridge, mountPath: /plugins/skywalking, readOnly: true}
  {{- end }}
  {{- if eq .Values.mode "sidecar" }}
  - {name: skywalking-provider-run, mountPath: /run/skywalking}
  {{- else if .Values.tls.enabled }}
  - {name: skywalking-provider-bridge-tls, mountPath: /etc/skywalking-bridge/tls, readOnly: true}
  {{- end }}
initContainers:
  {{- if eq .Values.bridge.delivery "initContainer" }}
  - {{- include "skywalking-provider.installBridge" . | nindent 4 }}
  {{- end }}
  {{- if and (eq .Values.mode "sidecar") .Values.sidecar.native }}
  - restartPolicy: Always
    {{- include "skywalking-provider.service" . | nindent 4 }}
  {{- end }}
extraContainers:
  {{- if and (eq .Values.mode "sidecar") (not .Values.sidecar.native) }}
  - {{- include "skywalking-provider.service" . | nindent 4 }}
  {{- end }}
{{- end -}}

{{/* Not empty if the plugin is all that the controller needs: no volume, no container. */}}
{{- define "skywalking-provider.onlyPlugin" -}}
{{- if and (eq .Values.mode "deployment") (ne .Values.bridge.delivery "initContainer") (not .Values.tls.enabled) -}}true{{- end -}}
{{- end -}}

{{- define "skywalking-provider.argoValues" -}}
{{- $values := .Values.argoRollouts.currentValues | fromYaml | default dict -}}
{{- if $values.Error -}}
{{- fail (printf "argoRollouts.currentValues: not valid YAML: %s" $values.Error) -}}
{{- end -}}
{{- $controller := $values.controller | default dict -}}
{{- range $list, $added := include "skywalking-provider.argoParts" . | fromYaml -}}
{{- $kept := list -}}
{{- $names := list -}}
{{- range $added | default list -}}
{{- $names = append $names (toString .name) -}}
{{- end -}}
{{- range index $controller $list | default list -}}
{{- if not (or (has (toString .name) $names) (hasPrefix "skywalking-provider" (toString .name))) -}}
{{- $kept = append $kept . -}}
{{- end -}}
{{- end -}}
{{- $all := ternary $kept (concat $kept ($added | default list)) $.Values.argoRollouts.uninstall -}}
{{- if or $all (hasKey $controller $list) -}}
{{- $_ := set $controller $list ($all | default list) -}}
{{- end -}}
{{- end -}}
{{- $_ := set $values "controller" $controller -}}
{{- /* The group of the files in volumes. */ -}}
{{- if not (or .Values.argoRollouts.uninstall (include "skywalking-provider.onlyPlugin" .)) -}}
{{- $security := mergeOverwrite (dict "fsGroup" 999) ($values.podSecurityContext | default dict) (dict "runAsNonRoot" true) -}}
{{- $_ := set $values "podSecurityContext" $security -}}
{{- end -}}
{{- toYaml $values -}}
{{- end -}}
