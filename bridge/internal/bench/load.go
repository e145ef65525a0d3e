package bench

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

// Load is a number of concurrent runs whose metrics are measured in parallel, as by Argo's analysis workers. It ends after
// Runs or after Seconds, whichever is set.
type Load struct {
	Workload
	// Workers is the number of runs measured at the same time.
	Workers int `json:"workers"`
	// Metrics is the number of metrics of a run.
	Metrics int `json:"metrics"`
	// Runs is the number of runs; 0 means no limit.
	Runs int `json:"runs"`
	// Seconds is the time during which new runs start; 0 means no limit.
	Seconds float64 `json:"seconds"`
	// First marks the measurements as the first of their metrics, for which Argo also requests the metadata.
	First bool `json:"first"`
}

// LoadResult is the result of a load.
type LoadResult struct {
	Took    Quantiles                      `json:"latencyMs"`
	Seconds float64                        `json:"seconds"`
	Phases  map[v1alpha1.AnalysisPhase]int `json:"phases"`
	// CPUSeconds is the CPU time of this process without its plugin.
	CPUSeconds float64 `json:"cpuSeconds"`
	// UnexpectedMessage is the message of a measurement that was not Successful, if there was one.
	UnexpectedMessage string `json:"unexpectedMessage,omitempty"`
}

// Run puts the load on a system.
func (l Load) Run(system System) LoadResult {
	var next atomic.Int64
	cpu, started := cpuSeconds(), time.Now()
	deadline := started.Add(time.Duration(l.Seconds * float64(time.Second)))
	results := make([]workerResult, l.Workers)
	var workers sync.WaitGroup
	for worker := range l.Workers {
		workers.Go(func() {
			for {
				number := int(next.Add(1)) - 1
				if l.Runs > 0 && number >= l.Runs || l.Seconds > 0 && time.Now().After(deadline) {
					return
				}
				l.measure(system, number, &results[worker])
			}
		})
	}
	workers.Wait()
	result := LoadResult{Seconds: time.Since(started).Seconds(), Phases: map[v1alpha1.AnalysisPhase]int{}}
	result.CPUSeconds = cpuSeconds() - cpu
	var took []time.Duration
	for _, r := range results {
		took = append(took, r.took...)
		for _, m := range r.measured {
			result.Phases[m.Phase]++
			if m.Phase != v1alpha1.AnalysisPhaseSuccessful {
				result.UnexpectedMessage = m.Message
			}
		}
	}
	result.Took = computeQuantiles(took)
	return result
}

// workerResult holds the measurements of one worker and their durations.
type workerResult struct {
	took     []time.Duration
	measured []v1alpha1.Measurement
}

// measure measures the metrics of one run and appends to the result.
func (l Load) measure(system System, number int, result *workerResult) {
	metrics := make([]v1alpha1.Metric, l.Metrics)
	for i := range metrics {
		metrics[i] = system.Metric(l.item(number*l.Metrics + i))
	}
	run := analysisRun(number, metrics, l.age(number))
	took, measured := make([]time.Duration, l.Metrics), make([]v1alpha1.Measurement, l.Metrics)
	var parallel sync.WaitGroup
	for i, metric := range metrics {
		parallel.Go(func() {
			started := time.Now()
			measured[i] = system.Measure(run, metric, l.First)
			took[i] = time.Since(started)
		})
	}
	parallel.Wait()
	result.took = append(result.took, took...)
	result.measured = append(result.measured, measured...)
}

// cpuSeconds returns the CPU time of this process.
func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
