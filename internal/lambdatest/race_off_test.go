//go:build !race

package lambdatest

const raced = false
