package lambda

// runAsFunction makes the test binary a function where it is told to.
func runAsFunction() {}
