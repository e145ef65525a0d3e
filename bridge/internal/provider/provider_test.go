package provider

import (
	"bytes"
	"context"
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/hashicorp/go-hclog"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/timestamppb"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/timing"
)

var metric = v1alpha1.Metric{Name: "m", Provider: v1alpha1.MetricProvider{
	Plugin: map[string]json.RawMessage{"skywalking/metrics": json.RawMessage(`{"query":"q"}`)},
}}

// newTestPlugin returns a plugin for the sidecar, with an outage grace of a minute, and its log. The run timeout is long
// enough for a loaded machine; tests that exceed it set a shorter one.
func newTestPlugin(t *testing.T, sidecar *fakesidecar.Sidecar) (*Plugin, *logBuffer) {
	t.Helper()
	log := &logBuffer{}
	p, err := New(Options{
		Target: "unix://" + sidecar.Socket, OutageGrace: time.Minute, RunTimeout: 30 * time.Second, Version: "test",
	}, hclog.New(&hclog.LoggerOptions{Output: log, JSONFormat: true}))
	require.NoError(t, err)
	t.Cleanup(func() { p.Close() })
	return p, log
}

func TestRunReturnsSidecarMeasurement(t *testing.T) {
	p, _ := newTestPlugin(t, fakesidecar.New(t).Start(t))
	m := p.Run(nil, metric)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, m.Phase)
	require.Equal(t, `{"query":"q"}`, m.Value)
	require.False(t, m.FinishedAt.Before(m.StartedAt))
}

func TestRunSidecarUnavailableReturnsRunning(t *testing.T) {
	for name, row := range map[string]struct {
		code, cause string
		prepare     func(*testing.T, *fakesidecar.Sidecar)
	}{
		"absent": {"PROVIDER_UNAVAILABLE", "no such file or directory", func(*testing.T, *fakesidecar.Sidecar) {}},
		"stale socket": {"PROVIDER_UNAVAILABLE", "connection refused", func(t *testing.T, s *fakesidecar.Sidecar) {
			createStaleSocket(t, s.Socket)
		}},
		"unresponsive": {"PROVIDER_UNAVAILABLE", "sent no response within ", func(t *testing.T, s *fakesidecar.Sidecar) {
			s.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
				return nil, fakesidecar.Hang(ctx)
			}
			s.Start(t)
		}},
		"killed during the call": {"PROVIDER_UNAVAILABLE", "no connection", func(t *testing.T, s *fakesidecar.Sidecar) {
			s.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
				go s.Kill()
				return nil, fakesidecar.Hang(ctx)
			}
			s.Start(t)
		}},
		"stopping": {"PROVIDER_UNAVAILABLE", "stopped during the measurement", func(t *testing.T, s *fakesidecar.Sidecar) {
			s.OnRun = failWith(codes.Canceled)
			s.Start(t)
		}},
		"rejecting this bridge": {"PROVIDER_UNAVAILABLE", "rejected this bridge: because of the test. Check", func(t *testing.T, s *fakesidecar.Sidecar) {
			s.OnRun = failWith(codes.PermissionDenied)
			s.Start(t)
		}},
		"without the method": {"PROVIDER_INCOMPATIBLE", "Install bridge and sidecar of one release", func(t *testing.T, s *fakesidecar.Sidecar) {
			s.OnRun = failWith(codes.Unimplemented)
			s.Start(t)
		}},
		"another major version": {"PROVIDER_INCOMPATIBLE", `serves contract version "2.1", this bridge (test) supports version 1`, func(t *testing.T, s *fakesidecar.Sidecar) {
			s.Version = "2.1"
			s.Start(t)
		}},
		"invalid version": {"PROVIDER_INCOMPATIBLE", `serves contract version "new"`, func(t *testing.T, s *fakesidecar.Sidecar) {
			s.Version = "new"
			s.Start(t)
		}},
	} {
		t.Run(name, func(t *testing.T) {
			sidecar := fakesidecar.New(t)
			row.prepare(t, sidecar)
			p, _ := newTestPlugin(t, sidecar)
			if name == "unresponsive" {
				p.options.RunTimeout = 2 * time.Second
			}
			meter, began := timing.NewMeter(t), time.Now()
			m := p.Run(nil, metric)
			require.Less(t, time.Since(began), meter.Limit(p.options.RunTimeout))
			require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
			require.True(t, strings.HasPrefix(m.Message, row.code+" "), m.Message)
			require.Contains(t, m.Message, row.cause)
			require.Contains(t, m.Message, sidecar.Socket)
			require.Contains(t, m.Message, " · waiting until "+m.StartedAt.Add(time.Minute).UTC().Format("15:04:05Z"))
			require.NotContains(t, m.Message, "\n")
			require.Nil(t, m.FinishedAt)
			require.Zero(t, m.ResumeAt.Nanosecond())
			require.WithinRange(t, m.ResumeAt.Time, time.Now(), time.Now().Add(10*time.Second))
		})
	}
}

