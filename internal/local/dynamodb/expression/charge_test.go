package expression

import "testing"

func TestChargesAreWhatTheExpressionSays(t *testing.T) {
	before := parseItem(t, `{"n":{"N":"3"},"ss":{"SS":["y"]},"l":{"L":[{"N":"0"}]},"m":{"M":{"kay":{"S":"v"}}}}`)
	for src, want := range map[string]int{
		"SET dest = :s":                               3 + 19 + 4 + 3,
		"SET m.kay = :s":                              3 + 19 + 1 + 4 + 3 + 3,
		"SET l[10] = :s":                              3 + 19 + 1 + 4 + 2 + 3,
		"SET dest = m.kay":                            3 + 19 + 4 + 1 + 14 + 1 + 14 + 3,
		"SET dest = :s, third = l[0]":                 3 + 19 + 4 + 3 + 19 + 5 + 1 + 14 + 1 + 14 + 1,
		"SET n = n + :n":                              3 + 19 + 1 + 34 + 15 + 1 + 2,
		"SET n = n - :n":                              3 + 19 + 1 + 37 + 15 + 1 + 2,
		"SET n = if_not_exists(n, :n)":                3 + 19 + 1 + 39 + 15 + 1 + 2,
		"SET neo = if_not_exists(neo, :s)":            3 + 19 + 3 + 39 + 15 + 3 + 3,
		"SET l = list_append(l, :l)":                  3 + 19 + 1 + 37 + 15 + 1 + 3 + 1 + 2,
		"SET l = list_append(if_not_exists(l,:l),:l)": 3 + 19 + 1 + 37 + 39 + 15 + 1 + 6 + 6,
		"ADD n :n":                                    3 + 19 + 1 + 2,
		"ADD ss :ss":                                  3 + 19 + 2 + 1,
		"ADD fresh :ss":                               3 + 19 + 5 + 2,
		"REMOVE m.kay, l[0], n":                       3 + 1 + 1 + 4 + 3 + 1 + 1 + 4 + 1 + 1 + 1,
		"DELETE ss :ss":                               3 + 1 + 2,
		"SET #dot = :s":                               3 + 19 + 3 + 3,
	} {
		u, err := ParseUpdate(src, placeholdersFor(t))
		if err != nil {
			t.Errorf("%s: %v", src, err)
		} else if got := u.Charge(before); got != want {
			t.Errorf("%s is charged %d, want %d", src, got, want)
		}
	}
}
