package promql

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/promqltest"
)

// healthySeries are 20 minutes of the series of a healthy provider.
const healthySeries = `
skywalking_analysis_build_info{job="p", instance="a"} 1x20
process_resident_memory_bytes{job="p", instance="a"} 100000000x20
process_resident_memory_bytes{job="another", instance="a"} 900000000x20
skywalking_analysis_backend_requests_total{backend="prod", code="ok"} 0+10x20
skywalking_analysis_backend_requests_total{backend="prod", code="unavailable"} 0x20
skywalking_analysis_backend_requests_total{backend="prod", code="rejected"} 0x20
skywalking_analysis_circuit_state{backend="prod", state="open"} 0x20
skywalking_analysis_circuit_state{backend="prod", state="closed"} 1x20
skywalking_analysis_measurements_total{backend="prod", phase="Error", reason="PROVIDER_INTERNAL"} 0x20
skywalking_analysis_measurements_total{backend="prod", phase="Error", reason="OAP_REJECTED"} 0x20
skywalking_analysis_measurements_total{backend="prod", phase="Failed", reason="CONDITION_NOT_MET"} 0+5x20
skywalking_analysis_measurements_total{backend="prod", phase="Running", reason="NO_DATA"} 0+5x20
skywalking_analysis_measurements_total{backend="prod", phase="Inconclusive", reason="NO_DATA"} 0x20
skywalking_analysis_shed_total{backend="prod"} 0x20
skywalking_analysis_clock_skew_seconds{backend="prod", instance="a"} 2x20
skywalking_analysis_measurement_duration_seconds_bucket{backend="prod", le="1"} 0+10x20
skywalking_analysis_measurement_duration_seconds_bucket{backend="prod", le="10"} 0+10x20
skywalking_analysis_measurement_duration_seconds_bucket{backend="prod", le="+Inf"} 0+10x20
skywalking_analysis_event_loop_lag_seconds_count{job="p", instance="a"} 0+240x20
skywalking_analysis_event_loop_lag_seconds_bucket{job="p", instance="a", le="0.5"} 0+240x20
`

// alertConditions has for each alert the changed series that make it fire, and the backend in its labels.
var alertConditions = map[string]struct {
	changed string
	backend string
}{
	"SkyWalkingProviderAbsent": {`-skywalking_analysis_build_info`, ""},
	"SkyWalkingBackendUnavailable": {`
skywalking_analysis_backend_requests_total{backend="prod", code="ok"} 0+10x10 100x10
skywalking_analysis_backend_requests_total{backend="prod", code="unavailable"} 0x10 0+3x10`, "prod"},
	"SkyWalkingBackendCircuitOpen": {`
skywalking_analysis_circuit_state{backend="prod", state="open"} 0x10 1x10`, "prod"},
	"SkyWalkingBackendRejects": {`
skywalking_analysis_backend_requests_total{backend="prod", code="rejected"} 0x15 1x5`, "prod"},
	"SkyWalkingMeasurementErrors": {`
skywalking_analysis_measurements_total{backend="prod", phase="Error", reason="OAP_REJECTED"} 0x10 5x10`, "prod"},
	"SkyWalkingProviderBug": {`
skywalking_analysis_measurements_total{backend="prod", phase="Error", reason="PROVIDER_INTERNAL"} 0x15 1x5`, "prod"},
	"SkyWalkingMeasurementsWithoutData": {`
skywalking_analysis_measurements_total{backend="prod", phase="Inconclusive", reason="NO_DATA"} 0x15 1x5`, "prod"},
	"SkyWalkingProviderOverloaded": {`
skywalking_analysis_shed_total{backend="prod"} 0x15 4x5`, "prod"},
	"SkyWalkingMeasurementsSlow": {`
skywalking_analysis_measurement_duration_seconds_bucket{backend="prod", le="1"} 0+9x20`, "prod"},
	"SkyWalkingClockSkew": {`
skywalking_analysis_clock_skew_seconds{backend="prod", instance="a"} -90x20`, "prod"},
	"SkyWalkingProviderLogLost": {`
skywalking_analysis_log_lines_lost_total{job="p", instance="a"} 0x15 4x5`, ""},
	"SkyWalkingProviderEventLoopHeld": {`
skywalking_analysis_event_loop_lag_seconds_bucket{job="p", instance="a", le="0.5"} 0+238x20`, ""},
	"SkyWalkingProviderMemory": {`
process_resident_memory_bytes{job="p", instance="a"} 250000000x20`, ""},
}

func TestAlertsHealthyProviderDoNotFire(t *testing.T) {
	for name, rule := range loadRules(t) {
		if fired := firingBackends(t, rule.Expr, healthySeries); len(fired) > 0 {
			t.Errorf("%s fires: %v", name, fired)
		}
	}
}

func TestAlertsConditionMetFireWithBackend(t *testing.T) {
	for name, rule := range loadRules(t) {
		known, ok := alertConditions[name]
		if !ok {
			t.Errorf("alertConditions has no entry for %s", name)
			continue
		}
		if fired := firingBackends(t, rule.Expr, replaceSeries(healthySeries, known.changed)); !slices.Equal(fired, []string{known.backend}) {
			t.Errorf("%s fires for %q, want %q", name, fired, known.backend)
		}
	}
}

func TestBackendUnavailablePartialFailureDoesNotFire(t *testing.T) {
	sometimes := replaceSeries(healthySeries, `
skywalking_analysis_backend_requests_total{backend="prod", code="unavailable"} 0+5x20`)
	if fired := firingBackends(t, loadRules(t)["SkyWalkingBackendUnavailable"].Expr, sometimes); len(fired) > 0 {
		t.Errorf("fires for %v", fired)
	}
}

// firingBackends evaluates an expression at the end of the 20 minutes and returns the backend of each result.
func firingBackends(t *testing.T, expression, series string) []string {
	t.Helper()
	storage := promqltest.LoadedStorage(t, "load 1m\n"+indented(series))
	engine := promqltest.NewTestEngine(t, false, 5*time.Minute, 100_000)
	query, err := engine.NewInstantQuery(context.Background(), storage, nil, expression, time.Unix(20*60, 0))
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	defer query.Close()
	found, err := query.Exec(context.Background()).Vector()
	if err != nil {
		t.Fatalf("%s: %v", expression, err)
	}
	backends := []string{}
	for _, sample := range found {
		backends = append(backends, sample.Metric.Get("backend"))
	}
	slices.Sort(backends)
	return backends
}

// replaceSeries replaces series, and removes those whose line of changes begins with a dash.
func replaceSeries(series, changes string) string {
	lines := strings.Split(strings.TrimSpace(series), "\n")
	for _, change := range strings.Split(strings.TrimSpace(changes), "\n") {
		name, leave := strings.CutPrefix(change, "-")
		name = name[:strings.IndexAny(name+"}", "}")]
		lines = slices.DeleteFunc(lines, func(line string) bool { return strings.HasPrefix(line, name) })
		if !leave {
			lines = append(lines, change)
		}
	}
	return strings.Join(lines, "\n")
}

// indented returns the series as the body of a load command.
func indented(series string) string {
	return "  " + strings.Join(strings.Split(strings.TrimSpace(series), "\n"), "\n  ") + "\n"
}
