package provider

import (
	"context"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxTells bounds the calls in the background whose answer nobody waits for.
const maxPendingNotifications = 16

// Terminate ends a measurement that nobody waits for any more. The answer is ours, whatever else happens: Successful
// would turn a step run that a user terminated into a passed step, Error would count against the rollout.
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
	m.Message = "TERMINATED the analysis ended while this measurement was running"
	c := &request{Plugin: p, method: "Terminate", run: run, metric: metric, previous: previous}
	defer func() { c.redactor.redactMeasurement(&m) }()
	defer c.recoverPanic(func(message string) { m.Message = message })
	c.notifyAsync()
	return m
}

// GarbageCollect passes the news on and never fails: there is nothing of ours to collect, and an error would keep
// Argo from trimming its own list.
func (p *Plugin) GarbageCollect(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, limit int) types.RpcError {
	c := &request{Plugin: p, method: "GarbageCollect", run: run, metric: metric, limit: limit}
	defer c.recoverPanic(func(string) {})
	c.notifyAsync()
	return types.RpcError{}
}

// tell makes a call in the background whose answer nobody needs: bounded in time and in number.
func (c *request) notifyAsync() {
	call, err := c.newSidecarCall()
	if err != nil {
		return
	}
	select {
	case c.notifySlots <- struct{}{}:
	default:
		c.warn("too many calls in the background, not told")
		return
	}
	go func() {
		defer func() { <-c.notifySlots }()
		defer c.recoverPanic(func(string) {})
		ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-responseMargin)
		defer cancel()
		if _, err := call(ctx); err != nil {
			c.warn("the sidecar was not told", "error", err)
		}
	}()
}
