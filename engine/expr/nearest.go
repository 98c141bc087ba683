package expr

import "fmt"

// Nearest is a hint with the name that a misspelt one was most likely meant to
// be, or "" when none is near.
func Nearest(name string, names []string) string {
	if best := Closest(name, names); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// Closest is the one of names that a misspelt name was most likely meant to be,
// or "" when none is near.
func Closest(name string, names []string) string {
	best, bestDistance := "", 1+len([]rune(name))/3
	for _, n := range names {
		if d := distance(name, n); d <= bestDistance && (best == "" || d < bestDistance) {
			best, bestDistance = n, d
		}
	}
	return best
}

// distance counts the letters to change, add, drop or swap (optimal string
// alignment); a difference in case or between - and _ counts nothing.
func distance(a, b string) int {
	x, y := fold(a), fold(b)
	before, prev, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, prev, row = prev, row, before
	}
	return prev[len(y)]
}

func fold(s string) []rune {
	out := []rune(s)
	for i, r := range out {
		switch {
		case r >= 'A' && r <= 'Z':
			out[i] = r + 'a' - 'A'
		case r == '-':
			out[i] = '_'
		}
	}
	return out
}
