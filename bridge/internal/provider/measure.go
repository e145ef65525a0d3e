package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Run begins a measurement.
func (p *Plugin) Run(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric) v1alpha1.Measurement {
	return p.measure(&call{Plugin: p, method: "Run", run: run, metric: metric})
}

// Resume goes on with a measurement that is not finished.
func (p *Plugin) Resume(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
) v1alpha1.Measurement {
	if before.Phase.Completed() {
		return before
	}
	return p.measure(&call{Plugin: p, method: "Resume", run: run, metric: metric, before: before})
}

// measure is the path of Run and Resume: refuse, ask in bounded time, mend, clean.
func (p *Plugin) measure(c *call) (m v1alpha1.Measurement) {
	ctx, cancel := context.WithTimeout(context.Background(), p.options.RunTimeout-margin)
	defer cancel()
	began := p.now()
	started := began
	if !c.before.StartedAt.IsZero() {
		started = c.before.StartedAt.Time
	}
	defer func() { c.secrets.clean(&m) }()
	defer c.recovered(func(sentence string) { m = failed(started, p.now(), sentence) })
	ask, err := c.prepared()
	if err != nil {
		return failed(started, p.now(), err.Error())
	}
	reply, err := ask(ctx)
	if err != nil {
		return c.unanswered(started, began, err)
	}
	// The sidecar measures from its own start, unless its clock is so far from ours that the grace would be wrong.
	if at, ok := instant(reply.GetStartedAt()); ok && c.before.StartedAt.IsZero() && at.Sub(began).Abs() < maxWait {
		started = at
	}
	m, mended := measurement(reply, started, p.now())
	if len(mended) > 0 {
		c.warn("mended an answer of the sidecar", "phase", m.Phase, "fields", mended)
	}
	return m
}

// unanswered is the measurement of a call that brought none. A sidecar that is away is waited for inside the grace;
// after it the rollout pauses (Inconclusive), it is never rolled back for our trouble.
func (c *call) unanswered(started, began time.Time, err error) v1alpha1.Measurement {
	now := c.now()
	code, cause := c.sidecar.outage(err, now.Sub(began))
	if code == "" {
		c.warn("the sidecar failed", "error", err)
		return failed(started, now, "PROVIDER_ERROR the sidecar failed: "+c.sentence(err.Error()))
	}
	c.warn("the sidecar is away", "reason", code, "cause", cause)
	until, story := started.Add(c.options.OutageGrace), code+" "+c.sentence(cause)
	m := v1alpha1.Measurement{StartedAt: &metav1.Time{Time: started}}
	if !now.Before(until) {
		m.Phase, m.FinishedAt = v1alpha1.AnalysisPhaseInconclusive, &metav1.Time{Time: now}
		m.Message = fmt.Sprintf("%s · gave up after %s", story, c.options.OutageGrace)
		return m
	}
	m.Phase, m.Value, m.Metadata = v1alpha1.AnalysisPhaseRunning, c.before.Value, c.before.Metadata
	m.Message = fmt.Sprintf("%s · waiting until %s", story, until.UTC().Format("15:04:05Z"))
	m.ResumeAt = wholeSecond(now.Add(min(pollAfter, until.Sub(now))))
	return m
}
