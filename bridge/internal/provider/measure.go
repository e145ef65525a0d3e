package provider

import (
	"context"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// Run starts a measurement.
func (p *Plugin) Run(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric) v1alpha1.Measurement {
	return p.measure(&request{Plugin: p, method: "Run", run: run, metric: metric})
}

// Resume continues an unfinished measurement and returns a finished one unchanged.
func (p *Plugin) Resume(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, previous v1alpha1.Measurement,
) v1alpha1.Measurement {
	if previous.Phase.Completed() {
		return previous
	}
	return p.measure(&request{Plugin: p, method: "Resume", run: run, metric: metric, previous: previous})
}

// measure implements Run and Resume: reject secrets, call the sidecar before the deadline, repair its response, redact and
// bound it.
func (p *Plugin) measure(r *request) (m v1alpha1.Measurement) {
	ctx, cancel := context.WithTimeout(context.Background(), p.options.RunTimeout-responseMargin)
	defer cancel()
	began := p.now()
	started := began
	if !r.previous.StartedAt.IsZero() {
		started = r.previous.StartedAt.Time
	}
	defer boundMeasurement(&m)
	defer func() { r.redactor.redactMeasurement(&m) }()
	defer r.recoverPanic(func(message string) { m = errorMeasurement(started, p.now(), message) })
	call, err := r.newSidecarCall()
	if err != nil {
		return errorMeasurement(started, p.now(), err.Error())
	}
	response, err := call(ctx)
	if err != nil {
		return r.onSidecarError(started, began, err)
	}
	// The sidecar's start time is used unless its clock is so far off that the outage grace would be wrong.
	if at, ok := validTime(response.GetStartedAt()); ok && r.previous.StartedAt.IsZero() && at.Sub(began).Abs() < maxResumeDelay {
		started = at
	}
	m, repaired := convertMeasurement(response, started, p.now())
	if len(repaired) > 0 {
		r.warn("sidecar response repaired", "phase", m.Phase, "fields", repaired)
	}
	return m
}

// onSidecarError returns the measurement of a failed call. While the sidecar is unavailable, the measurement waits until
// the outage grace ends and is then Inconclusive: the rollout pauses, because an outage must not abort it.
func (r *request) onSidecarError(started, began time.Time, err error) v1alpha1.Measurement {
	now := r.now()
	code, cause := r.sidecar.classifyError(err, now.Sub(began))
	if code == "" {
		r.warn("sidecar call failed", "error", err)
		return errorMeasurement(started, now, r.internalError(err))
	}
	r.warn("sidecar unavailable", "reason", code, "cause", cause)
	deadline, reason := started.Add(r.options.OutageGrace), code+" "+r.redactAndTruncate(cause)
	m := v1alpha1.Measurement{StartedAt: &metav1.Time{Time: started}}
	if !now.Before(deadline) {
		m.Phase, m.FinishedAt = v1alpha1.AnalysisPhaseInconclusive, &metav1.Time{Time: now}
		m.Message = fmt.Sprintf("%s · gave up after %s (--outage-grace)", reason, r.options.OutageGrace)
		return m
	}
	m.Phase, m.Value, m.Metadata = v1alpha1.AnalysisPhaseRunning, r.previous.Value, r.previous.Metadata
	m.Message = fmt.Sprintf("%s · waiting until %s", reason, deadline.UTC().Format("15:04:05Z"))
	m.ResumeAt = ceilSecond(now.Add(min(defaultResumeDelay, deadline.Sub(now))))
	return m
}
