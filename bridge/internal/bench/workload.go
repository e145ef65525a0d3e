package bench

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// Workload describes how the measurements of a load differ.
type Workload struct {
	// Shared makes all runs of a service use the same query. Otherwise the first 10 * Services * metrics measurements all
	// differ in entity or window.
	Shared bool `json:"shared"`
	// Services is the number of services measured.
	Services int `json:"services"`
	// Offset is the number of the first item, so that a later load repeats no query.
	Offset int `json:"offset"`
	// Judged selects the metrics that compare canary and stable by hash, over the minutes since the start of each run.
	Judged bool `json:"judged"`
	// StaggerMinutes is the time between the starts of the runs of a service; the first of them started an hour ago.
	StaggerMinutes int `json:"staggerMinutes"`
}

// metricKinds are the metrics of an analysis. They cover every query type of the block, and two of them share a read.
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

// judgedBlocks are the metrics of an analysis that judges. Those of one indicator share their reads.
var judgedBlocks = []struct{ name, block string }{
	{"success-rate", `"sli":"success-rate",` + compareStable + `}`},
	{"success-rate-wide", `"sli":"success-rate",` + compareStable + `,"harmful":{"ratio":3,"difference":0.05}}`},
	{"latency", `"sli":"latency",` + compareStable + `}`},
	{"latency-sure", `"sli":"latency",` + compareStable + `},"confidence":{"worse":0.99}`},
	{"objective", `"sli":"success-rate","objective":0.98`},
}

// compareStable is the begin of the key that compares the canary with stable.
const compareStable = `"compare":{"instances":{"podTemplateHash":"` + stableHash + `"}`

// workItem is one measurement: a metric of a service over some minutes, or since the start of its run if it is judged.
type workItem struct {
	kind, service, minutes int
	judged                 bool
}

// item returns the item of a number. Consecutive numbers are the metrics of one run.
func (w Workload) item(number int) workItem {
	number += w.Offset
	kind, run := number%len(metricKinds), number/len(metricKinds)
	if w.Judged {
		return workItem{kind: kind, service: run % w.Services, judged: true}
	}
	if w.Shared {
		return workItem{kind: kind, service: run % w.Services, minutes: 5}
	}
	minutes := 5 + run/w.Services%10
	if metricKinds[kind].name == "latency-p50" { // otherwise it would share the read of latency-p99
		minutes += 10
	}
	return workItem{kind: kind, service: run % w.Services, minutes: minutes}
}

// age returns the time since the start of a run.
func (w Workload) age(run int) time.Duration {
	if w.StaggerMinutes == 0 {
		return time.Hour
	}
	return time.Hour - time.Duration(run/w.Services*w.StaggerMinutes)*time.Minute
}

// pluginMetric returns the metric for the plugin of that name.
func (i workItem) pluginMetric(name string) v1alpha1.Metric {
	if i.judged {
		return i.judgedMetric(name)
	}
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

// judgedMetric returns the judged metric for the plugin of that name.
func (i workItem) judgedMetric(name string) v1alpha1.Metric {
	kind := judgedBlocks[i.kind]
	block := fmt.Sprintf(`{"service":%q,"instances":{"podTemplateHash":%q},%s}`, serviceName(i.service), canaryHash, kind.block)
	metric := v1alpha1.Metric{Name: kind.name}
	metric.Provider.Plugin = map[string]json.RawMessage{name: json.RawMessage(block)}
	return metric
}

// builtInMetric returns the same metric for Argo's built-in provider.
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

// graphql returns the query of Argo's documentation for the item's metric.
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

// analysisRun returns a run of a realistic size, with its metrics, started some time ago.
func analysisRun(number int, metrics []v1alpha1.Metric, age time.Duration) *v1alpha1.AnalysisRun {
	started, yes := metav1.NewTime(time.Now().Add(-age)), true
	name := fmt.Sprintf("reviews-6c85f7bf4-%d", number)
	return &v1alpha1.AnalysisRun{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "bookinfo", Name: name, UID: types.UID(name), CreationTimestamp: started,
			Labels:          map[string]string{"rollout-type": "Background", "rollouts-pod-template-hash": canaryHash},
			OwnerReferences: []metav1.OwnerReference{{Kind: "Rollout", Name: "reviews", Controller: &yes}},
		},
		Spec:   v1alpha1.AnalysisRunSpec{Metrics: metrics},
		Status: v1alpha1.AnalysisRunStatus{Phase: v1alpha1.AnalysisPhaseRunning, StartedAt: &started},
	}
}

func serviceName(number int) string {
	return fmt.Sprintf("canary|svc-%04d|bookinfo|cluster-1|-", number)
}
