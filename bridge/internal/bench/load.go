package bench

import (
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/argoproj/argo-rollouts/pkg/apis/rollouts/v1alpha1"
)

// Load is what is asked of a side: runs, so many at the same time, each with its metrics in parallel, as Argo's
// analysis workers do it. It ends after Runs or after Seconds, whichever is given.
type Load struct {
	Workload
	// Workers is how many runs are measured at the same time.
	Workers int `json:"workers"`
	// Metrics of a run, measured in parallel.
	Metrics int `json:"metrics"`
	// Runs is how many there are; 0 is no limit.
	Runs int `json:"runs"`
	// Seconds is for how long new runs begin; 0 is no limit.
	Seconds float64 `json:"seconds"`
	// First measurements of their metrics: Argo asks for their metadata, too.
	First bool `json:"first"`
}

// Borne is what came of a load.
type LoadResult struct {
	Took    Quantiles                      `json:"took"`
	Seconds float64                        `json:"seconds"`
	Phases  map[v1alpha1.AnalysisPhase]int `json:"phases"`
	// CPUSeconds of this process, its plugin not included.
	CPUSeconds float64 `json:"cpuSeconds"`
	// Unlike is the message of a measurement that was not Successful.
	UnexpectedMessage string `json:"unlike,omitempty"`
}

// On puts the load on a side.
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

// account of one worker.
type workerResult struct {
	took     []time.Duration
	measured []v1alpha1.Measurement
}

func (l Load) measure(system System, number int, result *workerResult) {
	metrics := make([]v1alpha1.Metric, l.Metrics)
	for i := range metrics {
		metrics[i] = system.Metric(l.item(number*l.Metrics + i))
	}
	run := analysisRun(number, metrics)
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

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
