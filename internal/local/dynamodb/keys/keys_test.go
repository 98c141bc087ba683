package keys

import (
	"bytes"
	"math/rand/v2"
	"strconv"
	"testing"

	"github.com/flowctl-dev/flowctl/internal/local/dynamodb/item"
)

func number(t testing.TB, s string) item.Value {
	t.Helper()
	n, err := item.ParseNumber(s)
	if err != nil {
		t.Fatal(err)
	}
	return item.Num(n)
}

func TestEncodedNumbersSortByValue(t *testing.T) {
	sorted := []string{"-9.9999999999999999999999999999999999999E125", "-1e125", "-101", "-100.1", "-100", "-99", "-11", "-10.5", "-10", "-9", "-1.01", "-1",
		"-0.99", "-0.1", "-1e-130", "0", "1e-130", "0.00001", "0.1", "0.11", "0.2", "0.99", "1", "1.0001", "1.01", "2", "9", "9.9", "10", "11", "20",
		"99", "99.99", "100", "100.01", "101", "12345678901234567890123456789012345678", "1e125", "9.9999999999999999999999999999999999999E125"}
	for i := 1; i < len(sorted); i++ {
		a, b := Append(nil, number(t, sorted[i-1])), Append(nil, number(t, sorted[i]))
		if bytes.Compare(a, b) >= 0 {
			t.Errorf("%s (%x) does not sort before %s (%x)", sorted[i-1], a, sorted[i], b)
		}
	}
}

func TestRandomKeysSortAsTheirValuesAndNoneIsAPrefixOfAnother(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	text := func() item.Value {
		b := make([]byte, r.IntN(5))
		for i := range b {
			b[i] = []byte{0, 1, 2, 'a', 0xfe, 0xff}[r.IntN(6)]
		}
		return item.String(string(b))
	}
	digits := func() item.Value {
		return number(t, strconv.Itoa(r.IntN(4000)-2000)+"e"+strconv.Itoa(r.IntN(8)-4))
	}
	for _, make := range []func() item.Value{text, digits} {
		for range 20000 {
			v, w := make(), make()
			a, b := Append(nil, v), Append(nil, w)
			want, _ := item.Compare(v, w)
			if got := bytes.Compare(a, b); got != want {
				t.Fatalf("%s and %s compare as %d, encoded as %d: %x %x", v.AppendJSON(nil), w.AppendJSON(nil), want, got, a, b)
			}
			if want != 0 && (bytes.HasPrefix(a, b) || bytes.HasPrefix(b, a)) {
				t.Fatalf("%x and %x", a, b)
			}
		}
	}
}

func TestPrefixCoversExactlyTheStringsThatBeginWithIt(t *testing.T) {
	for _, prefix := range []string{"", "a", "a\x00", "\xff", "\xff\xff"} {
		low := AppendPrefix(nil, prefix)
		high := After(low)
		for _, s := range []string{"", "a", "a\x00", "a\x00\x00", "a\x01", "ab", "b", "\xfe\xff", "\xff", "\xff\xff", "\xff\xffz"} {
			k := Append(nil, item.String(s))
			in := bytes.Compare(k, low) >= 0 && (high == nil || bytes.Compare(k, high) < 0)
			if want := len(s) >= len(prefix) && s[:len(prefix)] == prefix; in != want {
				t.Errorf("%q begins with %q: %v by its key, want %v", s, prefix, in, want)
			}
		}
	}
}

func TestSegmentsShareTheHashSpaceWithoutGaps(t *testing.T) {
	for _, total := range []uint64{1, 2, 3, 7, 1000, 999999} {
		for _, partition := range []uint32{0, 1, 1 << 16, 1<<31 - 1, 1 << 31, 1<<32 - 1} {
			key := []byte{byte(partition >> 24), byte(partition >> 16), byte(partition >> 8), byte(partition), 'k'}
			in := 0
			guess := uint64(partition) * total >> 32
			for segment := max(guess, 2) - 2; segment < min(guess+3, total); segment++ {
				if bytes.Compare(key, SegmentStart(segment, total)) >= 0 && (segment+1 == total || bytes.Compare(key, SegmentStart(segment+1, total)) < 0) {
					in++
				}
			}
			if in != 1 {
				t.Errorf("partition %x is in %d of %d segments", partition, in, total)
			}
		}
	}
}
