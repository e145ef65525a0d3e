// Package promql holds the alert rules and the dashboard of the chart against the metrics that the service has, with
// Prometheus's own parser and engine.
package promql
