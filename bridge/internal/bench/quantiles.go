package bench

import (
	"math"
	"slices"
	"time"
)

// Quantiles of durations, in milliseconds.
type Quantiles struct {
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	P50   float64 `json:"p50"`
	P90   float64 `json:"p90"`
	P99   float64 `json:"p99"`
	Max   float64 `json:"max"`
}

// computeQuantiles returns quantiles by the nearest-rank method.
func computeQuantiles(durations []time.Duration) Quantiles {
	if len(durations) == 0 {
		return Quantiles{}
	}
	sorted, sum := slices.Sorted(slices.Values(durations)), time.Duration(0)
	for _, d := range sorted {
		sum += d
	}
	ms := func(d time.Duration) float64 { return math.Round(float64(d)/float64(time.Microsecond)) / 1000 }
	rank := func(q float64) float64 { return ms(sorted[int(math.Ceil(q*float64(len(sorted))))-1]) }
	return Quantiles{
		Count: len(sorted), Mean: ms(sum / time.Duration(len(sorted))),
		P50: rank(0.5), P90: rank(0.9), P99: rank(0.99), Max: ms(sorted[len(sorted)-1]),
	}
}
