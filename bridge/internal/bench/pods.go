package bench

import (
	"bytes"
	"fmt"
	"hash/fnv"
	"strconv"
	"strings"
	"time"
)

const (
	// canaryHash and stableHash are the hashes of the versions of each service, unless the settings have others.
	canaryHash = "6c85f7bf4"
	stableHash = "7d4f9c8b65"
	// podMetricPrefix begins the name of a metric of an instance.
	podMetricPrefix = "service_instance_"
)

// podSuffixes are the ends of the names of a service's pods: one of the canary, then those of stable.
var podSuffixes = []string{"x7k2d", "8q4zn", "b9lwp", "mtv5c", "r6h2f"}

// writeInstances writes the instances of a service with their attributes, as OAP names the pods of Envoy's access logs.
func writeInstances(out *bytes.Buffer, serviceID string, state *oapState) {
	number, _ := strconv.Atoi(strings.TrimSuffix(serviceID, ".1"))
	hashes := [2]string{canaryHash, stableHash}
	if number < len(state.Hashes) {
		hashes = state.Hashes[number]
	}
	out.WriteByte('[')
	for i, suffix := range podSuffixes {
		if i > 0 {
			out.WriteByte(',')
		}
		pod := fmt.Sprintf("svc-%04d-%s-%s", number, hashes[min(i, 1)], suffix)
		fmt.Fprintf(out, `{"name":"%[1]s.bookinfo","attributes":[{"name":"pod","value":%[1]q},`+
			`{"name":"namespace","value":"bookinfo"}]}`, pod)
	}
	out.WriteByte(']')
}

// writePodSeries writes a metric of an instance by minute, without the prefix of its name.
func writePodSeries(out *bytes.Buffer, metric, instance string, w window) {
	out.WriteString(`{"type":"TIME_SERIES_VALUES","error":null,"results":[{"metric":{"labels":[]},"values":[`)
	writeBuckets(out, w, func(minute time.Time) int { return podMinuteOf(instance, minute).value(metric) })
	out.WriteString(`]}`)
}

// podMinute is what happened to the calls of a pod in a minute.
type podMinute struct {
	calls, failures, responseMs int
}

// podMinuteOf returns the minute of any pod: 108 to 132 calls, of which one fails, and a mean of 180 to 220 ms. The values
// depend on pod and minute only, so that all reads agree. No version has more failures than another one by chance, so that
// all judged runs of a benchmark have enough evidence.
func podMinuteOf(instance string, minute time.Time) podMinute {
	digest := fnv.New64a()
	_, _ = digest.Write(strconv.AppendInt([]byte(instance), minute.Unix(), 10))
	random := digest.Sum64()
	return podMinute{calls: 108 + int(random%25), failures: 1, responseMs: 180 + int(random>>32%41)}
}

// value returns a metric as OAP stores it: the success rate in hundredths of a percent, rounded down.
func (p podMinute) value(metric string) int {
	switch metric {
	case "cpm":
		return p.calls
	case "sla":
		return 10_000 * (p.calls - p.failures) / p.calls
	default:
		return p.responseMs
	}
}
