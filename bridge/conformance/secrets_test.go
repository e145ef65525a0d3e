package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

func TestASecretLeavesByNoWayWhatever(t *testing.T) {
	const secret = `t0ken<"of">us`
	sidecar := fakesidecar.New(t)
	echo, err := json.Marshal(map[string]string{"token": secret})
	require.NoError(t, err)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		switch r.GetMetric().GetSuccessCondition() {
		case "refused":
			return nil, fakesidecar.Refuse(codes.PermissionDenied, "not with "+secret)
		case "unavailable":
			return nil, fakesidecar.Refuse(codes.Unavailable, "not with "+secret)
		case "garbage":
			return &contractv1.Measurement{Message: secret}, nil
		}
		m := fakesidecar.Running(time.Second, map[string]string{"sent": secret})
		m.Value, m.Message = string(echo), fmt.Sprintf("got %q", secret)
		return m, nil
	}
	sidecar.OnMetadata = func(context.Context, *contractv1.GetMetadataRequest) (map[string]string, error) {
		return map[string]string{"error": "with " + secret}, nil
	}
	sidecar.Start(t)
	installed(t, "--socket="+sidecar.Socket)
	p := provider(t)
	run := &v1alpha1.AnalysisRun{Spec: v1alpha1.AnalysisRunSpec{
		Args: []v1alpha1.Argument{secretArg("token", secret), plainArg("service", "reviews")},
	}}
	var told []any
	for _, condition := range []string{"", "refused", "unavailable", "garbage"} {
		metric := block(`{"query":"{{args.service}}"}`)
		metric.SuccessCondition = condition
		run.Spec.Metrics = []v1alpha1.Metric{metric}
		m := p.Run(run, resolved(t, run))
		told = append(told, m, p.Terminate(run, metric, m), p.GetMetadata(metric))
	}
	// and where it is written into the block, in any way
	for _, text := range []string{`{"query":"{{args.token}}"}`, `{"a":[{"{{ args.token }}":1}]}`} {
		run.Spec.Metrics = []v1alpha1.Metric{block(text)}
		metric := resolved(t, run)
		m := p.Run(run, metric)
		finished(t, m, v1alpha1.AnalysisPhaseError)
		require.Contains(t, m.Message, "SECRET_IN_BLOCK metric m: the argument token comes from a Secret: "+
			"credentials belong in a backend of the provider's configuration")
		metadata := p.GetMetadata(metric)
		require.Contains(t, metadata["error"], "SECRET_IN_BLOCK")
		require.NoError(t, p.GarbageCollect(run, metric, 1))
		told = append(told, m, metadata)
	}
	require.Eventually(t, func() bool { // what was told in the background has arrived
		return len(fakesidecar.Seen[any](sidecar, "Terminate")) >= 1
	}, 5*time.Second, 10*time.Millisecond)
	for _, method := range []string{"Run", "Resume", "Terminate", "GarbageCollect", "GetMetadata"} {
		for _, request := range fakesidecar.Seen[any](sidecar, method) {
			told = append(told, request)
		}
	}
	for _, one := range told {
		text, err := json.Marshal(one)
		require.NoError(t, err)
		require.NotContains(t, string(text), "t0ken")
		require.NotContains(t, fmt.Sprint(one), "t0ken")
	}
	require.NotContains(t, controllerLog.String(), "t0ken")
	require.Contains(t, controllerLog.String(), "********")
}
