package store

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.etcd.io/bbolt"
)

// sample makes a data file with branch, leaf and overflow pages, inline and nested buckets and free pages.
func sample(t testing.TB) []byte {
	t.Helper()
	dir := t.TempDir()
	db, err := Open(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	for round := range 3 {
		err = db.Update(func(tx *bbolt.Tx) error {
			for _, name := range []string{"big", "small", "wide"} {
				b, err := tx.CreateBucketIfNotExists([]byte(name))
				if err != nil {
					return err
				}
				n := map[string]int{"big": 3, "small": 2, "wide": 400}[name]
				for i := range n {
					size := map[string]int{"big": 10000, "small": 5, "wide": 100}[name]
					if err := b.Put(fmt.Appendf(nil, "%04d", i), bytes.Repeat([]byte{byte(round)}, size)); err != nil {
						return err
					}
				}
			}
			inner, err := tx.Bucket([]byte("small")).CreateBucketIfNotExists([]byte("inner"))
			if err != nil {
				return err
			}
			return inner.Put([]byte("k"), []byte("v"))
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(filepath.Join(dir, FileName))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestVerifyAcceptsWhatBboltWrites(t *testing.T) {
	if err := verify(bytes.NewReader(sample(t))); err != nil {
		t.Error(err)
	}
	dir := t.TempDir()
	if err := open(t, dir).Close(); err != nil {
		t.Fatal(err)
	}
	open(t, dir) // a file that was never written to
}

func TestOpenRefusesADamagedFile(t *testing.T) {
	good := sample(t)
	page := os.Getpagesize()
	tests := map[string]struct {
		damage func(b []byte) []byte
		want   string
	}{
		"cut off":               {func(b []byte) []byte { return b[:5*page+100] }, "cut off"},
		"cut off in the metas":  {func(b []byte) []byte { return b[:page] }, "too small"},
		"cut off in the meta":   {func(b []byte) []byte { return b[:100] }, "invalid database"},
		"first meta flipped":    {func(b []byte) []byte { b[60] ^= 1; return b }, "page 0"},
		"second meta flipped":   {func(b []byte) []byte { b[page+60] ^= 1; return b }, "page 1"},
		"not a database":        {func([]byte) []byte { return bytes.Repeat([]byte("no"), 10000) }, "invalid database"},
		"pages filled with 0":   {func(b []byte) []byte { clear(b[2*page:]); return b }, "page"},
		"pages filled with 255": {func(b []byte) []byte { copy(b[2*page:], bytes.Repeat([]byte{255}, len(b))); return b }, "page"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, FileName)
			bad := test.damage(bytes.Clone(good))
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := Open(dir, Options{})
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), test.want) || !strings.Contains(err.Error(), "move it away") {
				t.Errorf("error %v, want one with %q", err, test.want)
			}
			after, err := os.ReadFile(path)
			if err != nil || !bytes.Equal(after, bad) {
				t.Error("the damaged file was changed")
			}
		})
	}
}

// TestAFlippedBitNeverCrashesTheProcess flips bits of pages in use; what verify lets pass, bbolt must be able to read.
func TestAFlippedBitNeverCrashesTheProcess(t *testing.T) {
	good := sample(t)
	seed := uint64(rand.Int64())
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 0))
	dir := t.TempDir()
	path := filepath.Join(dir, FileName)
	refused := 0
	for range 300 {
		bad := bytes.Clone(good)
		// Headers and element tables are at the pages' beginnings.
		at := r.IntN(len(bad)/os.Getpagesize())*os.Getpagesize() + r.IntN(64)
		bad[at] ^= 1 << r.IntN(8)
		if err := os.WriteFile(path, bad, 0o600); err != nil {
			t.Fatal(err)
		}
		db, err := Open(dir, Options{})
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Fatalf("byte %d: %v", at, err)
			}
			refused++
			continue
		}
		walk(t, db)
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if refused == 0 {
		t.Error("no damage was found")
	}
}

func walk(t *testing.T, db *DB) {
	t.Helper()
	err := db.View(func(tx *bbolt.Tx) error {
		return tx.ForEach(func(_ []byte, b *bbolt.Bucket) error {
			return b.ForEach(func(k, v []byte) error { _ = bytes.Clone(v); return nil })
		})
	})
	if err != nil {
		t.Error(err)
	}
}

func FuzzVerify(f *testing.F) {
	good := sample(f)
	f.Add(uint(0), []byte{})
	f.Add(uint(24), []byte{0xFF, 0xFF})
	f.Add(uint(os.Getpagesize()*3+10), []byte{0xFF, 0xFF, 0xFF})
	f.Fuzz(func(t *testing.T, at uint, patch []byte) {
		b := bytes.Clone(good)
		copy(b[at%uint(len(b)):], patch)
		if err := verify(bytes.NewReader(b)); err != nil && !errors.Is(err, ErrDamaged) {
			t.Errorf("verify: %v", err)
		}
	})
}
