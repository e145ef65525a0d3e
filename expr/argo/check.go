package argo

import (
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
)

// Problem is an error of a condition that is found without evaluating it. Line and Column count from 1; they are 0 if the
// problem concerns the whole condition. Snippet is the line with a mark under the position.
type Problem struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Snippet string `json:"snippet"`
}

// CheckAny returns a problem that exists for every result: syntax, unknown names, wrong arguments, a value that is not a
// bool. Problems that depend on the result's type pass; CheckFor reports those as well.
func CheckAny(source string) *Problem {
	_, err := compile(source, expr.Env(anyEnvironment()), expr.AsBool())
	return toProblem(err)
}

// CheckFor returns a problem that exists for results of the sample's type.
func CheckFor(source string, sample any) *Problem {
	_, err := compile(source, expr.Env(environment(sample)), expr.AsBool())
	return toProblem(err)
}

// toProblem returns a compiler error as a Problem, and nil without an error.
func toProblem(err error) *Problem {
	if err == nil {
		return nil
	}
	if at, ok := err.(*file.Error); ok && at.Line > 0 {
		return &Problem{at.Message, at.Line, at.Column + 1, strings.TrimPrefix(at.Snippet, "\n")}
	}
	return &Problem{Message: dropPosition(err).Error()}
}
