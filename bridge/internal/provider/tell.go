package provider

import (
	"context"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/argoproj/argo-rollouts/utils/plugin/types"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	contractv1 "github.com/skywalking-provider/rollouts-plugin-metric-skywalking/bridge/contract/v1"
)

// maxTells bounds the calls in the background whose answer nobody waits for.
const maxTells = 16

// Terminate ends a measurement that nobody waits for any more. The answer is ours: Successful would turn a step run
// that a user terminated into a passed step.
func (p *Plugin) Terminate(
	run *v1alpha1.AnalysisRun, metric v1alpha1.Metric, before v1alpha1.Measurement,
) (m v1alpha1.Measurement) {
	if before.Phase.Completed() {
		return before
	}
	now := metav1.NewTime(p.now())
	defer func() {
		if bug := recover(); bug != nil {
			m = failed(now.Time, now.Time, p.bug("Terminate", bug))
		}
	}()
	m = before
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
	if err != nil || p.secrets.inBlock(run, projected) != "" {
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