func TestOutageGraceCountsFromMeasurementStart(t *testing.T) {
	p, _ := newTestPlugin(t, fakesidecar.New(t))
	p.now = func() time.Time { return noon.Add(58 * time.Second) }
	before := v1alpha1.Measurement{
		Phase: "Running", StartedAt: &metav1.Time{Time: noon}, ResumeAt: &metav1.Time{Time: noon.Add(58 * time.Second)},
		Value: "7", Metadata: map[string]string{"k": "v"},
	}
	m := p.Resume(nil, metric, before)
	require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
	require.Equal(t, noon.Add(time.Minute), m.ResumeAt.Time, "not later than the end of the outage grace")
	require.Equal(t, before.StartedAt, m.StartedAt)
	require.Equal(t, before.Metadata, m.Metadata)
	require.Equal(t, before.Value, m.Value)

	p.now = func() time.Time { return noon.Add(time.Minute) }
	m = p.Resume(nil, metric, before)
	require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, m.Phase)
	require.Equal(t, noon.Add(time.Minute), m.FinishedAt.Time)
	require.Equal(t, before.StartedAt, m.StartedAt)
	require.Nil(t, m.ResumeAt)
	require.Nil(t, m.Metadata)
	require.Contains(t, m.Message, "PROVIDER_UNAVAILABLE")
	require.Contains(t, m.Message, "gave up after 1m0s (--outage-grace)")
}

func TestRunSidecarFailureReturnsError(t *testing.T) {
	for _, code := range []codes.Code{
		codes.Internal, codes.Unknown, codes.ResourceExhausted, codes.InvalidArgument, codes.DataLoss,
	} {
		sidecar := fakesidecar.New(t)
		sidecar.OnRun = failWith(code)
		p, _ := newTestPlugin(t, sidecar.Start(t))
		m := p.Run(nil, metric)
		require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
		require.True(t, strings.HasPrefix(m.Message, "PROVIDER_ERROR "), m.Message)
		require.Contains(t, m.Message, "because of the test")
		require.NotNil(t, m.FinishedAt)
	}
}

func TestRunLongSidecarErrorIsRedactedAndTruncated(t *testing.T) {
	const secret = "a secret\nof two lines"
	sidecar := fakesidecar.New(t)
	for code, prefix := range map[codes.Code]string{codes.Unknown: "PROVIDER_ERROR", codes.Unavailable: "PROVIDER_UNAVAILABLE"} {
		sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
			return nil, fakesidecar.StatusError(code, secret+" Traceback:\n  é"+strings.Repeat("é", 1010-len(secret))+secret)
		}
		sidecar.Start(t)
		p, _ := newTestPlugin(t, sidecar)
		m := p.Run(runWithSecretArg(secret, "", "{}"), metric)
		require.True(t, strings.HasPrefix(m.Message, prefix), m.Message)
		require.Contains(t, m.Message, placeholder+" Traceback: é")
		require.LessOrEqual(t, utf8.RuneCountInString(m.Message), maxMessage)
		require.NotContains(t, m.Message, "\n")
		require.NotContains(t, m.Message, "secret")
		require.True(t, utf8.ValidString(m.Message))
		sidecar.Kill()
	}
}

func TestRunSidecarStartTimeIsUsedUnlessClockIsWrong(t *testing.T) {
	sidecar := fakesidecar.New(t)
	for ago, kept := range map[time.Duration]bool{50 * time.Second: true, -40 * time.Second: true, time.Hour: false, -time.Hour: false} {
		sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
			m := fakesidecar.Running(time.Second, nil)
			m.StartedAt = timestamppb.New(time.Now().Add(-ago))
			return m, nil
		}
		sidecar.Start(t)
		p, _ := newTestPlugin(t, sidecar)
		off := time.Since(p.Run(nil, metric).StartedAt.Time)
		if kept {
			require.InDelta(t, ago.Seconds(), off.Seconds(), 9)
		} else {
			require.InDelta(t, 0, off.Seconds(), 9)
		}
		sidecar.Kill()
	}
}

