package argo

import (
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// TestEvaluateOracleRowsMatchArgo uses rows printed by the evaluator of argo-rollouts v1.10.0.
func TestEvaluateOracleRowsMatchArgo(t *testing.T) {
	text, err := os.ReadFile("../../tests/conditions/data/eval-oracle-v1.10.0.json")
	if err != nil {
		t.Fatal(err)
	}
	var rows []struct {
		Result           json.RawMessage
		SuccessCondition string
		FailureCondition string
		Phase            Phase
		Error            string
		GoJSONValue      string
	}
	if err := json.Unmarshal(text, &rows); err != nil {
		t.Fatal(err)
	}
	if len(rows) < 60 {
		t.Fatalf("the oracle has %d rows", len(rows))
	}
	judge := NewEvaluator()
	for _, row := range rows {
		result, err := Decode(row.Result)
		if err != nil {
			t.Fatal(err)
		}
		phase, err := judge.Evaluate(result, row.SuccessCondition, row.FailureCondition)
		message := ""
		if err != nil {
			message = err.Error()
		}
		if phase != row.Phase || message != row.Error {
			t.Errorf("%q, %q on %s: %s %q, want %s %q",
				row.SuccessCondition, row.FailureCondition, row.Result, phase, message, row.Phase, row.Error)
		}
		if value, err := Value(result); err != nil || string(value) != row.GoJSONValue {
			t.Errorf("value of %s: %s (%v), want %s", row.Result, value, err, row.GoJSONValue)
		}
	}
}

func TestEvaluateFloatBeyondInt64ConvertsAsOnAmd64(t *testing.T) {
	judge := NewEvaluator()
	for _, condition := range []string{
		"asInt(result) == -9223372036854775807 - 1", "int(result) == -9223372036854775807 - 1", "asInt(asFloat('NaN')) < 0",
	} {
		if phase, err := judge.Evaluate(1e300, condition, ""); phase != Successful {
			t.Errorf("%s: %s %v", condition, phase, err)
		}
	}
}

func TestProgramCacheCompilesOncePerResultType(t *testing.T) {
	judge := NewEvaluator()
	for range 3 {
		for _, result := range []any{1.0, 2.0, "text"} {
			judge.Evaluate(result, "result == 1", "")
		}
	}
	if hits, misses := judge.CacheStats(); hits != 7 || misses != 2 {
		t.Errorf("%d hits and %d misses, want 7 and 2", hits, misses)
	}
}

func TestProgramCacheIsBoundedAndKeepsUsedPrograms(t *testing.T) {
	judge := NewEvaluator()
	padding := " + 0" + strings.Repeat(" ", 4000)
	for i := range 100 {
		judge.Evaluate(1.0, "result == 1", "")
		judge.Evaluate(1.0, "result == 1"+padding+strings.Repeat(" ", i), "")
	}
	if got := judge.programs.text; got > maxCachedText {
		t.Errorf("%d bytes of conditions are cached, the limit is %d", got, maxCachedText)
	}
	if len(judge.programs.byKey) != judge.programs.order.Len() {
		t.Errorf("%d keys for %d programs", len(judge.programs.byKey), judge.programs.order.Len())
	}
	if hits, _ := judge.CacheStats(); hits != 99 {
		t.Errorf("%d hits of the condition in use, want 99", hits)
	}
}
