package argo

import (
	"strings"

	"github.com/expr-lang/expr"
	"github.com/expr-lang/expr/file"
)

// Problem is what is wrong with a condition before any result is known. Line and Column count from 1 and are 0 where
// the whole condition is meant; Snippet is the line with a mark under the place.
type Problem struct {
	Message string `json:"message"`
	Line    int    `json:"line"`
	Column  int    `json:"column"`
	Snippet string `json:"snippet"`
}

// CheckAny finds what no result can make right: syntax, unknown names, wrong arguments, a condition that cannot be
// true or false. What depends on the result's type passes; CheckFor sees that too.
func CheckAny(source string) *Problem {
	_, err := compile(source, expr.Env(anyEnvironment()), expr.AsBool())
	return toProblem(err)
}

// CheckFor compiles for results of the same type as the sample.
func CheckFor(source string, sample any) *Problem {
	_, err := compile(source, expr.Env(environment(sample)), expr.AsBool())
	return toProblem(err)
}

func toProblem(err error) *Problem {
	if err == nil {
		return nil
	}
	if at, ok := err.(*file.Error); ok && at.Line > 0 {
		return &Problem{at.Message, at.Line, at.Column + 1, strings.TrimPrefix(at.Snippet, "\n")}
	}
	return &Problem{Message: dropPosition(err).Error()}
}
