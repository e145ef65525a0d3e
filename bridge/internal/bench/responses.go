package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// metricValues are the values of the benchmark's metrics, the same in every bucket. The response formats are those of
// OAP 10.1 (tests/captures/10.1.0).
var metricValues = map[string]int{
	"service_cpm": 60, "service_sla": 9950, "service_apdex": 9500, "service_resp_time": 350,
}

// percentiles are the labels and values of service_percentile.
var percentiles = []struct {
	label string
	value int
}{{"50", 180}, {"75", 450}, {"90", 700}, {"95", 1200}, {"99", 1900}}

const (
	schemaResponse = `"query":{"fields":[{"name":"execExpression"},{"name":"readMetricsValues"},` +
		`{"name":"readNullableMetricsValue"},{"name":"listServices"}]},` +
		`"value":{"fields":[{"name":"id"},{"name":"value"},{"name":"isEmptyValue"}]}`
	metricsResponse = `[{"name":"service_cpm"},{"name":"service_sla"},{"name":"service_apdex"},` +
		`{"name":"service_resp_time"},{"name":"service_percentile"}]`
	bucketFormat = "2006-01-02 1504"
)

// responder finds the root fields of a query with regular expressions. A GraphQL parser would cost more than the rest of
// the OAP.
type responder struct {
	field, metric, expression, variable *regexp.Regexp
}

func newResponder() *responder {
	return &responder{
		field: regexp.MustCompile(`(?:(\w+)\s*:\s*)?\b(execExpression|readMetricsValues|readLabeledMetricsValues|` +
			`listServices|listMetrics|getTimeInfo|__type)\b`),
		metric:     regexp.MustCompile(`name:\s*"(\w+)"`),
		expression: regexp.MustCompile(`expression:\s*(?:\$(\w+)|"([^"]*)")`),
		variable:   regexp.MustCompile(`condition:\s*\$(\w+)`),
	}
}

// window is the time window of a request in buckets of one minute.
type window struct {
	start time.Time
	count int
}

// respond returns the kind of a request and the body of its response.
func (r *responder) respond(body []byte, services string) (kind string, response []byte, err error) {
	var request struct {
		Query     string                     `json:"query"`
		Variables map[string]json.RawMessage `json:"variables"`
	}
	if err := json.Unmarshal(body, &request); err != nil {
		return "", nil, err
	}
	if strings.Contains(request.Query, "__type") {
		return "schema", []byte(`{"data":{` + schemaResponse + `}}`), nil
	}
	fields := r.field.FindAllStringSubmatchIndex(request.Query, -1)
	if len(fields) == 0 {
		return "", nil, fmt.Errorf("query unknown to the benchmark's OAP: %.200s", request.Query)
	}
	w, err := parseWindow(request.Variables["duration"])
	if err != nil {
		return "", nil, err
	}
	var out bytes.Buffer
	out.WriteString(`{"data":{`)
	for i, match := range fields {
		end := len(request.Query)
		if i+1 < len(fields) {
			end = fields[i+1][0]
		}
		name, text := request.Query[match[4]:match[5]], request.Query[match[4]:end]
		alias := name
		if match[2] >= 0 {
			alias = request.Query[match[2]:match[3]]
		}
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, "%q:", alias)
		switch name {
		case "getTimeInfo":
			kind = "time"
			fmt.Fprintf(&out, `{"timezone":"+0000","currentTimestamp":%d}`, time.Now().UnixMilli())
		case "listServices":
			kind = "services"
			out.WriteString(services)
		case "listMetrics":
			kind = "metrics"
			out.WriteString(metricsResponse)
		case "execExpression":
			kind = "read"
			writeExpression(&out, r.parseExpression(text, request.Variables), w)
		default:
			kind = "read"
			writeValues(&out, r.parseMetric(text, request.Variables), text, w)
		}
	}
	out.WriteString(`}}`)
	return kind, out.Bytes(), nil
}

