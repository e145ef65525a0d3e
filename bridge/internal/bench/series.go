package bench

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"
	"time"
)

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
	writeBuckets(out, w, func(time.Time) int { return value })
}

// writeBuckets writes the rest of a series: the value of each minute.
func writeBuckets(out *bytes.Buffer, w window, value func(minute time.Time) int) {
	for i := range w.count {
		if i > 0 {
			out.WriteByte(',')
		}
		minute := w.start.Add(time.Duration(i) * time.Minute)
		out.WriteString(`{"id":"`)
		out.WriteString(strconv.FormatInt(minute.UnixMilli(), 10))
		out.WriteString(`","value":"`)
		out.WriteString(strconv.Itoa(value(minute)))
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
