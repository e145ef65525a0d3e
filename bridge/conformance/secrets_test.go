package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

func TestSecretsAreRedactedEverywhere(t *testing.T) {
	const secret = `t0ken<"of">us`
	sidecar := fakesidecar.New(t)
	echo, err := json.Marshal(map[string]string{"token": secret})
	require.NoError(t, err)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		switch r.GetMetric().GetSuccessCondition() {
		case "rejected":
			return nil, fakesidecar.StatusError(codes.PermissionDenied, "not with "+secret)
		case "unavailable":
			return nil, fakesidecar.StatusError(codes.Unavailable, "not with "+secret)
		case "invalid":
			return &contractv1.Measurement{Message: secret}, nil
		}
		m := fakesidecar.Running(time.Second, map[string]string{"sent": secret})
		m.Value, m.Message = string(echo), fmt.Sprintf("got %q", secret)
		return m, nil
	}
	sidecar.OnMetadata = func(_ context.Context, r *contractv1.GetMetadataRequest) (map[string]string, error) {
		return map[string]string{"ResolvedQuery": string(r.GetMetric().GetBlock())}, nil
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{
		Args: []v1alpha1.Argument{secretArg("token", secret), plainArg("service", "reviews")},
	}}
	var output []any
	for _, condition := range []string{"", "rejected", "unavailable", "invalid"} {
		metric := metricWithBlock(`{"query":"{{args.service}}"}`)
		metric.SuccessCondition = condition
		run.Spec.Metrics = []v1alpha1.Metric{metric}
		m := p.Run(run, resolveMetric(t, run))
		output = append(output, m, p.Terminate(run, metric, m), p.GetMetadata(metric))
	}
	// The template of the block uses the secret argument.
	for _, text := range []string{`{"query":"{{args.token}}"}`, `{"a":[{"{{ args.token }}":1}]}`} {
		run.Spec.Metrics = []v1alpha1.Metric{metricWithBlock(text)}
		metric := resolveMetric(t, run)
		m := p.Run(run, metric)
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		require.Contains(t, m.Message, "SECRET_IN_BLOCK metric m: argument token comes from a Secret. "+
			"Put credentials into a backend of the provider's configuration.")
		metadata := p.GetMetadata(metric)
		require.Contains(t, metadata["error"], "SECRET_IN_BLOCK")
		require.NoError(t, p.GarbageCollect(run, metric, 1))
		output = append(output, m, metadata)
	}
	require.Eventually(t, func() bool { // the background notifications have arrived
		return len(fakesidecar.Received[any](sidecar, "Terminate")) >= 1
	}, 30*time.Second, 10*time.Millisecond)
	for _, method := range []string{"Run", "Resume", "Terminate", "GarbageCollect", "GetMetadata"} {
		for _, request := range fakesidecar.Received[any](sidecar, method) {
			output = append(output, request)
		}
	}
	for _, item := range output {
		text, err := json.Marshal(item)
		require.NoError(t, err)
		require.NotContains(t, string(text), "t0ken")
		require.NotContains(t, fmt.Sprint(item), "t0ken")
	}
	require.NotContains(t, controllerLog.String(), "t0ken")
	require.Contains(t, controllerLog.String(), "********")
}

func TestSecretsDoNotAffectOtherNamespaces(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		m := fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, `{"value":10000}`)
		m.Message = "readMetricsValues for " + r.GetRun().GetNamespace()
		return m, nil
	}
	sidecar.OnMetadata = func(_ context.Context, r *contractv1.GetMetadataRequest) (map[string]string, error) {
		return map[string]string{"ResolvedQuery": string(r.GetMetric().GetBlock())}, nil
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	runOf := func(namespace, text string, args ...v1alpha1.Argument) *v1alpha1.AnalysisRun {
		run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{Args: args, Metrics: []v1alpha1.Metric{metricWithBlock(text)}}}
		run.Namespace = namespace
		return run
	}
	secrets := []v1alpha1.Argument{secretArg("word", "readMetricsValues"), secretArg("number", "10000")}
	mine := runOf("mine", `{"query":"readMetricsValues"}`)
	for range 3 {
		for _, other := range []*v1alpha1.AnalysisRun{ // redacted, and rejected with the same metric
			runOf("other", `{}`, secrets...), runOf("other", `{"query":"{{args.word}}"}`, secrets...),
		} {
			text, err := json.Marshal([]any{newProvider(t).Run(other, resolveMetric(t, other)), newProvider(t).GetMetadata(resolveMetric(t, other))})
			require.NoError(t, err)
			require.NotContains(t, string(text), "readMetricsValues")
			require.NotContains(t, string(text), "10000")
		}
		m := newProvider(t).Run(mine, resolveMetric(t, mine))
		requireFinished(t, m, v1alpha1.AnalysisPhaseSuccessful)
		require.Equal(t, `{"value":10000}`, m.Value)
		require.Equal(t, "readMetricsValues for mine", m.Message)
		require.Equal(t, `{"query":"readMetricsValues"}`, newProvider(t).GetMetadata(resolveMetric(t, mine))["ResolvedQuery"])
	}
}

func TestSecretsTooLargeAreRejectedImmediately(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{Metrics: []v1alpha1.Metric{metricWithBlock(`{}`)}}}
	for i := range 30 {
		run.Spec.Args = append(run.Spec.Args, secretArg(fmt.Sprintf("s%d", i), strings.Repeat("s", 100<<10)+fmt.Sprint(i)))
	}
	began := time.Now()
	m := newProvider(t).Run(run, resolveMetric(t, run))
	require.Less(t, time.Since(began), 15*time.Second, "the default run timeout")
	requireFinished(t, m, v1alpha1.AnalysisPhaseError)
	require.Contains(t, m.Message, "SECRETS_TOO_LARGE spec.args: 30 values")
	require.Empty(t, fakesidecar.Received[any](sidecar, "Run"))
}
