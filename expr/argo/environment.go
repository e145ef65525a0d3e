package argo

import (
	"fmt"
	"math"
	"reflect"
	"strconv"

	"github.com/expr-lang/expr/builtin"
	"github.com/expr-lang/expr/types"
)

// environment is what a condition can name beside expr's own functions. The checker takes the type of `result` from
// its value, as it does at the controller: `result > '5'` is an error for a number, and none for a string.
func environment(result any) map[string]any {
	return map[string]any{
		"result":  result,
		"asInt":   asInt,
		"asFloat": asFloat,
		"isNaN":   math.IsNaN,
		"isInf":   isInf,
		// Argo's two ask about the whole result, whatever they are given.
		"isNil": func(any) bool { return isNil(result) },
		"default": func(_, other any) any {
			if isNil(result) {
				return other
			}
			return result
		},
	}
}

// anyEnvironment is the same for a result that nobody has seen yet.
func anyEnvironment() types.Map {
	all := types.Map{}
	for name, value := range environment(nil) {
		all[name] = types.TypeOf(value)
	}
	all["result"] = types.Any
	return all
}

func isInf(f float64) bool { return math.IsInf(f, 0) }

// isNil: encoding/json gives neither pointers nor nil maps and slices.
func isNil(in any) bool { return in == nil }

// asInt and asFloat panic with Argo's texts; expr makes errors of them.
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

// truncate is int64(f) of an amd64 controller. Go leaves a float that does not fit to the machine: amd64 answers the
// least int64, wasm and arm64 the nearest. Without this the verdict would depend on where it is computed.
func truncate(f float64) int64 {
	if math.IsNaN(f) || f >= 1<<63 || f < -1<<63 {
		return math.MinInt64
	}
	return int64(f)
}

// expr's own int() converts inside the library; its public table is the one place to reach it.
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
