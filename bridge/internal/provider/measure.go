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
	return p.measure(&request{Plugin: p, method: "Run", run: run, metric: metric})
}

// Resume goes on with a measurement that is not finished.
func (p *Plugin) Resume(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, previous v1alpha1.Measurement,
) v1alpha1.Measurement {
	if previous.Phase.Completed() {
		return previous
	}
	return p.measure(&request{Plugin: p, method: "Resume", run: run, metric: metric, previous: previous})
}

// measure is the path of Run and Resume: refuse, ask in bounded time, mend, clean.
func (p *Plugin) measure(c *request) (m v1alpha1.Measurement) {
	ctx, cancel := context.WithTimeout(context.Background(), p.options.RunTimeout-responseMargin)
	defer cancel()
	began := p.now()
	started := began
	if !c.previous.StartedAt.IsZero() {
		started = c.previous.StartedAt.Time
	}
	defer func() { c.redactor.redactMeasurement(&m) }()
	defer c.recoverPanic(func(message string) { m = errorMeasurement(started, p.now(), message) })
	call, err := c.newSidecarCall()
	if err != nil {
		return errorMeasurement(started, p.now(), err.Error())
	}
	response, err := call(ctx)
	if err != nil {
		return c.onSidecarError(started, began, err)
	}
	// The sidecar measures from its own start, unless its clock is so far from ours that the grace would be wrong.
	if at, ok := validTime(response.GetStartedAt()); ok && c.previous.StartedAt.IsZero() && at.Sub(began).Abs() < maxResumeDelay {
		started = at
	}
	m, repaired := convertMeasurement(response, started, p.now())
	if len(repaired) > 0 {
		c.warn("mended an answer of the sidecar", "phase", m.Phase, "fields", repaired)
	}
	return m
}

// unanswered is the measurement of a call that brought none. A sidecar that is away is waited for inside the grace;
// after it the rollout pauses (Inconclusive), it is never rolled back for our trouble.
func (c *request) onSidecarError(started, began time.Time, err error) v1alpha1.Measurement {
	now := c.now()
	code, cause := c.sidecar.classifyError(err, now.Sub(began))
	if code == "" {
		c.warn("the sidecar failed", "error", err)
		return errorMeasurement(started, now, "PROVIDER_ERROR the sidecar failed: "+c.redactAndTruncate(err.Error()))
	}
	c.warn("the sidecar is away", "reason", code, "cause", cause)
	deadline, reason := started.Add(c.options.OutageGrace), code+" "+c.redactAndTruncate(cause)
	m := v1alpha1.Measurement{StartedAt: &metav1.Time{Time: started}}
	if !now.Before(deadline) {
		m.Phase, m.FinishedAt = v1alpha1.AnalysisPhaseInconclusive, &metav1.Time{Time: now}
		m.Message = fmt.Sprintf("%s · gave up after %s", reason, c.options.OutageGrace)
		return m
	}
	m.Phase, m.Value, m.Metadata = v1alpha1.AnalysisPhaseRunning, c.previous.Value, c.previous.Metadata
	m.Message = fmt.Sprintf("%s · waiting until %s", reason, deadline.UTC().Format("15:04:05Z"))
	m.ResumeAt = ceilSecond(now.Add(min(defaultResumeDelay, deadline.Sub(now))))
	return m
}
