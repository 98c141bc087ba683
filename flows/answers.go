package flows

import (
	"fmt"
	"slices"
	"strings"
)

// answers reports the ways from a source that must answer to an end that does
// not.
func (g *graph) answers() {
	known := map[*vertex]*silence{}
	for _, v := range g.nodes {
		if v.kind == nil || !v.kind.Answered || len(v.next) == 0 {
			continue
		}
		silent := g.silentEnd(v.next, known, []string{v.name})
		for _, w := range g.catch {
			if silent == nil && g.uncaught(v) {
				silent = g.silentEnd(w.targets, known, []string{v.name, "(a failure)"})
			}
		}
		if silent != nil {
			hint := "lead on to an http.response, or end with `drop` or `fail`"
			if len(silent.end.ports) > 0 {
				hint = "wire its `next` too: " + hint
			}
			g.wrong(silent.end.key, "no-answer", fmt.Sprintf("a request at %s can end here without an answer: %s", v.name, strings.Join(silent.way, " > ")), hint)
		}
	}
}

// uncaught reports whether a node behind the source leaves its failures to the
// flow.
func (g *graph) uncaught(source *vertex) bool {
	return slices.ContainsFunc(g.nodes, func(v *vertex) bool {
		return v.kind != nil && !v.kind.IsSource() && len(v.caught) == 0 && slices.Contains(v.sources, source)
	})
}

type silence struct {
	end *vertex
	way []string
}

// silentEnd finds a way on which nobody answers. Of several targets at once,
// one that answers is enough. known keeps what was found for each node.
func (g *graph) silentEnd(targets []at, known map[*vertex]*silence, way []string) *silence {
	var first *silence
	for _, t := range targets {
		v := g.by[t.node.Value]
		if v == nil || v.kind == nil {
			return nil
		}
		s, done := known[v]
		if !done {
			s = g.silentFrom(v, known, append(slices.Clip(way), v.name))
			known[v] = s
		}
		if s == nil {
			return nil
		}
		if first == nil {
			first = s
		}
	}
	return first
}

func (g *graph) silentFrom(v *vertex, known map[*vertex]*silence, way []string) *silence {
	if s := g.silentEnd(v.caught, known, way); s != nil {
		return s
	}
	if v.kind.Replies || v.kind.Ends {
		return nil
	}
	for _, w := range v.ports {
		if s := g.silentEnd(w.targets, known, way); s != nil {
			return s
		}
	}
	if len(v.next) > 0 {
		return g.silentEnd(v.next, known, way)
	}
	if len(v.ports) > 0 && v.kind.OnlyPorts {
		return nil
	}
	return &silence{v, way}
}

// replies reports nodes that answer where nobody waits, or once more.
func (g *graph) replies() {
	for _, v := range g.nodes {
		if v.kind == nil || !v.kind.Replies {
			continue
		}
		for _, s := range v.sources {
			if s.kind.Answer != v.kind.Answer {
				g.wrong(v.key, "no-request", fmt.Sprintf("%s answers a request, but messages of %s (%s) come here, and nobody waits for an answer to those", v.name, s.name, s.kind.Type), "lead them another way, or remove the node")
				break
			}
		}
		for _, second := range g.repliesBehind(v, map[*vertex]bool{}) {
			g.wrong(second.key, "second-answer", fmt.Sprintf("%s has answered the request before it comes to %s", v.name, second.name), "keep one of them on each way")
		}
	}
	known := map[*vertex]*vertex{}
	for _, v := range g.nodes {
		g.parallelReplies(v.next, known)
		for _, w := range v.ports {
			g.parallelReplies(w.targets, known)
		}
	}
}

// repliesBehind are the nodes behind v that answer, failures apart.
func (g *graph) repliesBehind(v *vertex, seen map[*vertex]bool) []*vertex {
	var out []*vertex
	for _, t := range v.forward() {
		to := g.by[t.node.Value]
		if to == nil || to.kind == nil || seen[to] {
			continue
		}
		seen[to] = true
		if to.kind.Replies {
			out = append(out, to)
		}
		out = append(out, g.repliesBehind(to, seen)...)
	}
	return out
}

// parallelReplies reports branches of one fan-out that each answer for sure.
func (g *graph) parallelReplies(targets []at, known map[*vertex]*vertex) {
	var first *vertex
	for _, t := range targets {
		r := g.reply(g.by[t.node.Value], known)
		switch {
		case r == nil || r == first:
		case first == nil:
			first = r
		default:
			g.wrong(r.key, "second-answer", fmt.Sprintf("%s and %s stand in parallel branches and answer the same request", first.name, r.name), "keep one of them, or choose the branch with a switch")
		}
	}
}

// reply is the node that answers whatever message comes to v, nil if that
// depends on the message.
func (g *graph) reply(v *vertex, known map[*vertex]*vertex) *vertex {
	switch {
	case v == nil || v.kind == nil || v.kind.OnlyPorts:
		return nil
	case v.kind.Replies:
		return v
	}
	r, done := known[v]
	for i := 0; i < len(v.next) && !done && r == nil; i++ {
		r = g.reply(g.by[v.next[i].node.Value], known)
	}
	known[v] = r
	return r
}