func TestRunSidecarDeadlineIsHalfASecondEarlier(t *testing.T) {
	sidecar := fakesidecar.New(t)
	var left time.Duration
	sidecar.OnRun = func(ctx context.Context, _ *contractv1.RunRequest) (*contractv1.Measurement, error) {
		deadline, _ := ctx.Deadline()
		left = time.Until(deadline)
		return fakesidecar.Finished(contractv1.Phase_PHASE_FAILED, ""), nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	p.options.RunTimeout = 15 * time.Second
	p.Run(nil, metric)
	require.LessOrEqual(t, left, 14510*time.Millisecond, "gRPC rounds the remaining time up")
	require.Greater(t, left, 10*time.Second)
}

func TestContractIsCheckedOncePerConnection(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	p, _ := newTestPlugin(t, sidecar)
	described := func() int { return len(fakesidecar.Received[*contractv1.DescribeRequest](sidecar, "Describe")) }
	var calls sync.WaitGroup
	for range 20 {
		calls.Go(func() { p.Run(nil, metric) })
	}
	calls.Wait()
	require.Equal(t, 1, described())
	require.Equal(t, "test", fakesidecar.Received[*contractv1.DescribeRequest](sidecar, "Describe")[0].GetClientVersion())

	sidecar.Kill()
	sidecar.Version = "2.0"
	sidecar.Start(t)
	require.Eventually(t, func() bool {
		return strings.Contains(p.Run(nil, metric).Message, "PROVIDER_INCOMPATIBLE")
	}, 30*time.Second, 50*time.Millisecond, "a replaced sidecar is checked again")
	sidecar.Kill()
	sidecar.Version = "1.7"
	sidecar.Start(t)
	require.Eventually(t, func() bool {
		return p.Run(nil, metric).Phase == v1alpha1.AnalysisPhaseSuccessful
	}, 30*time.Second, 50*time.Millisecond, "a newer minor version is compatible")
}

func TestResumeKeepsStartTime(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnResume = func(context.Context, *contractv1.ResumeRequest) (*contractv1.Measurement, error) {
		return fakesidecar.Running(3*time.Second, map[string]string{"k": "v2"}), nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	before := v1alpha1.Measurement{Phase: "Running", StartedAt: &metav1.Time{Time: noon}, Metadata: map[string]string{"k": "v"}}
	m := p.Resume(nil, metric, before)
	require.Equal(t, before.StartedAt, m.StartedAt)
	require.Equal(t, map[string]string{"k": "v2"}, m.Metadata)
	sent := fakesidecar.Received[*contractv1.ResumeRequest](sidecar, "Resume")[0].GetMeasurement()
	require.Equal(t, noon, sent.GetStartedAt().AsTime())
	require.Equal(t, before.Metadata, sent.GetMetadata())
}

func TestResumeAndTerminateFinishedMeasurementIsUnchanged(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	p, _ := newTestPlugin(t, sidecar)
	for _, phase := range []v1alpha1.AnalysisPhase{"Successful", "Failed", "Error", "Inconclusive"} {
		m := v1alpha1.Measurement{Phase: phase, Value: "1", Metadata: map[string]string{"k": "v"}}
		require.Equal(t, m, p.Resume(nil, metric, m))
		require.Equal(t, m, p.Terminate(nil, metric, m))
	}
	require.Empty(t, fakesidecar.Received[*contractv1.ResumeRequest](sidecar, "Resume"))
}

func TestTerminateReturnsInconclusiveAndNotifiesSidecar(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	p, _ := newTestPlugin(t, sidecar)
	before := v1alpha1.Measurement{Phase: "Running", StartedAt: &metav1.Time{Time: noon}, ResumeAt: &metav1.Time{Time: noon}}
	m := p.Terminate(nil, metric, before)
	require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, m.Phase)
	require.Equal(t, before.StartedAt, m.StartedAt)
	require.NotNil(t, m.FinishedAt)
	require.Nil(t, m.ResumeAt)
	require.Contains(t, m.Message, "TERMINATED")
	require.Eventually(t, func() bool {
		return len(fakesidecar.Received[*contractv1.TerminateRequest](sidecar, "Terminate")) == 1
	}, 30*time.Second, 10*time.Millisecond)
}

func TestNotificationsBeyondLimitAreDropped(t *testing.T) {
	p, log := newTestPlugin(t, fakesidecar.New(t))
	began := time.Now()
	for range 5 * maxPendingNotifications {
		require.False(t, p.GarbageCollect(nil, metric, 10).HasError())
		require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, p.Terminate(nil, metric, v1alpha1.Measurement{}).Phase)
	}
	require.Less(t, time.Since(began), 15*time.Second, "a call that waits for the sidecar takes 1.5 s")
	require.Eventually(t, func() bool { return strings.Contains(log.String(), "notification dropped") }, 30*time.Second, 10*time.Millisecond)
}

