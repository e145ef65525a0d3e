// Package argooracle records what Argo Rollouts finds in the spec of an analysis template. The Python tests compare the
// validation of `skywalking-provider check` with these records.
package argooracle

import (
	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	analysisutil "github.com/argoproj/argo-rollouts/utils/analysis"
)

// Case is one spec of a template, and the values that a Rollout sets for its arguments.
type Case struct {
	Name string                        `json:"name"`
	Args []v1alpha1.Argument           `json:"args,omitempty"`
	Spec v1alpha1.AnalysisTemplateSpec `json:"spec"`
}

// Record is what Argo finds in one case. An empty text stands for no error.
type Record struct {
	Name string `json:"name"`
	// Run is the error of the run's creation: duplicate rules, and arguments without a value.
	Run string `json:"run"`
	// Metrics is the error of ValidateMetrics.
	Metrics string `json:"metrics"`
	// DryRun and Retention are the errors of the rules for metric names.
	DryRun    string `json:"dryRun"`
	Retention string `json:"retention"`
	// DryRunMetrics has the names of the metrics that Argo does not count.
	DryRunMetrics []string `json:"dryRunMetrics"`
	// Indefinite has the names of the metrics that run until the analysis ends.
	Indefinite []string `json:"indefinite"`
}

// Observe applies Argo's functions to a case.
func Observe(one Case) Record {
	spec := one.Spec
	record := Record{Name: one.Name, DryRunMetrics: []string{}, Indefinite: []string{}}
	templates := []*v1alpha1.AnalysisTemplate{{Spec: spec}}
	_, err := analysisutil.NewAnalysisRunFromTemplates(templates, nil, one.Args, nil, nil, nil, nil, "run", "", "default")
	record.Run = text(err)
	record.Metrics = text(analysisutil.ValidateMetrics(spec.Metrics))
	dryRun, err := analysisutil.GetDryRunMetrics(spec.DryRun, spec.Metrics)
	record.DryRun = text(err)
	_, err = analysisutil.GetMeasurementRetentionMetrics(spec.MeasurementRetention, spec.Metrics)
	record.Retention = text(err)
	for _, metric := range spec.Metrics {
		if dryRun[metric.Name] {
			record.DryRunMetrics = append(record.DryRunMetrics, metric.Name)
		}
		if metric.EffectiveCount() == nil {
			record.Indefinite = append(record.Indefinite, metric.Name)
		}
	}
	return record
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
