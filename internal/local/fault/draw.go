package fault

import (
	"hash/fnv"
	"time"
)

// draw is the source of chance for one operation under one rule: a pure
// function of the seed, the rule and the operation's number, from 1.
type draw struct{ seed, rule, n uint64 }

// The draws of one operation must not depend on each other; each has its place.
const (
	drawKind = iota
	drawDelay
	drawDuplicate // and those behind it, one for each message
)

// unit gives a number from 0 up to but without 1.
func (d draw) unit(place uint64) float64 {
	return float64(mix(mix(mix(d.seed^d.rule)+d.n)+place)>>11) / (1 << 53)
}

// mix is the step of SplitMix64 (Steele, Lea and Flood, "Fast Splittable
// Pseudorandom Number Generators", 2014).
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// hash tells rules apart. The rule's text is what counts, not its place in the
// command line.
func (r Rule) hash() uint64 {
	h := fnv.New64a()
	_, _ = h.Write([]byte(r.String()))
	return h.Sum64()
}

// kindOf draws one kind: each has its share of the whole, so that throttle=50%
// is one half whatever else the rule says.
func (r Rule) kindOf(d draw) Kind {
	at := 100 * d.unit(drawKind)
	for _, s := range r.Shares {
		if at -= s.Percent; at < 0 {
			return s.Kind
		}
	}
	return None
}

func (r Rule) delayOf(d draw) time.Duration {
	if r.DelayMax == r.DelayMin {
		return r.DelayMin
	}
	return r.DelayMin + time.Duration(d.unit(drawDelay)*float64(r.DelayMax-r.DelayMin))
}

// hits decides about the message at a place of a reply.
func (d duplication) hits(message int) bool {
	return 100*d.draw.unit(uint64(drawDuplicate+message)) < d.share
}
