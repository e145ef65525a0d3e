package argo

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/types"
)

// environment returns the names of a condition besides expr's own functions. The checker takes the type of `result` from
// its value, as in the controller: `result > '5'` is an error for a number, but not for a string.
func environment(result any) map[string]any {
	return map[string]any{
		"result":  result,
		"asInt":   asInt,
		"asFloat": asFloat,
		"isNaN":   math.IsNaN,
		"isInf":   isInf,
		// As in Argo, these two test the whole result and ignore their argument.
		"isNil": func(any) bool { return isNil(result) },
		"default": func(_, other any) any {
			if isNil(result) {
				return other
			}
			return result
		},
	}
}

// anyEnvironment returns the same names for a result of unknown type.
func anyEnvironment() types.Map {
	all := types.Map{}
	for name, value := range environment(nil) {
		all[name] = types.TypeOf(value)
	}
	all["result"] = types.Any
	return all
}

func isInf(f float64) bool { return math.IsInf(f, 0) }

// isNil reports whether a result is null. It compares with nil only: encoding/json produces no pointers and no nil maps
// or slices.
func isNil(in any) bool { return in == nil }

// asInt converts a value as Argo's function does. It panics with Argo's text, which expr turns into an error.
func asInt(in any) int64 {
	switch i := in.(type) {
	case float64:
		return truncate(i)
	case float32:
		return truncate(float64(i))
	case int64:
		return i
	case int32:
		return int64(i)
	case int16:
		return int64(i)
	case int8:
		return int64(i)
	case int:
		return int64(i)
	case uint64:
		return int64(i)
	case uint32:
		return int64(i)
	case uint16:
		return int64(i)
	case uint8:
		return int64(i)
	case uint:
		return int64(i)
	case string:
		n, err := strconv.ParseInt(i, 10, 64)
		if err == nil {
			return n
		}
		panic(err)
	}
	panic(fmt.Sprintf("asInt() not supported on %v %v", reflect.TypeOf(in), in))
}

// asFloat converts a value as Argo's function does. It panics with Argo's text, which expr turns into an error.
func asFloat(in any) float64 {
	switch i := in.(type) {
	case float64:
		return i
	case float32:
		return float64(i)
	case int64:
		return float64(i)
	case int32:
		return float64(i)
	case int16:
		return float64(i)
	case int8:
		return float64(i)
	case int:
		return float64(i)
	case uint64:
		return float64(i)
	case uint32:
		return float64(i)
	case uint16:
		return float64(i)
	case uint8:
		return float64(i)
	case uint:
		return float64(i)
	case string:
		f, err := strconv.ParseFloat(i, 64)
		if err == nil {
			return f
		}
		panic(err)
	}
	panic(fmt.Sprintf("asFloat() not supported on %v %v", reflect.TypeOf(in), in))
}

// truncate returns int64(f) as computed by an amd64 controller. The result for a float out of range depends on the
// architecture: the minimum int64 on amd64, the nearest int64 on wasm and arm64. Without this function the verdict would
// depend on it as well.
func truncate(f float64) int64 {
	if math.IsNaN(f) || f >= 1<<63 || f < -1<<63 {
		return math.MinInt64
	}
	return int64(f)
}

// init replaces expr's own int() by one that uses truncate. The library's public table is the only access to it.
func init() {
	for _, f := range builtin.Builtins {
		if f.Name == "int" {
			original := f.Fast
			f.Fast = func(in any) any {
				if x, ok := in.(float64); ok {
					return int(truncate(x))
				}
				return original(in)
			}
			return
		}
	}
	panic("expr has no int(): see truncate")
}
