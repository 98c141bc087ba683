//go:build race

package lambdatest

// raced says that the test runs with the race detector, and so do the programs
// that it starts.
const raced = true
