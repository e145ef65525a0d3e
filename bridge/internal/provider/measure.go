package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

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
	if secret := p.secrets.inBlock(run, projected); secret != "" {
		return failed(started, p.now(), "SECRET_IN_BLOCK metric "+metric.Name+": "+secret+
			": credentials belong in a backend of the provider's configuration")
	}
	ctx, cancel := context.WithTimeout(context.Background(), p.options.RunTimeout-margin)
	defer cancel()
	reply, err := asked(ctx, projectRun(run), projected)
	if err != nil {
		return p.unanswered(metric, before, started, began, err)
	}
	// The sidecar measures from its own start, unless its clock is so far from ours that the grace would be wrong.
	if at, ok := instant(reply.GetStartedAt()); ok && before.StartedAt.IsZero() && at.Sub(began).Abs() < maxWait {
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
		return failed(started, now, "PROVIDER_ERROR the sidecar failed: "+p.sentence(err.Error()))
	}
	p.warn("the sidecar is away", "metric", metric.Name, "reason", out.code, "cause", out.cause)
	cause, until := p.sentence(out.cause), started.Add(p.options.OutageGrace)
	m := v1alpha1.Measurement{StartedAt: &metav1.Time{Time: started}}
	if now.Before(until) {
		m.Phase, m.Value, m.Metadata = v1alpha1.AnalysisPhaseRunning, before.Value, before.Metadata
		m.Message = fmt.Sprintf("%s %s · waiting until %s", out.code, cause, until.UTC().Format("15:04:05Z"))
		m.ResumeAt = wholeSecond(earlier(now.Add(pollAfter), until))
		return m
	}
	m.Phase, m.FinishedAt = v1alpha1.AnalysisPhaseInconclusive, &metav1.Time{Time: now}
	m.Message = fmt.Sprintf("%s %s · gave up after %s", out.code, cause, p.options.OutageGrace)
	return m
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
