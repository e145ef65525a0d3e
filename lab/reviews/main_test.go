package main

import (
	"net/http/httptest"
	"testing"
	"testing/synctest"
	"time"
)

func TestBehaviourDecidesTheShareOfFailures(t *testing.T) {
	// A binomial share of 20 % of 300 is outside 20 to 110 once in 10 billion runs.
	for behaviour, limits := range map[string][2]int{"good": {0, 0}, "bad": {20, 110}, "slow": {0, 0}} {
		synctest.Test(t, func(t *testing.T) { // its time passes without waiting
			failed, mean := call(t, behaviour, 300)
			if failed < limits[0] || failed > limits[1] {
				t.Errorf("%s: %d of 300 failed, want %v", behaviour, failed, limits)
			}
			if slow := mean > 800*time.Millisecond; slow != (behaviour == "slow") {
				t.Errorf("%s: %v a request", behaviour, mean)
			}
		})
	}
}

// call returns the number of failed requests and the mean response time.
func call(t *testing.T, behaviour string, count int) (int, time.Duration) {
	t.Helper()
	handler, err := newHandler("v2", behaviour)
	if err != nil {
		t.Fatal(err)
	}
	failed, began := 0, time.Now()
	for range count {
		response := httptest.NewRecorder()
		handler.ServeHTTP(response, httptest.NewRequest("GET", "/reviews/1", nil))
		if version := response.Header().Get("x-version"); version != "v2" {
			t.Fatalf("version %q, want v2", version)
		}
		if response.Code == 500 {
			failed++
		}
	}
	return failed, time.Since(began) / time.Duration(count)
}

func TestUnknownBehaviourIsAnError(t *testing.T) {
	if _, err := newHandler("v2", "worse"); err == nil {
		t.Error("no error")
	}
}
