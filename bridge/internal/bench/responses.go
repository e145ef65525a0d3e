package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"regexp"
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
		`{"name":"service_resp_time"},{"name":"service_percentile"},` +
		`{"name":"service_instance_cpm"},{"name":"service_instance_sla"},{"name":"service_instance_resp_time"}]`
	bucketFormat = "2006-01-02 1504"
)

// responder finds the root fields of a query with regular expressions. A GraphQL parser would cost more than the rest of
// the OAP.
type responder struct {
	field, metric, expression, entity, variable *regexp.Regexp
}

func newResponder() *responder {
	return &responder{
		field: regexp.MustCompile(`(?:(\w+)\s*:\s*)?\b(execExpression|readMetricsValues|readLabeledMetricsValues|` +
			`listServices|listInstances|listMetrics|getTimeInfo|__type)\b`),
		metric:     regexp.MustCompile(`name:\s*"(\w+)"`),
		expression: regexp.MustCompile(`expression:\s*(?:\$(\w+)|"([^"]*)")`),
		entity:     regexp.MustCompile(`entity:\s*\$(\w+)`),
		variable:   regexp.MustCompile(`condition:\s*\$(\w+)`),
	}
}

// window is the time window of a request in buckets of one minute.
type window struct {
	start time.Time
	count int
}

// respond returns the kind of a request and the body of its response.
func (r *responder) respond(body []byte, state *oapState) (kind string, response []byte, err error) {
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
			fmt.Fprintf(&out, `{"timezone":"+0000","currentTimestamp":%d}`, state.now().UnixMilli())
		case "listServices":
			kind = "services"
			out.WriteString(state.services)
		case "listInstances":
			if kind == "" { // otherwise it is read with series
				kind = "instances"
			}
			writeInstances(&out, decodeVariable[string](alias, request.Variables), state)
		case "listMetrics":
			kind = "metrics"
			out.WriteString(metricsResponse)
		case "execExpression":
			kind = "read"
			expression := r.parseExpression(text, request.Variables)
			if metric, isPod := strings.CutPrefix(expression, podMetricPrefix); isPod {
				writePodSeries(&out, metric, r.parseInstance(text, request.Variables), w)
			} else {
				writeExpression(&out, expression, w)
			}
		default:
			kind = "read"
			writeValues(&out, r.parseMetric(text, request.Variables), text, w)
		}
	}
	out.WriteString(`}}`)
	return kind, out.Bytes(), nil
}

func (r *responder) parseExpression(text string, variables map[string]json.RawMessage) string {
	match := r.expression.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	if match[1] == "" {
		return match[2]
	}
	return decodeVariable[string](match[1], variables)
}

// parseInstance returns the name of the instance whose metric an expression reads.
func (r *responder) parseInstance(text string, variables map[string]json.RawMessage) string {
	match := r.entity.FindStringSubmatch(text)
	if match == nil {
		return ""
	}
	return decodeVariable[struct{ ServiceInstanceName string }](match[1], variables).ServiceInstanceName
}

func (r *responder) parseMetric(text string, variables map[string]json.RawMessage) string {
	if match := r.variable.FindStringSubmatch(text); match != nil {
		return decodeVariable[struct{ Name string }](match[1], variables).Name
	}
	if match := r.metric.FindStringSubmatch(text); match != nil {
		return match[1]
	}
	return ""
}

// decodeVariable returns a variable of a query; an invalid or missing one is empty.
func decodeVariable[T any](name string, variables map[string]json.RawMessage) (value T) {
	_ = json.Unmarshal(variables[name], &value)
	return value
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
