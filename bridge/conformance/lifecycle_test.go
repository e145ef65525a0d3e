package conformance

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

func TestResumeContinuesMeasurement(t *testing.T) {
	sidecar := fakesidecar.New(t)
	responses := []*contractv1.Measurement{
		fakesidecar.Running(1500*time.Millisecond, map[string]string{"k": "v"}),
		fakesidecar.Finished(contractv1.Phase_PHASE_FAILED, "7"),
	}
	sidecar.OnResume = func(_ context.Context, r *contractv1.ResumeRequest) (*contractv1.Measurement, error) {
		response := responses[0]
		responses = responses[1:]
		return response, nil
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	before := runningMeasurement(time.Minute)
	m := p.Resume(nil, metricWithBlock("{}"), before)
	requireRunning(t, m, "NO_DATA")
	require.True(t, m.ResumeAt.After(time.Now()))
	require.Equal(t, before.StartedAt.Unix(), m.StartedAt.Unix())
	require.Equal(t, before.Metadata, m.Metadata)
	m = p.Resume(nil, metricWithBlock("{}"), m)
	requireFinished(t, m, v1alpha1.AnalysisPhaseFailed)
	require.Equal(t, "7", m.Value)
	require.Equal(t, before.StartedAt.Unix(), m.StartedAt.Unix())
	sent := fakesidecar.Received[*contractv1.ResumeRequest](sidecar, "Resume")[0].GetMeasurement()
	require.Equal(t, before.StartedAt.Unix(), sent.GetStartedAt().GetSeconds())
}

func TestResumeAndTerminateFinishedMeasurementIsUnchanged(t *testing.T) {
	installBridge(t, "--socket=/nowhere")
	p := newProvider(t)
	for _, phase := range []v1alpha1.AnalysisPhase{"Successful", "Failed", "Inconclusive"} {
		m := runningMeasurement(time.Minute)
		m.Phase, m.FinishedAt = phase, m.ResumeAt
		for _, after := range []v1alpha1.Measurement{p.Resume(nil, metricWithBlock("{}"), m), p.Terminate(nil, metricWithBlock("{}"), m)} {
			require.Equal(t, toJSON(t, m), toJSON(t, after))
		}
	}
}

// toJSON returns a measurement as the API server stores it.
func toJSON(t *testing.T, m v1alpha1.Measurement) string {
	t.Helper()
	text, err := json.Marshal(m)
	require.NoError(t, err)
	return string(text)
}

func TestTerminateAnySidecarStateReturnsImmediately(t *testing.T) {
	sidecar := fakesidecar.New(t)
	for name, start := range map[string]func(){"unavailable": func() {}, "available": func() { sidecar.Start(t) }} {
		t.Run(name, func(t *testing.T) {
			start()
			installBridge(t, "--socket="+sidecar.Socket)
			p := newProvider(t)
			before := runningMeasurement(time.Minute)
			meter, began := timing.NewMeter(t), time.Now()
			m := p.Terminate(nil, metricWithBlock("{}"), before)
			require.Less(t, time.Since(began), meter.Limit(time.Second))
			requireFinished(t, m, v1alpha1.AnalysisPhaseInconclusive)
			require.Equal(t, before.StartedAt.Unix(), m.StartedAt.Unix())
			require.Nil(t, m.ResumeAt)
			if name == "available" {
				require.Eventually(t, func() bool {
					return len(fakesidecar.Received[*contractv1.TerminateRequest](sidecar, "Terminate")) > 0
				}, 30*time.Second, 10*time.Millisecond)
			}
		})
	}
}

func TestGarbageCollectSidecarDownSucceeds(t *testing.T) {
	installBridge(t, "--socket=/nowhere")
	p := newProvider(t)
	meter, began := timing.NewMeter(t), time.Now()
	require.NoError(t, p.GarbageCollect(nil, metricWithBlock(`{"query":"temp-for-secret"}`), 10))
	require.Less(t, time.Since(began), meter.Limit(500*time.Millisecond))
}

func TestGetMetadataSidecarUnavailableIsFastAndEmpty(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnMetadata = func(ctx context.Context, r *contractv1.GetMetadataRequest) (map[string]string, error) {
		switch string(r.GetMetric().GetBlock()) {
		case `"bad"`:
			return map[string]string{"error": "BLOCK_INVALID query: is missing"}, nil
		case `"slow"`:
			return nil, fakesidecar.Hang(ctx)
		}
		return map[string]string{"ResolvedSkyWalkingQuery": "q"}, nil
	}
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	meter, began := timing.NewMeter(t), time.Now()
	require.Empty(t, p.GetMetadata(metricWithBlock("{}")))
	require.Less(t, time.Since(began), meter.Limit(2*time.Second))
	sidecar.Start(t)
	require.Eventually(t, func() bool {
		return p.GetMetadata(metricWithBlock("{}"))["ResolvedSkyWalkingQuery"] == "q"
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, "failed to get metadata via plugin: BLOCK_INVALID query: is missing", p.GetMetadata(metricWithBlock(`"bad"`))["error"])
	began = time.Now()
	require.Empty(t, p.GetMetadata(metricWithBlock(`"slow"`)))
	require.Less(t, time.Since(began), meter.Limit(2*time.Second))
}
