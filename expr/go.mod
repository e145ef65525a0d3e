module github.com/skywalking-provider/rollouts-plugin-metric-skywalking/expr

go 1.24

// The version of Argo Rollouts 1.10.x: a condition means here what it means there.
require github.com/expr-lang/expr v1.17.7
