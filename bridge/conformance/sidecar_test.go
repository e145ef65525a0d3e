package conformance

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

// runningMeasurement returns an unfinished measurement that started this long ago, as Argo stores it.
func runningMeasurement(ago time.Duration) v1alpha1.Measurement {
	started, resume := metav1.NewTime(time.Now().Add(-ago).Truncate(time.Second)), metav1.NewTime(time.Now().Truncate(time.Second))
	return v1alpha1.Measurement{
		Phase: v1alpha1.AnalysisPhaseRunning, StartedAt: &started, ResumeAt: &resume, Message: "NO_DATA not yet",
		Metadata: map[string]string{"k": "v"},
	}
}

// requireRunning requires an unfinished measurement with this reason code that the controller resumes within 10 s.
func requireRunning(t *testing.T, m v1alpha1.Measurement, code string) {
	t.Helper()
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase, m.Message)
	require.True(t, strings.HasPrefix(m.Message, code+" "), m.Message)
	require.NotNil(t, m.StartedAt)
	require.Nil(t, m.FinishedAt)
	require.NotNil(t, m.ResumeAt)
	require.Zero(t, m.ResumeAt.Nanosecond(), "Argo stores whole seconds")
	require.WithinRange(t, m.ResumeAt.Time, time.Now().Add(-time.Second), time.Now().Add(10*time.Second))
}

// requireFinished requires a measurement that ended with that phase.
func requireFinished(t *testing.T, m v1alpha1.Measurement, phase v1alpha1.AnalysisPhase) {
	t.Helper()
	require.Equal(t, phase, m.Phase, m.Message)
	require.NotNil(t, m.StartedAt)
	require.NotNil(t, m.FinishedAt)
	require.False(t, m.FinishedAt.Before(m.StartedAt))
}

func TestSidecarAbsentWaitsThenReturnsInconclusive(t *testing.T) {
	sidecar := fakesidecar.New(t)
	installBridge(t, "--socket="+sidecar.Socket, "--outage-grace=30s")
	p := newProvider(t)
	m := p.Run(nil, metricWithBlock("{}"))
	requireRunning(t, m, "PROVIDER_UNAVAILABLE")
	require.Contains(t, m.Message, sidecar.Socket)
	requireRunning(t, p.Resume(nil, metricWithBlock("{}"), runningMeasurement(20*time.Second)), "PROVIDER_UNAVAILABLE")

	old := runningMeasurement(31 * time.Second)
	m = p.Resume(nil, metricWithBlock("{}"), old)
	requireFinished(t, m, v1alpha1.AnalysisPhaseInconclusive)
	require.Equal(t, old.StartedAt.Unix(), m.StartedAt.Unix())

	sidecar.Start(t)
	require.Eventually(t, func() bool {
		return p.Resume(nil, metricWithBlock("{}"), old).Phase == v1alpha1.AnalysisPhaseSuccessful
	}, 30*time.Second, 50*time.Millisecond, "the bridge connects to a sidecar that starts later")
}

func TestSidecarKilledDuringRunLosesNoMeasurement(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		go sidecar.Kill()
		return nil, fakesidecar.Hang(ctx)
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	m := p.Run(nil, metricWithBlock(`"q"`))
	requireRunning(t, m, "PROVIDER_UNAVAILABLE")
	plugin := pluginProcess(t).Pid
	sidecar.Start(t)
	require.Eventually(t, func() bool {
		m = p.Resume(nil, metricWithBlock(`"q"`), m)
		return m.Phase == v1alpha1.AnalysisPhaseSuccessful
	}, 30*time.Second, 50*time.Millisecond)
	require.Equal(t, `"q"`, m.Value)
	require.Equal(t, plugin, pluginProcess(t).Pid, "the plugin was not restarted")
}

func TestSidecarResponseInvalidReturnsError(t *testing.T) {
	responses := map[string]func() (*contractv1.Measurement, error){
		"no phase":      func() (*contractv1.Measurement, error) { return &contractv1.Measurement{}, nil },
		"unknown phase": func() (*contractv1.Measurement, error) { return &contractv1.Measurement{Phase: 99}, nil },
		"Internal":      func() (*contractv1.Measurement, error) { return nil, fakesidecar.StatusError(codes.Internal, "boom") },
		"Unknown":       func() (*contractv1.Measurement, error) { return nil, fakesidecar.StatusError(codes.Unknown, "boom") },
		"too large": func() (*contractv1.Measurement, error) {
			return fakesidecar.Finished(contractv1.Phase_PHASE_FAILED, strings.Repeat("x", 5<<20)), nil
		},
	}
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		return responses[r.GetMetric().GetSuccessCondition()]()
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	for name := range responses {
		metric := metricWithBlock("{}")
		metric.SuccessCondition = name
		m := p.Run(nil, metric)
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		require.True(t, strings.HasPrefix(m.Message, "failed to run via plugin: PROVIDER_ERROR "), m.Message)
		require.Less(t, len(m.Message), 1000)
	}
}

