package provider

import (
	"context"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxPendingNotifications is the maximum number of background calls whose result is ignored.
const maxPendingNotifications = 16

// Terminate ends a measurement that Argo no longer needs. The result is Inconclusive whatever the sidecar returns:
// Successful would make a terminated step run a passed step, and Error would count against the rollout.
func (p *Plugin) Terminate(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, previous v1alpha1.Measurement,
) (m v1alpha1.Measurement) {
	if previous.Phase.Completed() {
		return previous
	}
	now := metav1.NewTime(p.now())
	m = previous
	if m.StartedAt.IsZero() {
		m.StartedAt = &now
	}
	m.Phase, m.FinishedAt, m.ResumeAt, m.Metadata = v1alpha1.AnalysisPhaseInconclusive, &now, nil, nil
	m.Message = "TERMINATED analysis ended while this measurement was running"
	r := &request{Plugin: p, method: "Terminate", run: run, metric: metric, previous: previous}
	defer boundMeasurement(&m)
	defer func() { r.redactor.redactMeasurement(&m) }()
	defer r.recoverPanic(func(message string) { m.Message = message })
	r.notifyAsync()
	return m
}

// GarbageCollect notifies the sidecar and never fails: the bridge stores no measurements, and an error would keep Argo
// from trimming its own list.
func (p *Plugin) GarbageCollect(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, limit int) types.RpcError {
	r := &request{Plugin: p, method: "GarbageCollect", run: run, metric: metric, limit: limit}
	defer r.recoverPanic(func(string) {})
	r.notifyAsync()
	return types.RpcError{}
}

// notifyAsync makes the sidecar call in the background and ignores its result. Such calls are bounded in time and number.
func (r *request) notifyAsync() {
	call, err := r.newSidecarCall()
	if err != nil {
		return
	}
	select {
	case r.notifySlots <- struct{}{}:
	default:
		r.warn("notification dropped: too many pending notifications", "limit", maxPendingNotifications)
		return
	}
	go func() {
		defer func() { <-r.notifySlots }()
		defer r.recoverPanic(func(string) {})
		ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-responseMargin)
		defer cancel()
		if _, err := call(ctx); err != nil {
			r.warn("notification failed", "error", err)
		}
	}()
}
