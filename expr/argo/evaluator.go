// Package argo evaluates conditions as the Argo Rollouts controller does: the same library, environment, matrix and
// messages (argo-rollouts v1.10, utils/evaluate/evaluate.go, Apache-2.0). It adds what the controller lacks: a cache
// of compiled conditions, and positions for those who validate a condition before it is used.
package argo

import (
	"errors"
	"fmt"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
)

// Phase is Argo's AnalysisPhase of a finished measurement.
type Phase string

// The four ends of a measurement.
const (
	Successful   Phase = "Successful"
	Failed       Phase = "Failed"
	Error        Phase = "Error"
	Inconclusive Phase = "Inconclusive"
)

// Evaluator holds compiled conditions. Not safe for concurrent use.
type Evaluator struct{ programs programCache }

// NewEvaluator makes a Judge with an empty cache.
func NewEvaluator() *Evaluator { return &Evaluator{newProgramCache()} }

// Evaluate is evaluate.EvaluateResult: both conditions are asked, success first, and an error in either is an Error.
// A result must be what encoding/json decodes into any.
func (j *Evaluator) Evaluate(result any, success, failure string) (Phase, error) {
	var good, bad bool
	var err error
	if success != "" {
		if good, err = j.evaluateCondition(result, success); err != nil {
			return Error, formatError(err, "successCondition", success, result)
		}
	}
	if failure != "" {
		if bad, err = j.evaluateCondition(result, failure); err != nil {
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

// evaluateCondition is evaluate.EvalCondition.
func (j *Evaluator) evaluateCondition(result any, source string) (bool, error) {
	env := environment(result)
	program, err := j.programs.get(source, env)
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

// dropPosition drops position and snippet, as Argo does.
func dropPosition(err error) error {
	if at, ok := err.(*file.Error); ok {
		return errors.New(at.Message)
	}
	return err
}

// formatError is evaluate.formatEvalError.
func formatError(err error, which, source string, result any) error {
	list, isList := result.([]any)
	if isNil(result) || isList && len(list) == 0 {
		return fmt.Errorf("could not evaluate %s \"%s\": metric result is nil or empty: no data returned from the metric provider", which, source)
	}
	return fmt.Errorf("could not evaluate %s \"%s\": %w", which, source, err)
}
