// Package mqtt joins flows to MQTT brokers: the broker as a resource, mqtt.out
// and mqtt.in.
//
// Section numbers are those of the MQTT 3.1.1 specification.
package mqtt

import "github.com/flowctl-dev/flowctl/engine"

// Kinds are the node types of the family.
func Kinds() []*engine.Kind { return []*engine.Kind{outKind, inKind} }

// Resources are the resource types of the family.
func Resources() []*engine.Kind { return []*engine.Kind{brokerKind} }

// Local is the service that tells where the process runs a broker of its own,
// for resources that name none. It is not provided where there is no such
// broker.
type Local struct {
	// URL such as mqtt://127.0.0.1:1883.
	URL string
}
