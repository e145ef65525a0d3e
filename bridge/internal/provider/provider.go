// Package provider answers the calls of Argo's metric plugin interface out of a sidecar that serves the contract.
//
// Argo sets no deadline on a plugin call, recovers no panic, and waits for ever on an answer that is neither
// finished nor to be resumed. So every call here ends in time, with an answer that Argo can go on with.
package provider

import (
	"context"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/argoproj/argo-rollouts/metricproviders/plugin/rpc"
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	"github.com/hashicorp/go-hclog"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

const (
	// margin is what the sidecar gets less than the bridge has, to answer in its stead.
	margin = 500 * time.Millisecond
	// shortTimeout is the deadline of the calls that measure nothing.
	shortTimeout = 2 * time.Second
	// maxTells bounds the calls in the background whose answer nobody waits for.
	maxTells = 16
)

// Options of the bridge, from its command line.
type Options struct {
	// Target is the gRPC target of the sidecar.
	Target string
	// OutageGrace is how long a measurement waits for a sidecar that is away, counted from its start.
	OutageGrace time.Duration
	// RunTimeout is the deadline of Run and Resume.
	RunTimeout time.Duration
	// Version of the bridge, told to the sidecar.
	Version string
}

// Plugin implements Argo's MetricProviderPlugin. Its methods are called concurrently.
type Plugin struct {
	options Options
	sidecar *sidecar
	secrets *secrets
	log     hclog.Logger
	tells   chan struct{}
	now     func() time.Time
}

var _ rpc.MetricProviderPlugin = (*Plugin)(nil)

// New gives a plugin that has not touched the network.
func New(options Options, log hclog.Logger) (*Plugin, error) {
	sidecar, err := newSidecar(options.Target, options.Version)
	if err != nil {
		return nil, err
	}
	return &Plugin{
		options: options, sidecar: sidecar, secrets: newSecrets(), log: log,
		tells: make(chan struct{}, maxTells), now: time.Now,
	}, nil
}

// Close ends the connection to the sidecar.
func (p *Plugin) Close() error { return p.sidecar.conn.Close() }

// InitPlugin returns at once: it runs under a lock that all metric plugins of the controller share.
func (p *Plugin) InitPlugin() types.RpcError {
	p.log.Info("started", "version", p.options.Version, "sidecar", p.options.Target)
	return types.RpcError{}
}

// Type names the provider.
func (p *Plugin) Type() string { return "SkyWalking" }

// Run begins a measurement.
func (p *Plugin) Run(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric) v1alpha1.Measurement {
	return p.measure("Run", run, metric, v1alpha1.Measurement{},
		func(ctx context.Context, run *contractv1.Run, metric *contractv1.Metric) (*contractv1.Measurement, error) {
			return ask(ctx, p.sidecar, p.sidecar.client.Run, &contractv1.RunRequest{Run: run, Metric: metric})
		})
}

// Resume goes on with a measurement that is not finished.
func (p *Plugin) Resume(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
) v1alpha1.Measurement {
	if before.Phase.Completed() {
		return before
	}
	return p.measure("Resume", run, metric, before,
		func(ctx context.Context, run *contractv1.Run, metric *contractv1.Metric) (*contractv1.Measurement, error) {
			return ask(ctx, p.sidecar, p.sidecar.client.Resume,
				&contractv1.ResumeRequest{Run: run, Metric: metric, Measurement: projectMeasurement(before)})
		})
}

// measure is the path of Run and Resume: refuse, ask in bounded time, mend, clean.
func (p *Plugin) measure(
	method string, run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
	asked func(context.Context, *contractv1.Run, *contractv1.Metric) (*contractv1.Measurement, error),
) (m v1alpha1.Measurement) {
	began := p.now()
	started := began
	if !before.StartedAt.IsZero() {
		started = before.StartedAt.Time
	}
	defer func() {
		if bug := recover(); bug != nil {
			m = failed(started, p.now(), p.bug(method, bug))
		}
		p.secrets.clean(&m)
	}()
	p.secrets.remember(run)
	projected, err := projectMetric(metric)
	if err != nil {
		return failed(started, p.now(), err.Error())
	}
	if secret := p.secrets.inBlock(run, metric); secret != "" {
		return failed(started, p.now(), "SECRET_IN_BLOCK metric "+metric.Name+": "+secret+
			": credentials belong in a backend of the provider's configuration")
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.options.RunTimeout-margin)
	defer cancel()
	reply, err := asked(ctx, projectRun(run), projected)
	if err != nil {
		return p.unanswered(metric, before, started, began, err)
	}
	if at, ok := instant(reply.GetStartedAt()); ok && before.StartedAt.IsZero() {
		started = at
	}
	m, mended := measurement(reply, started, p.now())
	if len(mended) > 0 {
		p.warn("mended an answer of the sidecar", "metric", metric.Name, "phase", m.Phase, "fields", mended)
	}
	return m
}

// unanswered is the measurement of a call that brought none. A sidecar that is away is waited for inside the grace;
// after it the rollout pauses (Inconclusive), it is never rolled back for our trouble.
func (p *Plugin) unanswered(
	metric v1alpha1.Metric, before v1alpha1.Measurement, started, began time.Time, err error,
) v1alpha1.Measurement {
	now := p.now()
	out, away := p.sidecar.outage(err, now.Sub(began))
	if !away {
		p.warn("the sidecar failed", "metric", metric.Name, "error", err)
		return failed(started, now, "PROVIDER_ERROR the sidecar failed: "+err.Error())
	}
	p.warn("the sidecar is away", "metric", metric.Name, "reason", out.code, "cause", out.cause)
	until := started.Add(p.options.OutageGrace)
	m := v1alpha1.Measurement{StartedAt: &metav1.Time{Time: started}}
	if now.Before(until) {
		m.Phase, m.Value, m.Metadata = v1alpha1.AnalysisPhaseRunning, before.Value, before.Metadata
		m.Message = fmt.Sprintf("%s %s · waiting until %s", out.code, out.cause, until.UTC().Format("15:04:05Z"))
		m.ResumeAt = wholeSecond(earlier(now.Add(pollAfter), until))
		return m
	}
	m.Phase, m.FinishedAt = v1alpha1.AnalysisPhaseInconclusive, &metav1.Time{Time: now}
	m.Message = fmt.Sprintf("%s %s · gave up after %s", out.code, out.cause, p.options.OutageGrace)
	return m
}

// Terminate ends a measurement that nobody waits for any more. The answer is ours: Successful would turn a step run
// that a user terminated into a passed step.
func (p *Plugin) Terminate(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
) v1alpha1.Measurement {
	if before.Phase.Completed() {
		return before
	}
	m := before
	now := metav1.NewTime(p.now())
	if m.StartedAt.IsZero() {
		m.StartedAt = &now
	}
	m.Phase, m.FinishedAt, m.ResumeAt, m.Metadata = v1alpha1.AnalysisPhaseInconclusive, &now, nil, nil
	m.Message = "TERMINATED the analysis ended while this measurement was running"
	p.tell("Terminate", run, metric, func(ctx context.Context, run *contractv1.Run, metric *contractv1.Metric) error {
		_, err := ask(ctx, p.sidecar, p.sidecar.client.Terminate,
			&contractv1.TerminateRequest{Run: run, Metric: metric, Measurement: projectMeasurement(before)})
		return err
	})
	p.secrets.clean(&m)
	return m
}

// GarbageCollect passes the news on and never fails: there is nothing of ours to collect, and an error would keep
// Argo from trimming its own list.
func (p *Plugin) GarbageCollect(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, limit int) types.RpcError {
	p.tell("GarbageCollect", run, metric, func(ctx context.Context, run *contractv1.Run, metric *contractv1.Metric) error {
		_, err := ask(ctx, p.sidecar, p.sidecar.client.GarbageCollect,
			&contractv1.GarbageCollectRequest{Run: run, Metric: metric, Limit: int32(min(limit, 1<<30))})
		return err
	})
	return types.RpcError{}
}

// GetMetadata explains a metric. Argo asks once per run, right after the first Run; while the sidecar is away there
// is nothing to say.
func (p *Plugin) GetMetadata(metric v1alpha1.Metric) (metadata map[string]string) {
	began := p.now()
	defer func() {
		if bug := recover(); bug != nil {
			metadata = map[string]string{"error": p.bug("GetMetadata", bug)}
		}
		metadata = p.secrets.metadata(metadata)
	}()
	projected, err := projectMetric(metric)
	if err != nil {
		return map[string]string{"error": err.Error()}
	}
	if secret := p.secrets.inBlock(nil, metric); secret != "" {
		return map[string]string{"error": "SECRET_IN_BLOCK " + secret +
			": credentials belong in a backend of the provider's configuration"}
	}
	ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-margin)
	defer cancel()
	reply, err := ask(ctx, p.sidecar, p.sidecar.client.GetMetadata, &contractv1.GetMetadataRequest{Metric: projected})
	if err != nil {
		p.warn("no metadata", "metric", metric.Name, "error", err)
		if _, away := p.sidecar.outage(err, p.now().Sub(began)); away {
			return nil
		}
		return map[string]string{"error": "PROVIDER_ERROR the sidecar failed: " + err.Error()}
	}
	return reply.GetMetadata()
}

