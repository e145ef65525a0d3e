package promql

import (
	"encoding/json"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
)

const (
	root    = "../.."
	chart   = root + "/charts/skywalking-provider"
	metrics = root + "/tests/telemetry/metrics.prom" // tests/telemetry/test_metrics.py compares it with the service
)

var promql = parser.NewParser(parser.Options{})

// loadRules returns the alerts of the chart by name, parsed by Prometheus.
func loadRules(t *testing.T) map[string]rulefmt.Rule {
	t.Helper()
	found := map[string]rulefmt.Rule{}
	files, _ := filepath.Glob(chart + "/alerts/*.yaml")
	for _, file := range files {
		groups, errs := rulefmt.ParseFile(file, false, model.UTF8Validation, promql, slog.New(slog.DiscardHandler))
		if len(errs) > 0 {
			t.Fatalf("%s: %v", file, errs)
		}
		for _, group := range groups.Groups {
			for _, rule := range group.Rules {
				found[rule.Alert] = rule
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no alert in " + chart)
	}
	return found
}

// loadPanelQueries returns the dashboard's expressions by panel title, with Grafana's variables replaced.
func loadPanelQueries(t *testing.T) map[string][]string {
	t.Helper()
	variables := strings.NewReplacer("$__rate_interval", "5m", "$backend", ".*")
	found := map[string][]string{}
	files, _ := filepath.Glob(chart + "/dashboards/*.json")
	for _, file := range files {
		var board struct {
			Panels []struct {
				Title   string
				Targets []struct{ Expr string }
			}
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(content, &board); err != nil {
			t.Fatalf("%s: %v", file, err)
		}
		for _, panel := range board.Panels {
			for _, target := range panel.Targets {
				found[panel.Title] = append(found[panel.Title], variables.Replace(target.Expr))
			}
		}
	}
	if len(found) == 0 {
		t.Fatal("no panel in " + chart)
	}
	return found
}
