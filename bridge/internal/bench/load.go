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
	Questions
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
type Borne struct {
	Took    Quantiles                      `json:"took"`
	Seconds float64                        `json:"seconds"`
	Phases  map[v1alpha1.AnalysisPhase]int `json:"phases"`
	// CPUSeconds of this process, its plugin not included.
	CPUSeconds float64 `json:"cpuSeconds"`
	// Unlike is the message of a measurement that was not Successful.
	Unlike string `json:"unlike,omitempty"`
}

// On puts the load on a side.
func (l Load) On(side Side) Borne {
	var next atomic.Int64
	cpu, began := cpuSeconds(), time.Now()
	until := began.Add(time.Duration(l.Seconds * float64(time.Second)))
	accounts := make([]account, l.Workers)
	var workers sync.WaitGroup
	for worker := range l.Workers {
		workers.Go(func() {
			for {
				number := int(next.Add(1)) - 1
				if l.Runs > 0 && number >= l.Runs || l.Seconds > 0 && time.Now().After(until) {
					return
				}
				l.measure(side, number, &accounts[worker])
			}
		})
	}
	workers.Wait()
	borne := Borne{Seconds: time.Since(began).Seconds(), Phases: map[v1alpha1.AnalysisPhase]int{}}
	borne.CPUSeconds = cpuSeconds() - cpu
	var took []time.Duration
	for _, one := range accounts {
		took = append(took, one.took...)
		for _, m := range one.measured {
			borne.Phases[m.Phase]++
			if m.Phase != v1alpha1.AnalysisPhaseSuccessful {
				borne.Unlike = m.Message
			}
		}
	}
	borne.Took = quantilesOf(took)
	return borne
}

// account of one worker.
type account struct {
	took     []time.Duration
	measured []v1alpha1.Measurement
}

func (l Load) measure(side Side, number int, account *account) {
	metrics := make([]v1alpha1.Metric, l.Metrics)
	for at := range metrics {
		metrics[at] = side.Metric(l.at(number*l.Metrics + at))
	}
	run := analysisRun(number, metrics)
	took, measured := make([]time.Duration, l.Metrics), make([]v1alpha1.Measurement, l.Metrics)
	var parallel sync.WaitGroup
	for at, metric := range metrics {
		parallel.Go(func() {
			began := time.Now()
			measured[at] = side.Measure(run, metric, l.First)
			took[at] = time.Since(began)
		})
	}
	parallel.Wait()
	account.took = append(account.took, took...)
	account.measured = append(account.measured, measured...)
}

func cpuSeconds() float64 {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano()).Seconds()
}