func TestGetMetadataSidecarUnavailableIsEmptyAndFailureIsError(t *testing.T) {
	sidecar := fakesidecar.New(t)
	p, _ := newTestPlugin(t, sidecar)
	require.Nil(t, p.GetMetadata(metric))
	sidecar.Start(t)
	require.Eventually(t, func() bool { return p.GetMetadata(metric)["ResolvedQuery"] == "m" }, 30*time.Second, 50*time.Millisecond)

	failing := fakesidecar.New(t)
	failing.OnMetadata = func(context.Context, *contractv1.GetMetadataRequest) (map[string]string, error) {
		return nil, fakesidecar.StatusError(codes.Internal, "oh")
	}
	p, _ = newTestPlugin(t, failing.Start(t))
	require.Contains(t, p.GetMetadata(metric)["error"], "PROVIDER_ERROR")
	require.Contains(t, p.GetMetadata(v1alpha1.Metric{})["error"], "BLOCK_INVALID provider.plugin")
}

func TestSecretInBlockIsNeverSentToSidecar(t *testing.T) {
	sidecar := fakesidecar.New(t).Start(t)
	p, log := newTestPlugin(t, sidecar)
	run := runWithSecretArg("p4ss", "", `{"query":"{{args.token}}"}`)
	resolved := metric.DeepCopy()
	resolved.Provider.Plugin["skywalking/metrics"] = json.RawMessage(`{"query":"p4ss"}`)
	running := v1alpha1.Measurement{Phase: "Running"}
	for _, m := range []v1alpha1.Measurement{p.Run(run, *resolved), p.Resume(run, *resolved, running)} {
		require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
		require.Contains(t, m.Message, "SECRET_IN_BLOCK metric m: argument token comes from a Secret. "+
			"Put credentials into a backend of the provider's configuration.")
	}
	require.Contains(t, p.GetMetadata(*resolved)["error"], "SECRET_IN_BLOCK")
	p.Terminate(run, *resolved, running)
	p.GarbageCollect(run, *resolved, 1)
	time.Sleep(100 * time.Millisecond) // a notification would have arrived
	for _, method := range []string{"Run", "Resume", "GetMetadata", "Terminate", "GarbageCollect"} {
		require.Empty(t, fakesidecar.Received[any](sidecar, method), method)
	}
	require.NotContains(t, log.String(), "p4ss")
}

func TestRunSidecarResponseIsRedacted(t *testing.T) {
	sidecar := fakesidecar.New(t)
	const secret = "long-s3cret"
	sidecar.OnRun = func(_ context.Context, r *contractv1.RunRequest) (*contractv1.Measurement, error) {
		if r.GetMetric().GetSuccessCondition() == "bad" {
			return nil, fakesidecar.StatusError(codes.Internal, "no "+secret)
		}
		m := fakesidecar.Running(time.Second, map[string]string{"k": secret})
		m.Value, m.Message = `{"v":"`+secret+`"}`, "got "+secret
		return m, nil
	}
	p, log := newTestPlugin(t, sidecar.Start(t))
	run := runWithSecretArg(secret, "", "{}")
	m := p.Run(run, metric)
	require.Equal(t, `{"v":"********"}`, m.Value)
	require.Equal(t, "got ********", m.Message)
	require.Equal(t, map[string]string{"k": "********"}, m.Metadata)
	bad := metric.DeepCopy()
	bad.SuccessCondition = "bad"
	require.Contains(t, p.Run(run, *bad).Message, "no ********")
	require.Contains(t, log.String(), "no ********")
	require.NotContains(t, log.String(), secret)
}

func TestPanicEndsOnlyTheMeasurement(t *testing.T) {
	p, log := newTestPlugin(t, fakesidecar.New(t).Start(t))
	client := p.sidecar.client
	p.sidecar.client = nil
	running := v1alpha1.Measurement{Phase: "Running", StartedAt: &metav1.Time{Time: noon}}
	for _, m := range []v1alpha1.Measurement{p.Run(nil, metric), p.Resume(nil, metric, running)} {
		require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
		require.Contains(t, m.Message, "BRIDGE_INTERNAL")
		require.NotNil(t, m.StartedAt)
		require.NotNil(t, m.FinishedAt)
	}
	require.Contains(t, p.GetMetadata(metric)["error"], "BRIDGE_INTERNAL GetMetadata")
	require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, p.Terminate(nil, metric, running).Phase)
	require.False(t, p.GarbageCollect(nil, metric, 1).HasError())
	require.Eventually(t, func() bool { return strings.Count(log.String(), `"@message":"panic"`) == 5 }, 30*time.Second, 10*time.Millisecond)
	for range maxPendingNotifications { // no notification is pending
		p.notifySlots <- struct{}{}
	}
	for range maxPendingNotifications {
		<-p.notifySlots
	}
	p.sidecar.client = client
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
}

// failWith returns a Run that fails with the code.
func failWith(code codes.Code) func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
	return func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		return nil, fakesidecar.StatusError(code, "because of the test.")
	}
}

// logBuffer is a log output that is safe for concurrent reads and writes.
type logBuffer struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
