package bench

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Questions is how the measurements of a load differ.
type Workload struct {
	// Shared: the same question of a service by all its runs. Otherwise every measurement has an entity and a window
	// that no other has, for the first 10 * Services * metrics.
	Shared bool `json:"shared"`
	// Services is how many are asked about.
	Services int `json:"services"`
	// Offset of the first question, so that a later load asks nothing again.
	Offset int `json:"offset"`
}

// kinds are the metrics of an analysis, one of each form of our block and one more that shares its read with another.
var metricKinds = []struct {
	name, metric, block, condition, builtIn string
}{
	{
		"success-rate", "service_sla", `"sli":"success-rate"`, "result >= 0.99",
		"all(result.service_sla.values.values, {.value >= 9900})",
	},
	{"apdex", "service_apdex", "", "all(result.service_apdex.values.values, {asFloat(.value) >= 9000})", ""},
	{
		"latency-p50", "service_percentile", `"sli":"latency","percentile":50`, "result <= 500",
		"all(result.service_percentile[0].values.values, {.value <= 5000})",
	},
	{
		"latency-p99", "service_percentile", `"sli":"latency","percentile":99`, "result <= 2000",
		"all(result.service_percentile[0].values.values, {.value <= 5000})",
	},
	{
		"response-time", "service_resp_time", `"expression":"service_resp_time"`, "all(result, {# <= 500})",
		"all(result.service_resp_time.values.values, {.value <= 500})",
	},
}

// question is one measurement: a metric of a service over some minutes.
type workItem struct {
	kind, service, minutes int
}

// at gives the question of a number. Numbers that follow each other are the metrics of one run.
func (w Workload) item(number int) workItem {
	number += w.Offset
	kind, run := number%len(metricKinds), number/len(metricKinds)
	if w.Shared {
		return workItem{kind, run % w.Services, 5}
	}
	minutes := 5 + run/w.Services%10
	if metricKinds[kind].name == "latency-p50" { // or it would share the read of latency-p99
		minutes += 10
	}
	return workItem{kind, run % w.Services, minutes}
}

// plugin is the question to our plugin.
func (i workItem) pluginMetric(name string) v1alpha1.Metric {
	kind := metricKinds[i.kind]
	metric := v1alpha1.Metric{Name: kind.name, SuccessCondition: kind.condition}
	block := fmt.Sprintf(`{%s,"window":"%dm","service":%q}`, kind.block, i.minutes, serviceName(i.service))
	if kind.block == "" {
		query, _ := json.Marshal(i.graphql())
		block = fmt.Sprintf(`{"interval":"%dm","query":%s}`, i.minutes, query)
	}
	metric.Provider.Plugin = map[string]json.RawMessage{name: json.RawMessage(block)}
	return metric
}

// builtIn is the same question to Argo's own provider.
func (i workItem) builtInMetric(address string) v1alpha1.Metric {
	kind := metricKinds[i.kind]
	condition := kind.builtIn
	if condition == "" {
		condition = kind.condition
	}
	metric := v1alpha1.Metric{Name: kind.name, SuccessCondition: condition}
	metric.Provider.SkyWalking = &v1alpha1.SkyWalkingMetric{
		Address: address, Query: i.graphql(), Interval: v1alpha1.DurationString(fmt.Sprintf("%dm", i.minutes)),
	}
	return metric
}

// query is the talk's, of any metric.
func (i workItem) graphql() string {
	metric, read, labels := metricKinds[i.kind].metric, "readMetricsValues", ""
	if metric == "service_percentile" {
		read, labels = "readLabeledMetricsValues", `labels: ["99"], `
	}
	return fmt.Sprintf(`query queryData($duration: Duration!) {
  %[1]s: %[2]s(
    condition: { name: %[1]q, entity: { scope: Service, serviceName: %[3]q, normal: true } },
    %[4]sduration: $duration) {
      label values { values { value } }
    }
}`, metric, read, serviceName(i.service), labels)
}

// analysisRun is a run of the size that a controller has: its metrics, their results so far, an hour old.
func analysisRun(number int, metrics []v1alpha1.Metric) *v1alpha1.AnalysisRun {
	hourAgo, yes := metav1.NewTime(time.Now().Add(-time.Hour)), true
	name := fmt.Sprintf("reviews-6c85f7bf4-%d", number)
	return &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "bookinfo", Name: name, UID: types.UID(name), CreationTimestamp: hourAgo,
			Labels:          map[string]string{"rollout-type": "Background", "rollouts-pod-template-hash": "6c85f7bf4"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Rollout", Name: "reviews", Controller: &yes}},
		},
		Spec:   v1alpha1.AnalysisRunSpec{Metrics: metrics},
		Status: v1alpha1.AnalysisRunStatus{Phase: v1alpha1.AnalysisPhaseRunning, StartedAt: &hourAgo},
	}
}

func serviceName(number int) string {
	return fmt.Sprintf("canary|svc-%04d|bookinfo|cluster-1|-", number)
}
