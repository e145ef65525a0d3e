package argo

import "encoding/json"

// Decode parses a result with encoding/json, like Argo's built-in provider: every number becomes a float64; NaN, 1e400
// and nesting deeper than 10,000 are errors; a lone surrogate becomes U+FFFD.
func Decode(text []byte) (result any, err error) {
	err = json.Unmarshal(text, &result)
	return result, err
}

// Value returns the result as Argo stores it in a measurement: compact, keys sorted, <, > and & escaped, floats in Go's
// format (9900, 1e+21, 1e-7).
func Value(result any) ([]byte, error) { return json.Marshal(result) }
