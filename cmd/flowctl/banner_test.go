package main

import "testing"

func TestMosquittoIsToldOfABrokerElsewhere(t *testing.T) {
	for addr, want := range map[string]string{
		"127.0.0.1:1883": "", "127.0.0.1:18": " -p 18", "192.0.2.1:1883": " -h 192.0.2.1", "[::1]:18": " -h ::1 -p 18",
	} {
		if got := mosquittoFlags(addr); got != want {
			t.Errorf("%s: got %q, want %q", addr, got, want)
		}
	}
}

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
