package bench

import (
	"encoding/json"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
	"github.com/stretchr/testify/require"
)

func TestWorkloadUncachedItemsAreDistinct(t *testing.T) {
	items, workload := map[workItem]bool{}, Workload{Services: 100}
	for number := range 10 * 100 * len(metricKinds) {
		items[workload.item(number)] = true
	}
	require.Len(t, items, 10*100*len(metricKinds))
}

func TestWorkloadPercentilesShareReadOnlyIfShared(t *testing.T) {
	sharesRead := func(w Workload) bool {
		return w.item(2).minutes == w.item(3).minutes && w.item(2).service == w.item(3).service
	}
	require.Equal(t, "latency-p50 latency-p99", metricKinds[2].name+" "+metricKinds[3].name)
	require.True(t, sharesRead(Workload{Shared: true, Services: 50}))
	require.False(t, sharesRead(Workload{Services: 50}))
}

func TestOAPDelaysResponsesAndLimitsConcurrency(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		oap := NewOAP(Settings{DelayMs: 20, Workers: 16})
		began := time.Now()
		var clients sync.WaitGroup
		for range 40 {
			clients.Go(func() { postQuery(t, oap, `query { getTimeInfo { timezone currentTimestamp } }`, "") })
		}
		clients.Wait()
		require.Equal(t, 60*time.Millisecond, time.Since(began))
		counters := oap.state.Load().counters()
		require.Equal(t, map[string]int{"time": 40}, counters.Requests)
		require.Equal(t, []float64{40, 60}, []float64{counters.ServiceTime.P50, counters.ServiceTime.Max})
	})
}

func TestOAPReturnsOneBucketPerMinute(t *testing.T) {
	oap := NewOAP(Settings{})
	response := postQuery(t, oap, `query q($duration: Duration!, $e: String!) {
		old: readMetricsValues(condition: {name: "service_apdex", entity: {scope: Service}}, duration: $duration) { label }
		present: readMetricsValues(condition: {name: "service_apdex"}, duration: $duration) { values { isEmptyValue } }
		e: execExpression(expression: $e, entity: {}, duration: $duration) { type } }`,
		`{"e": "service_cpm", "duration": {"start": "2026-11-24 2359", "end": "2026-11-25 0001", "step": "MINUTE"}}`)
	require.JSONEq(t, `{"data": {
		"old": {"label": null, "values": {"values": [{"value": 9500}, {"value": 9500}, {"value": 9500}]}},
		"present": {"label": null, "values": {"values": [
			{"value": 9500, "isEmptyValue": false}, {"value": 9500, "isEmptyValue": false}, {"value": 9500, "isEmptyValue": false}]}},
		"e": {"type": "TIME_SERIES_VALUES", "error": null, "results": [{"metric": {"labels": []}, "values": [
			{"id": "1795564740000", "value": "60"}, {"id": "1795564800000", "value": "60"}, {"id": "1795564860000", "value": "60"}]}]}
	}}`, response)
}

func TestOAPListsPodsOfBothVersionsBesideTheirSeries(t *testing.T) {
	oap := NewOAP(Settings{Hashes: [][2]string{{"aaaaa", "bbbbb"}, {"ccccc", "ddddd"}}})
	response := postQuery(t, oap, `query read($duration: Duration!, $c: String!, $c_entity: Entity!, $instances: ID!) {
		c: execExpression(expression: $c, entity: $c_entity, duration: $duration) { type }
		instances: listInstances(serviceId: $instances, duration: $duration) { name } }`,
		`{"c": "service_instance_cpm", "c_entity": {"serviceInstanceName": "svc-0001-ccccc-x7k2d.bookinfo"}, "instances": "1.1",
		"duration": {"start": "2026-11-24 1200", "end": "2026-11-24 1201", "step": "MINUTE"}}`)
	var decoded struct {
		Data struct {
			C struct {
				Results []struct{ Values []struct{ ID, Value string } }
			}
			Instances []struct{ Name string }
		}
	}
	require.NoError(t, json.Unmarshal([]byte(response), &decoded))
	var names []string
	for _, one := range decoded.Data.Instances {
		names = append(names, one.Name)
	}
	require.Equal(t, []string{
		"svc-0001-ccccc-x7k2d.bookinfo", "svc-0001-ddddd-8q4zn.bookinfo", "svc-0001-ddddd-b9lwp.bookinfo",
		"svc-0001-ddddd-mtv5c.bookinfo", "svc-0001-ddddd-r6h2f.bookinfo",
	}, names)
	values := decoded.Data.C.Results[0].Values
	require.Len(t, values, 2)
	require.Equal(t, "1795521660000", values[1].ID)
	calls := podMinuteOf(names[0], time.UnixMilli(1795521660000)).calls
	require.Equal(t, strconv.Itoa(calls), values[1].Value)
	require.Equal(t, map[string]int{"read": 1}, oap.state.Load().counters().Requests)
}

