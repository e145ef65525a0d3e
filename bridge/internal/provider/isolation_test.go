package provider

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
	"github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/internal/fakesidecar"
)

// metricWithBlock returns the metric "m" with this block.
func metricWithBlock(block string) v1alpha1.Metric {
	m := *metric.DeepCopy()
	m.Provider.Plugin["skywalking/metrics"] = json.RawMessage(block)
	return m
}

func TestSecretsDoNotAffectOtherNamespaces(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		m := fakesidecar.Running(time.Second, map[string]string{"sent": "readMetricsValues"})
		m.Value, m.Message = `{"value":10000}`, "readMetricsValues returned 10000"
		return m, nil
	}
	sidecar.OnMetadata = func(_ context.Context, r *contractv1.GetMetadataRequest) (map[string]string, error) {
		return map[string]string{"query": string(r.GetMetric().GetBlock())}, nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	const block = `{"query":"readMetricsValues"}`
	run, otherRun := &v1alpha1.AnalysisRun{}, runWithSecretArg("readMetricsValues", "", block)
	run.Namespace, otherRun.Namespace = "b", "a"
	otherRun.Spec.Args = append(otherRun.Spec.Args, runWithSecretArg("10000", "", "").Spec.Args[0])
	for range 2 {
		m := p.Run(otherRun, metricWithBlock("{}"))
		require.Equal(t, `"********"`, m.Value)
		require.Equal(t, "******** returned ********", m.Message)
		require.Equal(t, map[string]string{"sent": placeholder}, m.Metadata)
		require.Contains(t, p.Run(otherRun, metricWithBlock(block)).Message, "SECRET_IN_BLOCK")
		require.Contains(t, p.GetMetadata(metricWithBlock(block))["error"], "SECRET_IN_BLOCK")

		m = p.Run(run, metricWithBlock(block))
		require.Equal(t, v1alpha1.AnalysisPhaseRunning, m.Phase)
		require.Equal(t, `{"value":10000}`, m.Value)
		require.Equal(t, "readMetricsValues returned 10000", m.Message)
		require.Equal(t, map[string]string{"sent": "readMetricsValues"}, m.Metadata)
		require.Equal(t, map[string]string{"query": block}, p.GetMetadata(metricWithBlock(block)))
	}
}

func TestGetMetadataSameMetricIsCached(t *testing.T) {
	sidecar := fakesidecar.New(t)
	var requests atomic.Int64
	var failing atomic.Bool
	sidecar.OnMetadata = func(_ context.Context, r *contractv1.GetMetadataRequest) (map[string]string, error) {
		if failing.Load() {
			return nil, status.Error(codes.Internal, "a bug")
		}
		return map[string]string{"query": string(r.GetMetric().GetBlock()), "requests": fmt.Sprint(requests.Add(1))}, nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	for range 3 {
		require.Equal(t, map[string]string{"query": `{"query":"a"}`, "requests": "1"}, p.GetMetadata(metricWithBlock(`{"query":"a"}`)))
	}
	require.Equal(t, map[string]string{"query": `{"query":"b"}`, "requests": "2"}, p.GetMetadata(metricWithBlock(`{"query":"b"}`)))
	failing.Store(true)
	require.Contains(t, p.GetMetadata(metricWithBlock(`{"query":"c"}`))["error"], "PROVIDER_ERROR")
	failing.Store(false)
	require.Equal(t, "3", p.GetMetadata(metricWithBlock(`{"query":"c"}`))["requests"], "a failure is not cached")
}

func TestGuessedSecretIsNotConfirmed(t *testing.T) {
	p, log := newTestPlugin(t, fakesidecar.New(t).Start(t))
	const secret = "correct-horse-battery"
	victim := runWithSecretArg(secret, "", `{"query":"{{args.token}}"}`)
	requireRejected := func() {
		require.Contains(t, p.Run(victim, metricWithBlock(`{"query":"`+secret+`"}`)).Message, "SECRET_IN_BLOCK")
		require.Contains(t, p.GetMetadata(metricWithBlock(`{"query":"` + secret + `"}`))["error"], "SECRET_IN_BLOCK")
	}
	observe := func(guess string) string {
		requireRejected()
		guesser := &v1alpha1.AnalysisRun{ObjectMeta: metav1.ObjectMeta{Namespace: "guesser"}}
		block := metricWithBlock(`{"query":"` + guess + `"}`)
		m := p.Run(guesser, block)
		m.StartedAt, m.FinishedAt = nil, nil
		all := fmt.Sprint(m, p.GetMetadata(block), p.Terminate(guesser, block, v1alpha1.Measurement{}).Message)
		return strings.ReplaceAll(all, guess, "GUESS")
	}
	require.Equal(t, observe("wrong-horse-battery"), observe(secret))
	requireRejected() // the victim's own metric is still rejected
	require.NotContains(t, log.String(), secret)
}

func TestManyAndLongSecretsMeetDeadline(t *testing.T) {
	sidecar := fakesidecar.New(t)
	var secrets [maxSecrets]string
	for i := range secrets {
		// Each secret differs in every encoding, and the secrets differ only at their end.
		secrets[i] = strings.Repeat("<é\"", 300)[:maxSecretBytes/maxSecrets-20] + fmt.Sprintf(">\n&é %02d", i)
	}
	sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		value, err := json.Marshal(strings.Repeat(secrets[7][:900], 300) + secrets[7])
		m := fakesidecar.Finished(contractv1.Phase_PHASE_SUCCESSFUL, string(value))
		m.Message = secrets[9]
		return m, err
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	p.options.RunTimeout = 2 * time.Minute // it takes a second, and ten times as long with -race on a busy machine
	timed := func(what string, call func()) {
		began := time.Now()
		call()
		t.Log(what, time.Since(began).Round(time.Millisecond))
		require.Less(t, time.Since(began), p.options.RunTimeout, what)
	}

	maximum := &v1alpha1.AnalysisRun{}
	for i := range secrets {
		maximum.Spec.Args = append(maximum.Spec.Args, runWithSecretArg(secrets[i], "", "").Spec.Args[0])
	}
	timed("maximum number of secrets, large response", func() {
		m := p.Run(maximum, metric)
		require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, m.Phase, m.Message)
		require.Equal(t, placeholder, m.Message)
		require.True(t, strings.HasSuffix(m.Value, placeholder+`"`))
	})

	tooMany := runWithSecretArg("", "", "{}")
	for i := range 30 {
		value := strings.Repeat("x", 100<<10) + fmt.Sprint(i)
		tooMany.Spec.Args = append(tooMany.Spec.Args, runWithSecretArg(value, "", "").Spec.Args[0])
	}
	running := v1alpha1.Measurement{Phase: "Running", StartedAt: &metav1.Time{Time: noon}}
	timed("30 secrets of 100 KB", func() {
		for _, m := range []v1alpha1.Measurement{p.Run(tooMany, metric), p.Resume(tooMany, metric, running)} {
			require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
			require.Contains(t, m.Message, "SECRETS_TOO_LARGE spec.args: 31 values of 30720")
		}
		require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, p.Terminate(tooMany, metric, running).Phase)
		require.False(t, p.GarbageCollect(tooMany, metric, 1).HasError())
	})
	require.Len(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"), 1)
	require.Equal(t, v1alpha1.AnalysisPhaseSuccessful, p.Run(nil, metric).Phase)
}

