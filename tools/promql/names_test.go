package promql

import (
	"os"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/promql/parser"
)

// scrapeLabels are the labels that Prometheus adds to every series.
var scrapeLabels = []string{"job", "instance"}

// processMetrics are the metrics of prometheus-client's own collector.
var processMetrics = []string{"process_resident_memory_bytes", "process_cpu_seconds_total"}

// loadExposedSeries returns the series of the service: name → label → values.
func loadExposedSeries(t *testing.T) map[string]map[string][]string {
	t.Helper()
	file, err := os.Open(metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	reader := expfmt.NewTextParser(model.UTF8Validation)
	families, err := reader.TextToMetricFamilies(file)
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string][]string{}
	for name, family := range families {
		for _, metric := range family.Metric {
			for _, suffix := range suffixes(family.GetType().String()) {
				values := found[name+suffix]
				if values == nil {
					values = map[string][]string{}
					found[name+suffix] = values
				}
				for _, pair := range metric.Label {
					values[pair.GetName()] = append(values[pair.GetName()], pair.GetValue())
				}
				if suffix == "_bucket" {
					values["le"] = bucketBounds(metric)
				}
			}
		}
	}
	for _, name := range processMetrics {
		found[name] = map[string][]string{}
	}
	return found
}

// bucketBounds returns the values of the label "le" of a histogram.
func bucketBounds(metric *dto.Metric) []string {
	bounds := []string{}
	for _, bucket := range metric.Histogram.Bucket {
		bounds = append(bounds, model.SampleValue(bucket.GetUpperBound()).String())
	}
	return bounds
}

// suffixes returns the suffixes of a metric type's series.
func suffixes(kind string) []string {
	if kind == "HISTOGRAM" {
		return []string{"_bucket", "_sum", "_count"}
	}
	return []string{""}
}

func TestExpressionsUseOnlyExposedSeries(t *testing.T) {
	series := loadExposedSeries(t)
	expressions := loadPanelQueries(t)
	for name, rule := range loadRules(t) {
		expressions[name] = append(expressions[name], rule.Expr)
	}
	for where, written := range expressions {
		for _, one := range written {
			tree, err := promql.ParseExpr(one)
			if err != nil {
				t.Errorf("%s: %v", where, err)
				continue
			}
			checkExpression(t, where, tree, series)
		}
	}
}

// checkExpression reports metrics, labels and label values of an expression that the service does not expose.
func checkExpression(t *testing.T, where string, tree parser.Expr, series map[string]map[string][]string) {
	t.Helper()
	known := slices.Clone(scrapeLabels)
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		selector, ok := node.(*parser.VectorSelector)
		if !ok {
			return nil
		}
		values, ok := series[selector.Name]
		if !ok {
			t.Errorf("%s: the service has no metric %s", where, selector.Name)
			return nil
		}
		for label := range values {
			known = append(known, label)
		}
		for _, matcher := range selector.LabelMatchers {
			checkMatcher(t, where, selector.Name, matcher, values)
		}
		return nil
	})
	parser.Inspect(tree, func(node parser.Node, _ []parser.Node) error {
		var by []string
		switch one := node.(type) {
		case *parser.AggregateExpr:
			by = one.Grouping
		case *parser.BinaryExpr:
			if one.VectorMatching != nil {
				by = one.VectorMatching.MatchingLabels
			}
		}
		for _, label := range by {
			if !slices.Contains(known, label) {
				t.Errorf("%s: no metric of the expression has the label %s", where, label)
			}
		}
		return nil
	})
}

// checkMatcher reports a label or a label value of one matcher that the service does not expose.
func checkMatcher(t *testing.T, where, name string, matcher *labels.Matcher, values map[string][]string) {
	t.Helper()
	if matcher.Name == labels.MetricName {
		return
	}
	known, ok := values[matcher.Name]
	if !ok {
		t.Errorf("%s: %s has no label %s", where, name, matcher.Name)
		return
	}
	// Every value of `a|b` must exist, also in a negative matcher.
	for _, value := range strings.Split(matcher.Value, "|") {
		if matcher.Name != "backend" && !slices.Contains(known, value) {
			t.Errorf("%s: label %s of %s never has the value %q", where, matcher.Name, name, value)
		}
	}
}

func TestExpressionWithUnknownNameIsReported(t *testing.T) {
	series := loadExposedSeries(t)
	for _, wrong := range []string{
		`sum(skywalking_analysis_measurement_total)`,
		`sum by (phases) (skywalking_analysis_measurements_total)`,
		`skywalking_analysis_measurements_total{phase="Fail"}`,
		`skywalking_analysis_measurements_total{reasons="NO_DATA"}`,
		`skywalking_analysis_measurements_total{reason=~"NO_DATA|NODATA"}`,
	} {
		tree, err := promql.ParseExpr(wrong)
		if err != nil {
			t.Fatal(err)
		}
		inner := &testing.T{}
		checkExpression(inner, "here", tree, series)
		if !inner.Failed() {
			t.Errorf("%s: no error reported", wrong)
		}
	}
}