func TestOAPListsDefaultVersionsAndCountsTheRequest(t *testing.T) {
	oap := NewOAP(Settings{Hashes: [][2]string{{"aaaaa", "bbbbb"}}})
	query := `query q($instances: ID!) { instances: listInstances(serviceId: $instances) { name } }`
	response := postQuery(t, oap, query, `{"instances": "1.1"}`)
	require.Contains(t, response, `"svc-0001-6c85f7bf4-x7k2d.bookinfo"`)
	require.Contains(t, response, `"svc-0001-7d4f9c8b65-8q4zn.bookinfo"`)
	require.Equal(t, map[string]int{"instances": 1}, oap.state.Load().counters().Requests)
}

func TestOAPReportsTheTimeOfItsSettings(t *testing.T) {
	response := postQuery(t, NewOAP(Settings{ClockMs: 1795521660000}), `query { getTimeInfo { currentTimestamp } }`, "")
	require.JSONEq(t, `{"data": {"getTimeInfo": {"timezone": "+0000", "currentTimestamp": 1795521660000}}}`, response)
}

func TestPodMinutesHaveTheFailuresOfAHealthyVersion(t *testing.T) {
	var calls, failures, responseMs int
	const minutes = 10_000
	for i := range minutes {
		minute := podMinuteOf("svc-0001-6c85f7bf4-x7k2d.bookinfo", time.Unix(int64(60*i), 0))
		require.GreaterOrEqual(t, minute.value("sla"), 9800)
		calls, failures, responseMs = calls+minute.calls, failures+minute.failures, responseMs+minute.value("resp_time")
	}
	require.InDelta(t, 120, calls/minutes, 1)
	require.InDelta(t, 0.0083, float64(failures)/float64(calls), 0.0005)
	require.InDelta(t, 200, responseMs/minutes, 1)
}

func TestJudgedItemsCompareTheVersionsSinceTheirStart(t *testing.T) {
	workload := Workload{Judged: true, Services: 50, StaggerMinutes: 2}
	blocks := map[string]bool{}
	for number := range 50 * len(metricKinds) {
		metric := workload.item(number).pluginMetric("p")
		var block struct {
			Instances struct{ PodTemplateHash string }
			Compare   struct {
				Instances struct{ PodTemplateHash string }
			}
			Objective float64
		}
		require.NoError(t, json.Unmarshal(metric.Provider.Plugin["p"], &block))
		require.Equal(t, "6c85f7bf4", block.Instances.PodTemplateHash)
		require.NotEqual(t, block.Objective > 0, block.Compare.Instances.PodTemplateHash == "7d4f9c8b65")
		require.Empty(t, metric.SuccessCondition)
		blocks[string(metric.Provider.Plugin["p"])] = true
	}
	require.Len(t, blocks, 50*len(metricKinds))
	require.Equal(t, []time.Duration{time.Hour, time.Hour, 58 * time.Minute, 22 * time.Minute},
		[]time.Duration{workload.age(0), workload.age(49), workload.age(50), workload.age(999)})
	require.Equal(t, time.Hour, Workload{Services: 50}.age(999))
}

func TestLoadMeasuresEveryMetricOnceAndCountsPhases(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := &sleepingSystem{seen: map[string]int{}}
		result := Load{Workload: Workload{Services: 1000}, Workers: 3, Metrics: 5, Runs: 7}.Run(system)
		require.Len(t, system.seen, 7*5)
		require.Equal(t, map[v1alpha1.AnalysisPhase]int{"Successful": 28, "Failed": 7}, result.Phases)
		require.Equal(t, "as scripted", result.UnexpectedMessage)
		require.Equal(t, 35, result.Took.Count)
		require.InDelta(t, 1000, result.Took.P99, 0.001, "the metrics of a run are measured in parallel")
		require.InDelta(t, 3, result.Seconds, 0.001, "seven runs by three workers")
	})
}

func TestComputeQuantilesUsesNearestRank(t *testing.T) {
	var durations []time.Duration
	for number := range 100 {
		durations = append(durations, time.Duration(100-number)*time.Millisecond)
	}
	require.Equal(t, Quantiles{Count: 100, Mean: 50.5, P50: 50, P90: 90, P99: 99, Max: 100}, computeQuantiles(durations))
	require.Equal(t, Quantiles{}, computeQuantiles(nil))
}

func postQuery(t *testing.T, oap *OAP, query, variables string) string {
	t.Helper()
	request := map[string]any{"query": query}
	if variables != "" {
		request["variables"] = json.RawMessage(variables)
	}
	body, err := json.Marshal(request)
	require.NoError(t, err)
	response := httptest.NewRecorder()
	oap.graphql(response, httptest.NewRequest("POST", "/graphql", strings.NewReader(string(body))))
	require.Equal(t, 200, response.Code, response.Body)
	return response.Body.String()
}

// sleepingSystem takes one second per measurement and fails one metric of each run.
type sleepingSystem struct {
	mu   sync.Mutex
	seen map[string]int
}

func (s *sleepingSystem) Metric(i workItem) v1alpha1.Metric { return i.pluginMetric("sleepy") }

func (s *sleepingSystem) Measure(_ *v1alpha1.AnalysisRun, metric v1alpha1.Metric, _ bool) v1alpha1.Measurement {
	time.Sleep(time.Second)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.seen[string(metric.Provider.Plugin["sleepy"])]++
	if metric.Name == "apdex" {
		return v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseFailed, Message: "as scripted"}
	}
	return v1alpha1.Measurement{Phase: v1alpha1.AnalysisPhaseSuccessful}
}
