package store

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"math"
)

// The layout of a bbolt file, version 2, as of go.etcd.io/bbolt v1.5.0 internal/common: numbers are in the machine's byte
// order.
const (
	pageHeaderSize = 16
	metaSize       = 64
	elementSize    = 16
	bucketSize     = 16

	boltMagic   = 0xED0CDAED
	boltVersion = 2

	branchPage = 0x01
	leafPage   = 0x02
	metaPage   = 0x04

	freelistPage = 0x10
	noFreelist   = math.MaxUint64

	bucketLeaf = 0x01
)

var order = binary.NativeEndian

// verify walks every page of a bbolt file and reports the first thing that is not as bbolt writes it. bbolt itself trusts
// its pages: a bad page number makes it read outside the mapped file, which ends the process.
func verify(r io.ReaderAt) error {
	v := verifier{r: r}
	root, err := v.meta()
	if err != nil {
		return err
	}
	return v.page(root, nil, nil, 0)
}

type verifier struct {
	r        io.ReaderAt
	pageSize uint64
	pages    uint64
	seen     []bool // pages
	buckets  int    // around the page that is being checked; at 0 there are only buckets
}

// maxDepth is beyond any tree that fits in 2^64 pages; a page that leads back to itself would go deeper.
const maxDepth = 64

func damaged(page uint64, format string, args ...any) error {
	return fmt.Errorf("%w: page %d: %s", ErrDamaged, page, fmt.Sprintf(format, args...))
}

// meta checks both meta pages and gives the root page of the newer one. bbolt would fall back silently to the older page
// when the newer is bad, and so lose the last commit; a meta page is far smaller than a disk sector, so no crash tears it.
func (v *verifier) meta() (root uint64, err error) {
	var newest, freelist uint64
	for i := range uint64(2) {
		if i == 1 && v.pageSize == 0 {
			return 0, damaged(0, "no page size")
		}
		b := make([]byte, pageHeaderSize+metaSize)
		if _, err := v.r.ReadAt(b, int64(i*v.pageSize)); err != nil {
			return 0, damaged(i, "the file is cut off")
		}
		m := b[pageHeaderSize:]
		sum := fnv.New64a()
		sum.Write(m[:56])
		switch {
		case order.Uint32(m) != boltMagic:
			return 0, damaged(i, "not a data file of flowctl")
		case order.Uint32(m[4:]) != boltVersion:
			return 0, damaged(i, "unknown version %d", order.Uint32(m[4:]))
		case order.Uint64(m[56:]) != sum.Sum64():
			return 0, damaged(i, "the meta page does not match its checksum")
		case order.Uint16(b[8:])&metaPage == 0 || order.Uint64(b) != i:
			return 0, damaged(i, "the meta page's header is wrong")
		}
		size := uint64(order.Uint32(m[8:]))
		if i == 0 && (size < 1024 || size > 1<<24 || size&(size-1) != 0) || i == 1 && size != v.pageSize {
			return 0, damaged(i, "page size %d", size)
		}
		v.pageSize = size
		if txid := order.Uint64(m[48:]); i == 0 || txid > newest {
			newest, root, freelist, v.pages = txid, order.Uint64(m[16:]), order.Uint64(m[32:]), order.Uint64(m[40:])
		}
	}
	if v.pages > math.MaxInt64/v.pageSize {
		return 0, damaged(0, "%d pages", v.pages)
	}
	if err := v.length(); err != nil {
		return 0, err
	}
	v.seen = make([]bool, v.pages)
	return root, v.freelist(freelist)
}

// length checks that the file reaches as far as its last page.
func (v *verifier) length() error {
	if _, err := v.r.ReadAt(make([]byte, 1), int64(v.pages*v.pageSize)-1); err != nil {
		return damaged(v.pages-1, "the file is cut off")
	}
	return nil
}

// freelist checks the list of free pages, which only a file has that was never written to since bbolt made it.
func (v *verifier) freelist(id uint64) error {
	if id == noFreelist {
		return nil
	}
	b, err := v.read(id)
	if err != nil {
		return err
	}
	if order.Uint16(b[8:]) != freelistPage || order.Uint16(b[10:]) != 0 {
		return damaged(id, "the list of free pages is wrong")
	}
	return nil
}