func TestRunningMeasurementAlwaysHasResumeTime(t *testing.T) {
	for name, response := range map[string]*contractv1.Measurement{
		"none":            {Phase: contractv1.Phase_PHASE_RUNNING},
		"in the past":     {Phase: contractv1.Phase_PHASE_RUNNING, ResumeAt: timestamppb.New(time.Unix(1, 0))},
		"far away":        {Phase: contractv1.Phase_PHASE_RUNNING, ResumeAt: timestamppb.New(time.Now().Add(time.Hour))},
		"finished, too":   {Phase: contractv1.Phase_PHASE_RUNNING, FinishedAt: timestamppb.Now()},
		"without a start": {Phase: contractv1.Phase_PHASE_PENDING, ResumeAt: timestamppb.Now()},
	} {
		t.Run(name, func(t *testing.T) {
			sidecar := fakesidecar.New(t)
			sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) { return response, nil }
			sidecar.Start(t)
			installBridge(t, "--socket="+sidecar.Socket)
			m := newProvider(t).Run(nil, metricWithBlock("{}"))
			require.False(t, m.Phase.Completed())
			require.NotNil(t, m.StartedAt)
			require.Nil(t, m.FinishedAt)
			require.Zero(t, m.ResumeAt.Nanosecond())
			require.WithinRange(t, m.ResumeAt.Time, time.Now().Add(-time.Second), time.Now().Add(time.Minute+time.Second))
		})
	}
}

func TestSidecarUnresponsiveBlocksNoOtherCall(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		return nil, fakesidecar.Hang(ctx)
	}
	sidecar.Start(t)
	const deadline = 2 * time.Second
	installBridge(t, "--socket="+sidecar.Socket, "--run-timeout="+deadline.String())
	p := newProvider(t)
	meter, began := timing.NewMeter(t), time.Now()
	results := make(chan v1alpha1.Measurement)
	for range 10 {
		go func() { results <- p.Run(nil, metricWithBlock("{}")) }()
	}
	time.Sleep(deadline / 4)
	pinged := time.Now()
	newProvider(t) // pings the plugin
	require.Less(t, time.Since(pinged), meter.Limit(time.Second))
	for range 10 {
		m := <-results
		requireRunning(t, m, "PROVIDER_UNAVAILABLE")
		require.Contains(t, m.Message, "sent no response within")
	}
	require.Less(t, time.Since(began), meter.Limit(deadline))
}

func TestSidecarIncompatibleIsRejectedWithHint(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.Version = "2.0"
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket, "--outage-grace=10s")
	m := newProvider(t).Run(nil, metricWithBlock("{}"))
	requireRunning(t, m, "PROVIDER_INCOMPATIBLE")
	require.Contains(t, m.Message, "Install bridge and sidecar of one release")
	requireFinished(t, newProvider(t).Resume(nil, metricWithBlock("{}"), runningMeasurement(time.Minute)), v1alpha1.AnalysisPhaseInconclusive)
	require.Empty(t, fakesidecar.Received[any](sidecar, "Run"), "an incompatible sidecar gets no calls")
}

func TestConcurrentMeasurementsAreIndependent(t *testing.T) {
	const each = 500 * time.Millisecond
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		time.Sleep(each)
		value := fmt.Sprintf("%q", r.GetMetric().GetName()+" "+string(r.GetMetric().GetBlock())+" "+r.GetRun().GetName())
		return fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, value), nil
	}
	sidecar.Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	newProvider(t)
	began := time.Now()
	var calls sync.WaitGroup
	for i := range 40 {
		calls.Go(func() {
			metric := metricWithBlock(fmt.Sprint(i))
			metric.Name = fmt.Sprintf("m%d", i)
			run := &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Name: fmt.Sprintf("r%d", i)}}
			run.Spec.Args = []v1alpha1.Argument{secretArg("token", fmt.Sprintf("secret-of-%d", i))}
			m := newProvider(t).Run(run, metric)
			if want := fmt.Sprintf(`"m%d %d r%d"`, i, i, i); m.Value != want {
				t.Errorf("%s: want %s", m.Value, want)
			}
		})
	}
	calls.Wait()
	require.Less(t, time.Since(began), 20*each, "consecutive measurements take 40 times as long as one")
}

func TestEmptyMetricReturnsError(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metricWithBlock("{}")).Phase, "a nil run")
	for _, m := range []v1alpha1.Measurement{
		p.Run(nil, v1alpha1.Metric{}), p.Resume(nil, v1alpha1.Metric{}, v1alpha1.Measurement{}),
		p.Run(&v1alpha1.AnalysisRun{}, v1alpha1.Metric{}),
	} {
		requireFinished(t, m, v1alpha1.AnalysisPhaseError)
		require.Contains(t, m.Message, "BLOCK_INVALID provider.plugin: 0 keys found, exactly one is allowed")
	}
	requireFinished(t, p.Terminate(nil, v1alpha1.Metric{}, v1alpha1.Measurement{}), v1alpha1.AnalysisPhaseInconclusive)
	require.NoError(t, p.GarbageCollect(nil, v1alpha1.Metric{}, 0))
	require.Contains(t, p.GetMetadata(v1alpha1.Metric{})["error"], "BLOCK_INVALID provider.plugin")
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metricWithBlock("{}")).Phase)
}

func TestTwoPluginKeysReturnError(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	installBridge(t, "--socket="+sidecar.Socket)
	p := newProvider(t)
	metric := metricWithBlock("{}")
	metric.Provider.Plugin["another/one"] = json.RawMessage(`{}`)
	m := p.Run(nil, metric)
	requireFinished(t, m, v1alpha1.AnalysisPhaseError)
	require.Contains(t, m.Message, "provider.plugin")
	require.Contains(t, m.Message, "2 keys found")
}
