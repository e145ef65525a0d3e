{{/* What the schema cannot say, because it is about two keys, the release or the cluster. */}}
{{- define "skywalking-provider.checks" -}}
{{- $runTimeout := include "skywalking-provider.seconds" .Values.plugin.runTimeout | float64 -}}
{{- if gt $runTimeout 15.0 -}}
{{- fail (printf "plugin.runTimeout: %s is more than 15s, of which the service uses 14.5s at most; set plugin.runTimeout=15s or less" .Values.plugin.runTimeout) -}}
{{- end -}}
{{- if lt $runTimeout 1.0 -}}
{{- fail (printf "plugin.runTimeout: %s is less than 1s, and with that the bridge does not start; set plugin.runTimeout=1s or more" .Values.plugin.runTimeout) -}}
{{- end -}}
{{- $existing := or .Values.existingConfig.secret .Values.existingConfig.configMap -}}
{{- if and .Values.existingConfig.secret .Values.existingConfig.configMap -}}
{{- fail "existingConfig: name a Secret or a ConfigMap, not both" -}}
{{- end -}}
{{- if and $existing .Values.backends -}}
{{- fail "backends: existingConfig has them already; write one of the two" -}}
{{- end -}}
{{- if not (or $existing .Values.backends) -}}
{{- fail "backends: name at least one OAP, for example --set backends.prod.url=http://oap.istio-system:12800" -}}
{{- end -}}
{{- if and .Values.argoRollouts.currentValues (not .Values.argoRollouts.printValues) -}}
{{- fail "argoRollouts.currentValues: may hold secrets, which are not for a ConfigMap; only for helm template with --set argoRollouts.printValues=true --show-only templates/argo-rollouts-values.yaml" -}}
{{- end -}}
{{- if eq .Values.mode "sidecar" -}}
{{- if ne (include "skywalking-provider.argoNamespace" .) .Release.Namespace -}}
{{- fail (printf "argoRollouts.namespace: with mode=sidecar the controller mounts what this release makes; install it into %s" .Values.argoRollouts.namespace) -}}
{{- end -}}
{{- if and .Values.sidecar.native (semverCompare "<1.29-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "sidecar.native: Kubernetes %s has no native sidecars (1.29 has); set sidecar.native=false" .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if eq .Values.bridge.delivery "http" -}}
{{- fail "bridge.delivery: http needs mode=deployment; beside the controller the bridge comes by an init container" -}}
{{- end -}}
{{- else -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling: minReplicas %v is more than maxReplicas %v; lower autoscaling.minReplicas or raise autoscaling.maxReplicas" .Values.autoscaling.minReplicas .Values.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if and (not $existing) (ge (include "skywalking-provider.seconds" .Values.drain | float64) (float64 .Values.terminationGracePeriodSeconds)) -}}
{{- fail (printf "drain: %s is not less than terminationGracePeriodSeconds %v, when the kubelet kills the service and its calls; lower drain or raise terminationGracePeriodSeconds" .Values.drain .Values.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- if and .Values.tls.enabled (not .Values.tls.certManager.enabled) (not (and .Values.tls.serverSecret .Values.tls.clientSecret)) -}}
{{- fail "tls: set tls.certManager.enabled=true, or name your own Secrets in tls.serverSecret and tls.clientSecret" -}}
{{- end -}}
{{- if and .Values.tls.enabled .Values.tls.certManager.enabled (ne (include "skywalking-provider.argoNamespace" .) .Release.Namespace) (ne (.Values.tls.certManager.issuerRef.kind | default "Issuer") "ClusterIssuer") -}}
{{- fail (printf "tls.certManager.issuerRef: the bridge's certificate is made in %s, where an Issuer of %s is not seen; name a ClusterIssuer, or install into %s" .Values.argoRollouts.namespace .Release.Namespace .Values.argoRollouts.namespace) -}}
{{- end -}}
{{- if and (eq .Values.bridge.delivery "http") (not (and .Values.bridge.http.version .Values.bridge.http.sha256)) -}}
{{- fail "bridge.http: name version and sha256; `skywalking-provider bridge` of the image lists both" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skywalking-provider.seconds" -}}
{{- $then := toDate "2006" "2000" -}}
{{- ((mustDateModify . $then).Sub $then).Seconds -}}
{{- end -}}
