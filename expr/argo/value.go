package argo

import "encoding/json"

// Decode reads a result as Argo's built-in provider does, with encoding/json: every number is a float64; NaN, 1e400
// and nesting deeper than 10,000 are errors; a lone surrogate is U+FFFD.
func Decode(text []byte) (result any, err error) {
	err = json.Unmarshal(text, &result)
	return result, err
}

// Value is the result as Argo stores it in a measurement: compact, keys sorted, <, > and & escaped, floats as Go
// writes them (9900, 1e+21, 1e-7).
func Value(result any) ([]byte, error) { return json.Marshal(result) }
