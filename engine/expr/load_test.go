package expr

import (
	"reflect"
	"strings"
	"testing"
)

// A body that is not JSON is no null: an expression that comes to it fails, be
// it made for the machine or not.
func TestABodyThatIsNoJSONIsNotTakenForNull(t *testing.T) {
	for _, source := range []string{
		`event.raw?.items ?? []`,
		`len(event.raw?.items ?? [])`,
		`map([1], event.raw?.x ?? 0)`,
		`any([1], event.raw == nil)`,
		`let raw = event.raw; raw == nil`,
		`event.raw == nil ? len("none") : 1`,
	} {
		p, cerr := Compile(source, testScope(), "")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", source, cerr)
			continue
		}
		if v, err := p.Eval(testEnv()); err == nil || !strings.Contains(err.Error(), "not valid JSON at byte 1") {
			t.Errorf("%s = %v, %v; want an error that says that the body is not JSON", source, v, err)
		}
	}
}

func TestABodyThatNobodyLooksIntoFailsNothing(t *testing.T) {
	for source, want := range map[string]any{
		`len(event.body.tags) > 1 ? "many" : event.raw.x`: "many",
		`filter([1, 2], # > 1 or event.raw.x)`:            nil,
		`len(event.headers)`:                              1,
	} {
		p, cerr := Compile(source, testScope(), "")
		if cerr != nil {
			t.Fatalf("Compile(%s): %v", source, cerr)
		}
		v, err := p.Eval(testEnv())
		if want == nil {
			if err == nil {
				t.Errorf("%s = %v; want an error", source, v)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(v, want) {
			t.Errorf("%s = %v, %v; want %v", source, v, err, want)
		}
	}
}

// What the whole event is read for, its documents are open to all the same.
func TestTheWholeEventIsReadAsItsFieldsAre(t *testing.T) {
	for _, source := range []string{
		`let e = event; e.body.areacode`,
		`event["bo" + "dy"].areacode`,
		`get(event, "body").areacode`,
		`first([event]).body.areacode`,
		`filter([event], .body.seats == 4)[0].body.areacode`,
		`fromPairs(toPairs(event)).body.areacode`,
	} {
		p, cerr := Compile(source, testScope(), "")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", source, cerr)
			continue
		}
		if v, err := p.Eval(testEnv()); err != nil || v != "2331" {
			t.Errorf("%s = %v, %v; want 2331", source, v, err)
		}
	}
}

// The library gives groups as a map of a type of its own.
func TestGroupsAreReadLikeObjects(t *testing.T) {
	groups, err := Compile(`groupBy(event.body.stops, .city)`, testScope(), "")
	if err != nil {
		t.Fatal(err)
	}
	v, eerr := groups.Eval(testEnv())
	if eerr != nil {
		t.Fatal(eerr)
	}
	env := &Env{Vars: []any{v}}
	scope := &Scope{Vars: map[string]Slot{"groups": {Always: true, Type: groups.Type()}}}
	for source, want := range map[string]any{
		`vars.groups.Graz[0].km`:          3,
		`vars.groups["Linz"][0].km`:       9,
		`vars.groups.Wien`:                nil,
		`len(vars.groups.Graz)`:           1,
		`{"g": vars.groups}.g.Graz[0].km`: 3,
	} {
		p, cerr := Compile(source, scope, "")
		if cerr != nil {
			t.Errorf("Compile(%s): %v", source, cerr)
			continue
		}
		if got, err := p.Eval(env); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s = %v, %v; want %v", source, got, err, want)
		}
	}
}

func TestIntegersOfTimesFitFieldsOfNumbers(t *testing.T) {
	var n Value[int]
	n.Set(Text(`${{ date("2026-01-01T00:00:00Z").Unix() }}`))
	if p := n.Compile(&Scope{}); len(p) > 0 {
		t.Fatal(p[0].Error)
	}
	if got, err := n.Get(&Env{}); err != nil || got != 1767225600 {
		t.Errorf("Unix() = %v, %v", got, err)
	}
}

// FuzzPartsOfTexts holds parts of texts to those of a list of their characters.
func FuzzPartsOfTexts(f *testing.F) {
	f.Add("größer", 1, -1)
	f.Add("", 0, 5)
	f.Add("\xff\xfeä", 1, 2)
	f.Fuzz(func(t *testing.T, s string, from, to int) {
		got, err := slice(s, from, to)
		list, lerr := slice([]rune(s), from, to)
		if err != nil || lerr != nil {
			t.Fatalf("%q[%d:%d]: %v, %v", s, from, to, err, lerr)
		}
		if want := string(list.([]rune)); strings.ToValidUTF8(got.(string), "\ufffd") != strings.ToValidUTF8(want, "\ufffd") && !strings.Contains(want, "\ufffd") {
			t.Errorf("%q[%d:%d] = %q; want %q", s, from, to, got, want)
		}
	})
}
