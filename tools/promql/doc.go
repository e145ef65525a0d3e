// Package promql tests the chart's alert rules and dashboard against the metrics of the service, with Prometheus's own
// parser and engine.
package promql
