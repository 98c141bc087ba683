// Package logic is the node family that steers a message without touching
// anything outside: switch, set, log, fail and drop.
package logic

import "github.com/flowctl-dev/flowctl/engine"

// Kinds are the family's node types.
func Kinds() []*engine.Kind {
	return []*engine.Kind{
		engine.Define(switchSpec),
		engine.Define(setSpec),
		engine.Define(logSpec),
		engine.Define(failSpec),
		engine.Define(dropSpec),
	}
}