func (r *responder) parseExpression(text string, variables map[string]json.RawMessage) (expression string) {
	match := r.expression.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	if match[1] == "" {
		return match[2]
	}
	_ = json.Unmarshal(variables[match[1]], &expression)
	return expression
}

func (r *responder) parseMetric(text string, variables map[string]json.RawMessage) string {
	if match := r.variable.FindStringSubmatch(text); match != nil {
		var condition struct{ Name string }
		_ = json.Unmarshal(variables[match[1]], &condition)
		return condition.Name
	}
	if match := r.metric.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}

// writeExpression writes the result of an expression, which is a metric or avg(metric).
func writeExpression(out *bytes.Buffer, expression string, w window) {
	metric, average := strings.CutPrefix(expression, "avg(")
	metric = strings.TrimSuffix(metric, ")")
	kind := "TIME_SERIES_VALUES"
	if average {
		kind = "SINGLE_VALUE"
	}
	fmt.Fprintf(out, `{"type":%q,"error":null,"results":[`, kind)
	if metric == "service_percentile" {
		for i, p := range percentiles {
			if i > 0 {
				out.WriteByte(',')
			}
			writeResult(out, fmt.Sprintf(`{"key":"p","value":%q}`, p.label), p.value, w, average)
		}
	} else {
		writeResult(out, "", metricValues[metric], w, average)
	}
	out.WriteString(`]}`)
}

func writeResult(out *bytes.Buffer, label string, value int, w window, average bool) {
	fmt.Fprintf(out, `{"metric":{"labels":[%s]},"values":[`, label)
	if average {
		fmt.Fprintf(out, `{"id":null,"value":"%d"}]}`, value)
		return
	}
	for i := range w.count {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(`{"id":"`)
		out.WriteString(strconv.FormatInt(w.start.Add(time.Duration(i)*time.Minute).UnixMilli(), 10))
		out.WriteString(`","value":"`)
		out.WriteString(strconv.Itoa(value))
		out.WriteString(`"}`)
	}
	out.WriteString(`]}`)
}

// writeValues writes the result of readMetricsValues or readLabeledMetricsValues. The latter is a list with the requested
// label only.
func writeValues(out *bytes.Buffer, metric, text string, w window) {
	value, labeled := metricValues[metric], strings.HasPrefix(text, "readLabeledMetricsValues")
	label := "null"
	if labeled {
		label, value = `"99"`, percentiles[len(percentiles)-1].value
		out.WriteByte('[')
	}
	fmt.Fprintf(out, `{"label":%s,"values":{"values":[`, label)
	empty := ""
	if strings.Contains(text, "isEmptyValue") {
		empty = `,"isEmptyValue":false`
	}
	for i := range w.count {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(out, `{"value":%d%s}`, value, empty)
	}
	out.WriteString(`]}}`)
	if labeled {
		out.WriteByte(']')
	}
}

func parseWindow(variable json.RawMessage) (w window, err error) {
	if variable == nil {
		return w, nil
	}
	var duration struct{ Start, End string }
	if err := json.Unmarshal(variable, &duration); err != nil {
		return w, fmt.Errorf("duration: %w", err)
	}
	end, err := time.Parse(bucketFormat, duration.End)
	if err != nil {
		return w, fmt.Errorf("duration: %w", err)
	}
	if w.start, err = time.Parse(bucketFormat, duration.Start); err != nil {
		return w, fmt.Errorf("duration: %w", err)
	}
	w.count = int(end.Sub(w.start)/time.Minute) + 1
	return w, nil
}

func servicesResponse(count int) string {
	var out strings.Builder
	out.WriteByte('[')
	for i := range count {
		if i > 0 {
			out.WriteByte(',')
		}
		fmt.Fprintf(&out, `{"id":"%d.1","name":%q,"layers":["MESH"],"normal":true}`, i, serviceName(i))
	}
	out.WriteByte(']')
	return out.String()
}
