// Package argo evaluates conditions as the Argo Rollouts controller does, with the same library, environment, matrix and
// messages (argo-rollouts v1.10, utils/evaluate/evaluate.go, Apache-2.0). It adds a cache of compiled conditions, and
// checks of conditions that report positions.
package argo

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
)

// Phase is Argo's AnalysisPhase of a finished measurement.
type Phase string

// The phases of a finished measurement.
const (
	Successful   Phase = "Successful"
	Failed       Phase = "Failed"
	Error        Phase = "Error"
	Inconclusive Phase = "Inconclusive"
)

// Evaluator evaluates conditions and caches them compiled. It is not safe for concurrent use.
type Evaluator struct{ programs programCache }

// NewEvaluator returns an Evaluator with an empty cache.
func NewEvaluator() *Evaluator { return &Evaluator{newProgramCache()} }

// Evaluate returns the phase of a result, like Argo's evaluate.EvaluateResult. Both conditions are evaluated, success
// first, and an error in either gives Error. The result must be a value that encoding/json decodes into any.
func (e *Evaluator) Evaluate(result any, success, failure string) (Phase, error) {
	var good, bad bool
	var err error
	if success != "" {
		if good, err = e.evaluateCondition(result, success); err != nil {
			return Error, formatError(err, "successCondition", success, result)
		}
	}
	if failure != "" {
		if bad, err = e.evaluateCondition(result, failure); err != nil {
			return Error, formatError(err, "failureCondition", failure, result)
		}
	}
	switch {
	case success == "" && failure == "":
		return Successful, nil
	case failure == "":
		bad = !good
	case success == "":
		good = !bad
	}
	switch {
	case bad:
		return Failed, nil
	case good:
		return Successful, nil
	}
	return Inconclusive, nil
}

// evaluateCondition returns the value of one condition, like Argo's evaluate.EvalCondition.
func (e *Evaluator) evaluateCondition(result any, source string) (bool, error) {
	env := environment(result)
	program, err := e.programs.get(source, env)
	if err != nil {
		return false, dropPosition(err)
	}
	out, err := expr.Run(program, env)
	if err != nil {
		return false, dropPosition(err)
	}
	if yes, ok := out.(bool); ok {
		return yes, nil
	}
	return false, fmt.Errorf("expected bool, but got %T", out)
}

// dropPosition removes position and snippet from an error, as Argo does.
func dropPosition(err error) error {
	if at, ok := err.(*file.Error); ok {
		return errors.New(at.Message)
	}
	return err
}

// formatError returns the message of a failed condition, like Argo's evaluate.formatEvalError.
func formatError(err error, which, source string, result any) error {
	list, isList := result.([]any)
	if isNil(result) || isList && len(list) == 0 {
		return fmt.Errorf("could not evaluate %s \"%s\": metric result is nil or empty: no data returned from the metric provider", which, source)
	}
	return fmt.Errorf("could not evaluate %s \"%s\": %w", which, source, err)
}