// read gives a page with its overflow.
func (v *verifier) read(id uint64) ([]byte, error) {
	if id < 2 || id >= v.pages {
		return nil, damaged(id, "outside of the file's %d pages", v.pages)
	}
	b := make([]byte, v.pageSize)
	if _, err := v.r.ReadAt(b, int64(id*v.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	overflow := uint64(order.Uint32(b[12:]))
	if order.Uint64(b) != id || overflow >= v.pages-id {
		return nil, damaged(id, "the page header is wrong")
	}
	for n := id; n <= id+overflow; n++ {
		if v.seen[n] {
			return nil, damaged(n, "used twice")
		}
		v.seen[n] = true
	}
	if overflow == 0 {
		return b, nil
	}
	b = make([]byte, (overflow+1)*v.pageSize)
	if _, err := v.r.ReadAt(b, int64(id*v.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	return b, nil
}

// page checks the tree below a page. Its keys are at least from (the key by which its parent points to it) and below to
// (that of the next page); nil is no bound.
func (v *verifier) page(id uint64, from, to []byte, depth int) error {
	if depth > maxDepth {
		return damaged(id, "the tree is too deep")
	}
	b, err := v.read(id)
	if err != nil {
		return err
	}
	return v.elements(id, b, from, to, depth)
}

// elements checks the content of a branch or leaf page, in the file or inline in a bucket's value.
func (v *verifier) elements(id uint64, b, from, to []byte, depth int) error {
	flags, count := order.Uint16(b[8:]), int(order.Uint16(b[10:]))
	isLeaf := flags == leafPage
	if !isLeaf && flags != branchPage {
		return damaged(id, "neither branch nor leaf (flags %#x)", flags)
	}
	if pageHeaderSize+count*elementSize > len(b) || !isLeaf && count == 0 {
		return damaged(id, "%d elements do not fit", count)
	}
	keys, values := make([][]byte, count), make([][]byte, count)
	for i := range count {
		var err error
		if keys[i], values[i], err = element(id, b, i, isLeaf); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(keys[i], keys[i-1]) <= 0 {
			return damaged(id, "keys are out of order")
		}
	}
	if count > 0 && (bytes.Compare(keys[0], from) < 0 || to != nil && bytes.Compare(keys[count-1], to) >= 0) {
		return damaged(id, "keys are outside of the range that the page above gives")
	}
	for i := range count {
		end := to
		if i+1 < count {
			end = keys[i+1]
		}
		at := pageHeaderSize + i*elementSize
		var err error
		switch {
		case !isLeaf:
			err = v.page(order.Uint64(b[at+8:]), keys[i], end, depth+1)
		case order.Uint32(b[at:]) == bucketLeaf:
			err = v.bucket(id, values[i], depth)
		case order.Uint32(b[at:]) != 0 || v.buckets == 0:
			err = damaged(id, "an element's kind is wrong")
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// element gives the key and, of a leaf, the value of a page's element i.
func element(id uint64, b []byte, i int, isLeaf bool) (key, value []byte, err error) {
	at := pageHeaderSize + i*elementSize
	var pos, ksize, vsize uint64
	if isLeaf {
		pos, ksize, vsize = uint64(order.Uint32(b[at+4:])), uint64(order.Uint32(b[at+8:])), uint64(order.Uint32(b[at+12:]))
	} else {
		pos, ksize = uint64(order.Uint32(b[at:])), uint64(order.Uint32(b[at+4:]))
	}
	start := uint64(at) + pos
	if start+ksize+vsize > uint64(len(b)) {
		return nil, nil, damaged(id, "an element reaches beyond the page")
	}
	return b[start : start+ksize], b[start+ksize : start+ksize+vsize], nil
}

// bucket checks a bucket from its header in a leaf's value: a root page, or 0 and the page inline behind the header.
func (v *verifier) bucket(id uint64, value []byte, depth int) error {
	if len(value) < bucketSize {
		return damaged(id, "a bucket's header is cut off")
	}
	v.buckets++
	defer func() { v.buckets-- }()
	if root := order.Uint64(value); root != 0 {
		return v.page(root, nil, nil, depth+1)
	}
	if depth > maxDepth || len(value) < bucketSize+pageHeaderSize {
		return damaged(id, "an inline bucket is cut off")
	}
	return v.elements(id, value[bucketSize:], nil, nil, depth+1)
}