func TestContractCheckConnectionEndsMeanwhileResultIsDropped(t *testing.T) {
	sidecar := fakesidecar.New(t)
	var replaced sync.Once
	sidecar.OnDescribe = func(response *contractv1.DescribeResponse) error {
		replaced.Do(func() { // another sidecar replaces this one while it returns 1.0
			sidecar.Kill()
			sidecar.Start(t)
			response.ContractVersion = "1.0"
		})
		return nil
	}
	sidecar.Version = "2.0"
	p, _ := newTestPlugin(t, sidecar.Start(t))
	require.Eventually(t, func() bool { return strings.HasPrefix(p.Run(nil, metric).Message, "PROVIDER_INCOMPATIBLE") },
		30*time.Second, 50*time.Millisecond)
	require.Empty(t, fakesidecar.Received[*contractv1.RunRequest](sidecar, "Run"))
}

func TestTerminatePanicReturnsInconclusiveAndRedacts(t *testing.T) {
	p, log := newTestPlugin(t, fakesidecar.New(t).Start(t))
	p.rejectedMetrics = nil
	before := v1alpha1.Measurement{Phase: "Running", StartedAt: &metav1.Time{Time: noon}, Value: `"the-secret"`}
	m := p.Terminate(runWithSecretArg("the-secret", "", "{}"), metric, before)
	require.Equal(t, v1alpha1.AnalysisPhaseInconclusive, m.Phase)
	require.Contains(t, m.Message, "BRIDGE_INTERNAL Terminate failed in the bridge")
	require.Equal(t, `"********"`, m.Value)
	require.Equal(t, before.StartedAt, m.StartedAt)
	require.NotNil(t, m.FinishedAt)
	require.Nil(t, m.ResumeAt)
	require.False(t, p.GarbageCollect(nil, metric, 1).HasError())
	require.Equal(t, 2, strings.Count(log.String(), `"@message":"panic"`))
	require.NotContains(t, log.String(), "the-secret")
}

func TestLargeMetricIsNotSentAndItsSizeIsNamed(t *testing.T) {
	sidecar := fakesidecar.New(t)
	sidecar.OnRun = func(context.Context, *contractv1.RunRequest) (*contractv1.Measurement, error) {
		t.Error("sent")
		return nil, nil
	}
	p, _ := newTestPlugin(t, sidecar.Start(t))
	large := metricWithBlock(`{"query":"` + strings.Repeat("x", 64<<10) + `"}`)
	for _, m := range []v1alpha1.Measurement{p.Run(nil, large), p.Resume(nil, large, v1alpha1.Measurement{})} {
		require.Equal(t, v1alpha1.AnalysisPhaseError, m.Phase)
		require.Contains(t, m.Message, "BLOCK_INVALID metric has 65")
		require.Contains(t, m.Message, "at most 65536 are allowed")
	}
	require.Contains(t, p.GetMetadata(large)["error"], "BLOCK_INVALID metric has")
}
