package argo

import "testing"

func TestCheckAnyInvalidConditionReturnsProblemWithPosition(t *testing.T) {
	for condition, want := range map[string]Problem{
		"result > 1 &&":         {"unexpected token EOF", 1, 13, " | result > 1 &&\n | ............^"},
		"true &&\nsize(result)": {"unknown name size", 2, 1, " | size(result)\n | ^"},
		"asFloat(result) + 1":   {"expected bool, but got float64", 0, 0, ""},
	} {
		if got := CheckAny(condition); got == nil || *got != want {
			t.Errorf("%q: %+v, want %+v", condition, got, want)
		}
	}
}

func TestCheckForTypeErrorNeedsSample(t *testing.T) {
	for _, condition := range []string{
		"result > 1", "result.a.b[0].c == 'x'", "all(result, {.value > 1})", "result", "default(result, 1) == 1 && !isNil(result)",
	} {
		if got := CheckAny(condition); got != nil {
			t.Errorf("%q: %+v", condition, got)
		}
	}
	if got := CheckFor("result.a > 1", 5.0); got == nil || got.Message != "type float64 has no field a" || got.Column != 8 {
		t.Errorf("%+v", got)
	}
	if got := CheckFor("result.a > 1", map[string]any{}); got != nil {
		t.Errorf("%+v", got)
	}
}
