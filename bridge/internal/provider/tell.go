package provider

import (
	"context"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// maxTells bounds the calls in the background whose answer nobody waits for.
const maxTells = 16

// Terminate ends a measurement that nobody waits for any more. The answer is ours, whatever else happens: Successful
// would turn a step run that a user terminated into a passed step, Error would count against the rollout.
func (p *Plugin) Terminate(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
) (m v1alpha1.Measurement) {
	if before.Phase.Completed() {
		return before
	}
	now := metav1.NewTime(p.now())
	m = before
	if m.StartedAt.IsZero() {
		m.StartedAt = &now
	}
	m.Phase, m.FinishedAt, m.ResumeAt, m.Metadata = v1alpha1.AnalysisPhaseInconclusive, &now, nil, nil
	m.Message = "TERMINATED the analysis ended while this measurement was running"
	c := &call{Plugin: p, method: "Terminate", run: run, metric: metric, before: before}
	defer func() { c.secrets.clean(&m) }()
	defer c.recovered(func(sentence string) { m.Message = sentence })
	c.tell()
	return m
}

// GarbageCollect passes the news on and never fails: there is nothing of ours to collect, and an error would keep
// Argo from trimming its own list.
func (p *Plugin) GarbageCollect(run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, limit int) types.RpcError {
	c := &call{Plugin: p, method: "GarbageCollect", run: run, metric: metric, limit: limit}
	defer c.recovered(func(string) {})
	c.tell()
	return types.RpcError{}
}

// tell makes a call in the background whose answer nobody needs: bounded in time and in number.
func (c *call) tell() {
	ask, err := c.prepared()
	if err != nil {
		return
	}
	select {
	case c.tells <- struct{}{}:
	default:
		c.warn("too many calls in the background, not told")
		return
	}
	go func() {
		defer func() { <-c.tells }()
		defer c.recovered(func(string) {})
		ctx, cancel := context.WithTimeout(context.Background(), shortTimeout-margin)
		defer cancel()
		if _, err := ask(ctx); err != nil {
			c.warn("the sidecar was not told", "error", err)
		}
	}()
}