// tell makes a call in the background whose answer nobody needs: bounded in time and in number.
func (p *Plugin) tell(
	method string, run *v1alpha1.AnalysisRun, metric v1alpha1.Metric,
	told func(context.Context, *contractv1.Run, *contractv1.Metric) error,
) {
	defer func() {
		if bug := recover(); bug != nil {
			p.bug(method, bug)
		}
	}()
	p.secrets.remember(run)
	projected, err := projectMetric(metric)
	if err != nil || p.secrets.inBlock(run, metric) != "" {
		return
	}
	select {
	case p.tells <- struct{}{}:
	default:
		p.warn("too many calls in the background, not told", "method", method, "metric", metric.Name)
		return
	}
	projectedRun := projectRun(run)
	go func() {
		defer func() {
			if bug := recover(); bug != nil {
				p.bug(method, bug)
			}
			<-p.tells
		}()
		ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-margin)
		defer cancel()
		if err := told(ctx, projectedRun, projected); err != nil {
			p.warn("the sidecar was not told", "method", method, "metric", metric.Name, "error", err)
		}
	}()
}

// bug logs a panic and gives its sentence.
func (p *Plugin) bug(method string, bug any) string {
	p.warn("panic", "method", method, "panic", bug, "stack", string(debug.Stack()))
	return fmt.Sprintf("BRIDGE_BUG %s failed inside the bridge: %v; please report it with the controller's log", method, bug)
}

// warn logs without secrets. Argo does not redact what plugins write.
func (p *Plugin) warn(message string, args ...any) {
	for i, arg := range args {
		args[i] = p.secrets.text(fmt.Sprint(arg))
	}
	p.log.Warn(message, args...)
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
