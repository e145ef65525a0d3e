// Package timing makes the time limits of tests independent of the load of the machine.
package timing

import (
	"sync/atomic"
	"testing"
	"time"
)

const (
	// interval is the time between two measurements of the timer delay.
	interval = 5 * time.Millisecond
	// handOffs is the number of times that a measured call may wait for a processor: it passes through several goroutines
	// and processes.
	handOffs = 20
)

// Meter measures the delay of the timers of this machine.
type Meter struct{ maxDelay atomic.Int64 }

// NewMeter returns a Meter that measures until the test ends.
func NewMeter(t testing.TB) *Meter {
	m, done := &Meter{}, make(chan struct{})
	t.Cleanup(func() { close(done) })
	go func() {
		for {
			started := time.Now()
			select {
			case <-time.After(interval):
				m.maxDelay.Store(max(m.maxDelay.Load(), int64(time.Since(started)-interval)))
			case <-done:
				return
			}
		}
	}()
	return m
}

// Limit returns a time limit plus the delay that the load of the machine explains.
func (m *Meter) Limit(limit time.Duration) time.Duration {
	return limit + handOffs*time.Duration(m.maxDelay.Load())
}
