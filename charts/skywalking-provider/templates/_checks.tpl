{{/* Checks that the schema cannot express: they concern two keys, the release or the cluster. */}}
{{- define "skywalking-provider.checks" -}}
{{- $runTimeout := include "skywalking-provider.seconds" .Values.plugin.runTimeout | float64 -}}
{{- if gt $runTimeout 15.0 -}}
{{- fail (printf "plugin.runTimeout: %s is more than 15s, of which the service uses at most 14.5s. Set plugin.runTimeout=15s or less." .Values.plugin.runTimeout) -}}
{{- end -}}
{{- if lt $runTimeout 1.0 -}}
{{- fail (printf "plugin.runTimeout: %s is less than 1s, the minimum of the bridge. Set plugin.runTimeout=1s or more." .Values.plugin.runTimeout) -}}
{{- end -}}
{{- $existing := or .Values.existingConfig.secret .Values.existingConfig.configMap -}}
{{- if and .Values.existingConfig.secret .Values.existingConfig.configMap -}}
{{- fail "existingConfig: secret and configMap are both set. Keep one of them." -}}
{{- end -}}
{{- if and $existing .Values.backends -}}
{{- fail "backends: existingConfig already contains the backends. Remove one of the two." -}}
{{- end -}}
{{- if not (or $existing .Values.backends) -}}
{{- fail "backends: no OAP is configured. Set at least one, for example --set backends.prod.url=http://oap.istio-system:12800." -}}
{{- end -}}
{{- if and .Values.argoRollouts.currentValues (not .Values.argoRollouts.printValues) -}}
{{- fail "argoRollouts.currentValues: may contain secrets, which must not be in a ConfigMap. Use it only for helm template with --set argoRollouts.printValues=true --show-only templates/argo-rollouts-values.yaml." -}}
{{- end -}}
{{- if eq .Values.bridge.delivery "release" -}}
{{- with .Values.bridge.release -}}
{{- if not (index .sha256 .platform) -}}
{{- fail (printf "bridge.release.sha256: has no SHA-256 for %s, because this chart is not from a release. Set bridge.release.sha256.%s as SHA256SUMS of release v%s lists it." .platform .platform $.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- if eq .Values.mode "sidecar" -}}
{{- if ne (include "skywalking-provider.argoNamespace" .) .Release.Namespace -}}
{{- fail (printf "argoRollouts.namespace: with mode=sidecar the controller mounts objects of this release. Install the release into namespace %s." .Values.argoRollouts.namespace) -}}
{{- end -}}
{{- if and .Values.sidecar.native (semverCompare "<1.29-0" .Capabilities.KubeVersion.Version) -}}
{{- fail (printf "sidecar.native: Kubernetes %s has no native sidecars, which need 1.29. Set sidecar.native=false." .Capabilities.KubeVersion.Version) -}}
{{- end -}}
{{- if eq .Values.bridge.delivery "http" -}}
{{- fail "bridge.delivery: http requires mode=deployment. With mode=sidecar set bridge.delivery=initContainer." -}}
{{- end -}}
{{- else -}}
{{- if and .Values.autoscaling.enabled (gt (int .Values.autoscaling.minReplicas) (int .Values.autoscaling.maxReplicas)) -}}
{{- fail (printf "autoscaling: minReplicas %v is more than maxReplicas %v. Lower autoscaling.minReplicas or raise autoscaling.maxReplicas." .Values.autoscaling.minReplicas .Values.autoscaling.maxReplicas) -}}
{{- end -}}
{{- if and (not $existing) (ge (include "skywalking-provider.seconds" .Values.drain | float64) (float64 .Values.terminationGracePeriodSeconds)) -}}
{{- fail (printf "drain: %s is not less than terminationGracePeriodSeconds %v, after which the kubelet kills the service. Lower drain or raise terminationGracePeriodSeconds." .Values.drain .Values.terminationGracePeriodSeconds) -}}
{{- end -}}
{{- if and .Values.tls.enabled (not .Values.tls.certManager.enabled) (not (and .Values.tls.serverSecret .Values.tls.clientSecret)) -}}
{{- fail "tls: no certificates are configured. Set tls.certManager.enabled=true, or set tls.serverSecret and tls.clientSecret." -}}
{{- end -}}
{{- if and .Values.tls.enabled .Values.tls.certManager.enabled (ne (include "skywalking-provider.argoNamespace" .) .Release.Namespace) (ne (.Values.tls.certManager.issuerRef.kind | default "Issuer") "ClusterIssuer") -}}
{{- fail (printf "tls.certManager.issuerRef: the bridge's certificate is in namespace %s, which cannot use an Issuer of namespace %s. Set a ClusterIssuer, or install the release into namespace %s." .Values.argoRollouts.namespace .Release.Namespace .Values.argoRollouts.namespace) -}}
{{- end -}}
{{- if and (eq .Values.bridge.delivery "http") (not (and .Values.bridge.http.version .Values.bridge.http.sha256)) -}}
{{- fail "bridge.http: version or sha256 is missing. Set both as `skywalking-provider bridge` of the image lists them." -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "skywalking-provider.seconds" -}}
{{- $then := toDate "2006" "2000" -}}
{{- ((mustDateModify . $then).Sub $then).Seconds -}}
{{- end -}}
