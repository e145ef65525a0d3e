package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/argohost"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// execute returns the responses to one request.
func execute(t *testing.T, text string) []argohost.Response {
	t.Helper()
	var request argohost.Request
	require.NoError(t, json.Unmarshal([]byte(text), &request))
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	var responses []argohost.Response
	argohost.Execute(ctx, request, func(response argohost.Response) { responses = append(responses, response) })
	require.True(t, responses[len(responses)-1].Done)
	for _, response := range responses[:len(responses)-1] {
		require.False(t, response.Done)
	}
	return responses
}

func TestHostOperationsCallPlugin(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if r.GetMetric().GetName() == "slow" {
			return fakesidecar.Running(time.Second, nil), nil
		}
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, string(r.GetMetric().GetBlock())), nil
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	const metric = `"metric":{"name":"m","provider":{"plugin":{"skywalking/metrics":{"q":"{{args.x}}"}}}},` +
		`"run":{"spec":{"args":[{"name":"x","value":"why"}]}}`

	got := execute(t, `{"id":1,"op":"run",`+metric+`}`)
	require.Equal(t, `{"q":"why"}`, got[0].Measurement.Value)
	require.Equal(t, "1", string(got[0].ID))
	got = execute(t, `{"id":"a","op":"resume","measurement":{"phase":"Running"},`+metric+`}`)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, got[0].Measurement.Phase)
	got = execute(t, `{"op":"terminate","measurement":{"phase":"Running"},`+metric+`}`)
	require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, got[0].Measurement.Phase)
	require.Empty(t, execute(t, `{"op":"gc","limit":3,`+metric+`}`)[0].Error)
	require.Equal(t, "m", execute(t, `{"op":"metadata",`+metric+`}`)[0].Metadata["ResolvedQuery"])
	require.Equal(t, "SkyWalking", execute(t, `{"op":"type",`+metric+`}`)[0].Type)

	got = execute(t, `{"op":"loop",`+strings.Replace(metric, `"m"`, `"slow"`, 1)+`}`)
	require.Len(t, got, 2)
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, got[0].Measurement.Phase)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, got[1].Measurement.Phase)
	require.Equal(t, got[0].Measurement.StartedAt.Unix(), got[1].Measurement.StartedAt.Unix())

	require.Contains(t, execute(t, `{"op":"dance",`+metric+`}`)[0].Error, `op "dance"`)
	require.Contains(t, execute(t, `{"op":"run","metric":{"provider":{"plugin":{"a/b":{}}}}}`)[0].Error, "a/b not configured")
	require.Contains(t, execute(t, `{"op":"run",`+strings.Replace(metric, "args.x", "args.y", 1)+`}`)[0].Error, "args.y")
	require.Contains(t, execute(t, `{"op":"builtin",`+metric+`}`)[0].Error, "no provider.skywalking")
}

func TestHostBuiltinRunsBuiltInProvider(t *testing.T) {
	oap := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = w.Write([]byte(`{"data":{"n":9900}}`))
	}))
	defer oap.Close()
	got := execute(t, `{"op":"builtin","metric":{"successCondition":"result.n > 1","provider":{"skywalking":{"address":"`+
		oap.URL+`","interval":"1m","query":"query q($duration: Duration!) { n }"}}}}`)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, got[0].Measurement.Phase)
	require.Equal(t, `{"n":9900}`, got[0].Measurement.Value)
}

// BenchmarkRun measures the overhead of host and bridge: controller → bridge → sidecar and back.
func BenchmarkRun(b *testing.B) {
	sidecar := fakesidecar.New(b).Start(b)
	installBridge(b, "--socket="+sidecar.Socket)
	for b.Loop() {
		if m := newProvider(b).Run(nil, metricWithBlock("{}")); m.Phase != v1alpha1.AnalysisPhaseSuccessful {
			b.Fatal(m.Message)
		}
	}
}
