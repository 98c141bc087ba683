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
		way := []string{v.name}
		silent := g.silentEnd(v.next, known)
		for _, w := range g.catch {
			if silent == nil && g.uncaught(v) {
				way = []string{v.name, "(a failure)"}
				silent = g.silentEnd(w.targets, known)
			}
		}
		if silent != nil {
			end := silent.end()
			hint := "lead on to an http.response, or end with `drop` or `fail`"
			if len(end.ports) > 0 {
				hint = "wire its `next` too: " + hint
			}
			g.wrong(end.key, "no-answer", fmt.Sprintf("a request at %s can end here without an answer: %s", v.name, silent.way(way...)), hint)
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

// silence is a way on which nobody answers, from its first node on.
type silence struct {
	at     *vertex
	behind *silence
}

// way adds the names of the nodes to those before it.
func (s *silence) way(before ...string) string {
	for ; s != nil; s = s.behind {
		before = append(before, s.at.name)
	}
	return strings.Join(before, " > ")
}

func (s *silence) end() *vertex {
	for s.behind != nil {
		s = s.behind
	}
	return s.at
}

// silentEnd finds a way on which nobody answers. Of several targets at once,
// one that answers is enough. known keeps what was found for each node.
func (g *graph) silentEnd(targets []at, known map[*vertex]*silence) *silence {
	var first *silence
	for _, t := range targets {
		v := g.by[t.node.Value]
		if v == nil || v.kind == nil {
			return nil
		}
		s, done := known[v]
		if !done {
			s = g.silentFrom(v, known)
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

// silentFrom finds a way from v on which nobody answers.
func (g *graph) silentFrom(v *vertex, known map[*vertex]*silence) *silence {
	if s := g.silentEnd(v.caught, known); s != nil {
		return &silence{v, s}
	}
	if v.kind.Replies || v.kind.Ends {
		return nil
	}
	for _, w := range v.ports {
		if s := g.silentEnd(w.targets, known); s != nil {
			return &silence{v, s}
		}
	}
	if len(v.next) > 0 {
		if s := g.silentEnd(v.next, known); s != nil {
			return &silence{v, s}
		}
		return nil
	}
	if len(v.ports) > 0 && v.kind.OnlyPorts {
		return nil
	}
	return &silence{at: v}
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
		g.parallelReplies(v.caught, known)
		for _, w := range v.ports {
			g.parallelReplies(w.targets, known)
		}
	}
	for _, w := range g.catch {
		g.parallelReplies(w.targets, known)
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
	branch, met := "", false
	for _, t := range targets {
		r := g.reply(g.by[t.node.Value], known)
		switch {
		case r == nil:
		case first == nil:
			first, branch = r, t.node.Value
		case r == first && (met || branch == t.node.Value): // reported, maybe as a wire that names a node twice
		case r == first:
			met = true
			g.wrong(r.key, "second-answer", fmt.Sprintf("the parallel branches %s and %s both come to %s, which answers the same request twice", branch, t.node.Value, r.name), "let one of them end without it")
		default:
			g.wrong(r.key, "second-answer", fmt.Sprintf("%s and %s stand in parallel branches and answer the same request", first.name, r.name), "keep one of them, or choose the branch with a switch")
		}
	}
}

// reply is the node that answers whatever message comes to v, nil if that
// depends on the message.
func (g *graph) reply(v *vertex, known map[*vertex]*vertex) *vertex {
	switch {
	case v == nil || v.kind == nil || v.kind.OnlyPorts || v.kind.Ends:
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
