package main

import "testing"

func TestLinesToPasteCallFlowctlAsItWasCalled(t *testing.T) {
	for called, want := range map[string]string{
		"flowctl":                "flowctl",
		"bin/flowctl":            "bin/flowctl",
		"./flowctl":              "./flowctl",
		"/opt/flowctl/flowctl":   "/opt/flowctl/flowctl",
		"/home/An Other/flowctl": "flowctl",
		"/home/$x/flowctl":       "flowctl",
	} {
		if got := self(called); got != want {
			t.Errorf("%q: got %q, want %q", called, got, want)
		}
	}
}
