{{/* Containers and volumes of the service, for the Deployment and for the values of the controller's pod. */}}

{{- define "skywalking-provider.installBridge" -}}
name: skywalking-provider-bridge
image: {{ include "skywalking-provider.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args: [bridge, --to, /plugins/skywalking/skywalking-bridge]
resources:
  requests: {cpu: 10m, memory: 64Mi}
  limits: {memory: 128Mi}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
volumeMounts:
  - {name: skywalking-provider-bridge, mountPath: /plugins/skywalking}
{{- end -}}

{{/* Not empty if the bridges of earlier images are served beside this image's. */}}
{{- define "skywalking-provider.keepsBridges" -}}
{{- if and (eq .Values.bridge.delivery "http") .Values.bridge.http.keepFrom -}}true{{- end -}}
{{- end -}}

{{- define "skywalking-provider.collectBridges" -}}
{{- range $index, $image := append .Values.bridge.http.keepFrom (include "skywalking-provider.image" .) }}
- name: bridges-{{ $index }}
  image: {{ $image }}
  imagePullPolicy: {{ $.Values.image.pullPolicy }}
  args: [bridge, --all-to, /bridges]
  resources:
    requests: {cpu: 10m, memory: 64Mi}
    limits: {memory: 256Mi}
  securityContext:
    {{- toYaml $.Values.containerSecurityContext | nindent 4 }}
  volumeMounts:
    - {name: skywalking-provider-bridges, mountPath: /bridges}
{{- end }}
{{- end -}}

{{- define "skywalking-provider.service" -}}
name: skywalking-provider
image: {{ include "skywalking-provider.image" . }}
imagePullPolicy: {{ .Values.image.pullPolicy }}
args:
  - serve
  - --config=/etc/skywalking-provider/config.yaml
  {{- with .Values.extraArgs }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- $env := concat (include "skywalking-provider.environment" . | fromYamlArray) .Values.extraEnv }}
{{- with $env }}
env:
  {{- toYaml . | nindent 2 }}
{{- end }}
ports:
  {{- if eq .Values.mode "deployment" }}
  - {name: grpc, containerPort: 9500}
  {{- end }}
  - {name: sw-metrics, containerPort: 9464}
{{- /* HTTP probes, because a command would start a Python interpreter for each probe, within the service's CPU limit.
The first startup probe comes after a normal start (3 s), so that such a start has no warning among the pod's events.
With a limit of 50m a start takes 15 s. */}}
startupProbe:
  httpGet: {path: /readyz, port: 9464}
  initialDelaySeconds: 4
  periodSeconds: 1
  timeoutSeconds: 5
  failureThreshold: 120
livenessProbe:
  httpGet: {path: /healthz, port: 9464}
  periodSeconds: 10
  timeoutSeconds: 5
  failureThreshold: 6
{{- if eq .Values.mode "deployment" }}
readinessProbe:
  httpGet: {path: /readyz, port: 9464}
  periodSeconds: 5
  timeoutSeconds: 5
  failureThreshold: 2
{{- end }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
securityContext:
  {{- toYaml .Values.containerSecurityContext | nindent 2 }}
volumeMounts:
  {{- include "skywalking-provider.mounts" . | nindent 2 }}
  {{- if eq .Values.mode "sidecar" }}
  - {name: skywalking-provider-run, mountPath: /run/skywalking}
  {{- else if .Values.tls.enabled }}
  - {name: skywalking-provider-tls, mountPath: /etc/skywalking-provider/tls, readOnly: true}
  {{- end }}
{{- end -}}

{{/* Volume mounts of the containers that read the configuration: the service, and the doctor of `helm test`. */}}
{{- define "skywalking-provider.mounts" -}}
- {name: skywalking-provider-config, mountPath: /etc/skywalking-provider/config.yaml, subPath: config.yaml, readOnly: true}
{{- range .Values.secrets }}
- {name: {{ include "skywalking-provider.secretVolume" . }}, mountPath: /etc/skywalking-provider/secrets/{{ . }}, readOnly: true}
{{- end }}
- {name: skywalking-provider-tmp, mountPath: /tmp}
{{- if include "skywalking-provider.keepsBridges" . }}
- {name: skywalking-provider-bridges, mountPath: /bridges, readOnly: true}
{{- end }}
{{- with .Values.extraVolumeMounts }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* A checksum of the configuration in the pod's annotations restarts the pods when it changes. */}}
{{- define "skywalking-provider.environment" -}}
{{- if or .Values.existingConfig.secret .Values.existingConfig.configMap }}
{{- include "skywalking-provider.ownEnvironment" . }}
{{- else }}
- name: CONFIG_SHA256
  value: {{ include "skywalking-provider.config" . | sha256sum | quote }}
{{- end }}
{{- end -}}

{{- define "skywalking-provider.secretVolume" -}}
{{- printf "skywalking-provider-secret-%s" (. | sha256sum | trunc 8) -}}
{{- end -}}

{{- define "skywalking-provider.volumes" -}}
{{ include "skywalking-provider.configVolume" . }}
{{- range .Values.secrets }}
- name: {{ include "skywalking-provider.secretVolume" . }}
  secret: {secretName: {{ . }}, defaultMode: 0440}
{{- end }}
- {name: skywalking-provider-tmp, emptyDir: {sizeLimit: 64Mi}}
{{- if include "skywalking-provider.keepsBridges" . }}
- {name: skywalking-provider-bridges, emptyDir: {sizeLimit: 1Gi}}
{{- end }}
{{- with .Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}
